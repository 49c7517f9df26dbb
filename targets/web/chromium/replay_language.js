// Evaluated in a page of edgekit's own: has a worker open a language model and measure it.
(asked) => new Promise((done, fail) => {
  const worker = new Worker("/model/language_worker.js", { type: "module" });
  worker.onmessage = ({ data }) => (data.error ? fail(new Error(data.error)) : done(data));
  worker.onerror = ({ message }) => fail(new Error(message || "the worker cannot be run"));
  worker.postMessage(asked);
})
