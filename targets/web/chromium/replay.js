// Evaluated in a page of edgekit's own: opens the parts of a bundle and replays recorded calls. Inputs come from the server
// for every call, outside of the time that is measured, so that the page holds no more than an app does.
async ({ threads, parts, compared, warmups, loops, seconds }) => {
  const typed = {
    float32: Float32Array, float16: Uint16Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array,
    uint8: Uint8Array, int8: Int8Array, bool: Uint8Array,
  };
  const bytes = async (name) => (await fetch(name)).arrayBuffer();
  const start = performance.now();
  const ort = await import("/ort/ort.wasm.min.mjs");
  Object.assign(ort.env.wasm, { numThreads: threads, wasmPaths: "/ort/" });
  const { withoutWeights } = await import("/core/weights.js");
  const library = (performance.now() - start) / 1000;
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
  const sessions = [];
  for (const { file } of parts) {
    const [graph, weights] = withoutWeights(new Uint8Array(await bytes(`/model/${file}`)));
    sessions.push(await ort.InferenceSession.create(graph, { ...options, ...weights }));
  }
  const loaded = (performance.now() - start) / 1000;

  async function call(part, number) {
    const buffer = await bytes(`/call/${part}/${number}`);
    const feeds = {};
    let at = 0;
    for (const { name, dtype, shape, size } of parts[part].calls[number]) {
      feeds[name] = new ort.Tensor(dtype, new typed[dtype](buffer.slice(at, at + size)), shape);
      at += size;
    }
    const begin = performance.now();
    const outputs = await sessions[part].run(feeds);
    return { took: (performance.now() - begin) / 1000, outputs };
  }

  const shapes = {};
  for (const [part, numbers] of compared.entries()) {
    for (const number of numbers) {
      const { outputs } = await call(part, number);
      for (const [name, { type, dims, data }] of Object.entries(outputs)) {
        shapes[`${part}/${number}/${name}`] = [type, dims];
        await fetch(`/answer/${part}/${number}/${name}`, { method: "POST", body: data });
      }
    }
  }

  async function round(into) {
    let whole = 0;
    for (const [part, { calls }] of parts.entries()) {
      let sum = 0;
      for (const number of calls.keys()) sum += (await call(part, number)).took;
      into.parts[part].push(sum / Math.max(1, calls.length));
      whole += sum;
    }
    into.whole.push(whole);
    return whole;
  }
  const empty = () => ({ whole: [], parts: parts.map(() => []) });
  const [before, measured] = [empty(), empty()];
  for (let done = 0, spent = 0; done < warmups && spent < seconds; done++) spent += await round(before);
  for (let done = 0, spent = 0; done < loops && (done < 3 || spent < seconds); done++) spent += await round(measured);
  return { version: ort.env.versions.web, library, loaded, shapes, warmups: before, measured };
}
