/** An error whose name says what kind it is; it goes from the worker to the page by its name and message. */
export const failure = (name, message) => Object.assign(new Error(message), { name });

/** Refuses a browser that lacks one of these. Some are there only in pages that came by https:// or from localhost. */
export function need(...names) {
    const absent = names.find((name) => !globalThis[name]);
    if (absent) {
        throw failure("Unsupported", `this browser has no ${absent}; take a newer one, and open the page by https:// or on localhost`);
    }
}

/** What a call that was cancelled throws. */
export const cancellation = () => failure("AbortError", "the call was cancelled");
