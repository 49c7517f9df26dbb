// What every bundler builds: at a click the model loads and hears the golden sound, and a piece of the microphone's.
import { microphone, WakeWordDetector } from "@me/words";

document.getElementById("go").onclick = async () => {
    const detector = await WakeWordDetector.load(), said = [];
    for await (const { word } of detector.detect(await (await fetch("/sound")).blob())) {
        said.push(word);
    }
    for await (const piece of microphone({ rate: detector.rate })) {
        said.push(piece instanceof Float32Array);
        break;
    }
    document.getElementById("heard").textContent = said.join(" ");
};
