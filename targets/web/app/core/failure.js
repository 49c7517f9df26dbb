/** An error whose name says what kind it is; it goes from the worker to the page by its name and message. */
export const failure = (name, message) => Object.assign(new Error(message), { name });

/** What a call that was cancelled throws. */
export const cancellation = () => failure("AbortError", "the call was cancelled");
