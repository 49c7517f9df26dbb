// One question in a worker of its own, for memory of WASM is never given back: load the network, make its calls, send
// every output to the server as bytes. Answers with seconds, or with what the runtime said.
const typed = {
  float32: Float32Array, float16: Uint16Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array,
  uint8: Uint8Array, int8: Int8Array, bool: Uint8Array, uint16: Uint16Array, int16: Int16Array, uint64: BigUint64Array,
};

async function ask({ calls }) {
  const ort = await import("/dist/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/dist/";
  ort.env.logLevel = "error";
  const model = new Uint8Array(await (await fetch("/network")).arrayBuffer());
  const begin = performance.now();
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const load = performance.now() - begin;
  const runs = [];
  for (const [call, inputs] of calls.entries()) {
    const feeds = {};
    for (const { name, dtype, shape } of inputs) {
      const bytes = await (await fetch(`/in/${call}/${encodeURIComponent(name)}`)).arrayBuffer();
      feeds[name] = new ort.Tensor(dtype, new typed[dtype](bytes), shape);
    }
    const start = performance.now();
    const outputs = await session.run(feeds);
    runs.push(performance.now() - start);
    for (const [name, value] of Object.entries(outputs)) {
      const where = `/out/${call}/${encodeURIComponent(name)}?${value.type}&${value.dims.join(",")}`;
      await fetch(where, { method: "POST", body: value.data });
    }
  }
  return { version: ort.env.versions.web, load, runs };
}

onmessage = (event) => ask(event.data).then(postMessage, (error) => postMessage({ reason: String(error?.message ?? error) }));
