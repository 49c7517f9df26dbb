import { WakeWordDetector } from "@me/words";
import { Hearer } from "./hearer";

/** Rendered on the server, where importing the package loads nothing. */
export default async function Page() {
    const said = await WakeWordDetector.load().catch((error) => error.name);
    return <><p id="server">{said}</p><Hearer /></>;
}
