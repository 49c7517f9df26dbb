// A worker of edgekit's own page: the next token after every beginning of a text, the golden answer, then times.
import { Llama } from "/core/wllama.js";
import { ChatLoop } from "/loops/ChatLoop.js";

self.onmessage = async ({ data }) => self.postMessage(await answer(data).catch(({ name, message }) => ({ error: `${name}: ${message}` })));

async function answer({ threads, context, size, beginnings, prompt, answer: expected, compare, counts, repeats, seconds }) {
  const start = performance.now(), since = (from) => (performance.now() - from) / 1000;
  const llama = await Llama.start({ module: `${origin}/wllama/wllama.js`, wasm: `${origin}/wllama/wllama.wasm` }, threads);
  const library = since(start), room = llama.file(size);
  let at = 0;
  for (const reader = (await fetch("/model/network.gguf")).body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    room.set(value, at);
    at += value.length;
  }
  await llama.load(context);
  const loaded = since(start);

  /** The last that the server says of an answer, and each token's choice with its probability. */
  async function complete(request) {
    const run = await llama.complete({ stream: true, samplers: ["top_k"], top_k: 1, ...request }), choices = [];
    for (;;) {
      const { said, error, more } = await run.next();
      if (error) throw new Error(error.message);
      choices.push(...(said?.choices[0].logprobs?.content ?? []));
      if (!more) return { ...said, choices };
    }
  }
  const next = [];
  for (const [i, text] of beginnings.entries()) {
    const { usage, choices: [choice] } = text ? await complete({ prompt: text, n_predict: 1, n_probs: 1 }) : { choices: [] };
    next.push(choice && usage.prompt_tokens === i + 1 ? [choice.id, choice.logprob] : null); // else it has other tokens
  }
  const golden = new ChatLoop(llama, { golden: { prompt, answer: expected } });
  const margin = compare ? (await golden.selfTest(() => {})).errors.network : 0;

  async function measure(take) {
    const values = [], begin = performance.now();
    while (values.length < repeats && (!values.length || since(begin) < seconds)) values.push(await take());
    return values;
  }
  const timed = async (request) => {
    const begin = performance.now(), said = await complete({ cache_prompt: false, ignore_eos: true, ...request });
    return { took: since(begin), said };
  };
  const speeds = { first_token: await measure(async () => (await timed({ prompt, n_predict: 1 })).took) };
  // The values of tokens do not matter to times: this is nearly as many tokens as words.
  const words = " a".repeat(counts.prompt - 1);
  speeds[`pp${counts.prompt}`] = await measure(async () => {
    const { took, said } = await timed({ prompt: words, n_predict: 1 });
    return said.usage.prompt_tokens / took;
  });
  speeds[`tg${counts.generate}`] = await measure(async () => {
    const { took, said } = await timed({ prompt: "a", n_predict: counts.generate });
    return said.usage.completion_tokens / took;
  });
  return { library, loaded, next, golden: margin === Infinity ? 1e9 : margin, speeds: repeats ? speeds : {} };
}
