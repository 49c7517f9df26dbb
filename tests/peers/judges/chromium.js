// Evaluated in a page of its own for every question, for memory of WASM is never given back: load the network, make its
// calls ([name, dtype, shape] of every input; the server has the bytes), answer with times and outputs.
async (calls) => {
  const typed = {
    float32: Float32Array, float16: Uint16Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array,
    uint8: Uint8Array, int8: Int8Array, bool: Uint8Array,
  };
  const bytes = async (name) => (await fetch(name)).arrayBuffer();
  const packed = (data) => new Promise((done) => {
    const reader = Object.assign(new FileReader(), { onload: () => done(reader.result.split(",")[1] ?? "") });
    reader.readAsDataURL(new Blob([data]));
  });
  const ort = await import("/dist/ort.wasm.min.mjs");
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: "/dist/" });
  const model = new Uint8Array(await bytes("/network"));
  const begin = performance.now();
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const told = { version: ort.env.versions.web, load: performance.now() - begin, runs: [], outputs: [] };
  for (const [call, inputs] of calls.entries()) {
    const feeds = {};
    for (const [i, [name, dtype, shape]] of inputs.entries())
      feeds[name] = new ort.Tensor(dtype, new typed[dtype](await bytes(`/in-${call}-${i}`)), shape);
    const start = performance.now();
    const outputs = await session.run(feeds);
    told.runs.push(performance.now() - start);
    for (const [name, { type, dims, data }] of Object.entries(outputs))
      told.outputs.push([call, name, type, dims, await packed(data)]);
  }
  return told;
}
