import { cancellation } from "./failure.js";
import { Llama } from "./wllama.js";

/** Opens a language model, and its conversation. The weights are fetched into the memory in which they are computed with. */
export async function open(Loop, files, { runtime, threads, options }, signal) {
    const description = await files.json("chat.json"), { file, context, cache } = description;
    files.expect(["chat.json", file]);
    const llama = await Llama.start(runtime, threads);
    try {
        await files.read(file, llama.file(files.size(file)));
        if (signal.aborted) {
            throw cancellation();
        }
        await llama.load(context, cache);
        const object = new Loop(llama, description, options);
        await object.check();
        return { object, test: (watch) => object.selfTest(watch), close: () => llama.close() };
    } catch (error) {
        llama.close();
        throw error;
    }
}
