import { failure } from "./failure.js";

/** Threads as asked, four or a processor each at most; else up to four. Memory is shared in isolation alone. */
export function usableThreads(asked) {
    const processors = navigator.hardwareConcurrency || 1;
    return self.crossOriginIsolated ? Math.min(asked ?? Math.min(4, processors), Math.max(4, processors)) : 1;
}

/**
 * A runtime's errors by a name of ours. It also throws bare numbers: addresses of errors that it cannot tell.
 * @param said what the runtime has written meanwhile, where it gives its reasons there.
 */
export async function nameErrors(work, said = () => "") {
    try {
        return await work();
    } catch (error) {
        const text = [String(error?.message ?? error), said()].filter(Boolean).join(": ");
        const memory = typeof error === "number" || /bad_alloc|memory|allocat/i.test(text);
        throw memory
            ? failure("OutOfMemory", `the model needs more memory than this page can have (${text})`)
            : failure("RuntimeFailed", text);
    }
}

// WebAssembly in a worker blocks it, and awaiting it lets no message in: without a turn now and then no call could be
// cancelled. A message to itself is the fastest turn; timers wait 4 ms.
const channel = new MessageChannel(), waiting = [];
channel.port1.onmessage = () => waiting.shift()();
let last = 0;

export async function takeTurn() {
    if (performance.now() - last > 30) {
        await new Promise((done) => {
            waiting.push(done);
            channel.port2.postMessage(0);
        });
        last = performance.now();
    }
}
