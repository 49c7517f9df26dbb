/** An error whose name says what kind it is; it goes from the worker to the page by its name and message. */
export const failure = (name, message) => Object.assign(new Error(message), { name });

/** Refuses what lacks something by that name: an old browser, a page that came by http://, a server. */
export function need(name) {
    if (!globalThis[name]) {
        throw failure("Unsupported", `there is no ${name} here: models run in a browser that has it, in a page by https:// or on localhost`);
    }
}

/** What a call that was cancelled throws. */
export const cancellation = () => failure("AbortError", "the call was cancelled");
