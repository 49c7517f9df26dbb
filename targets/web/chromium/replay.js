// Evaluated in a page of edgekit's own: opens the parts of a bundle and replays recorded calls. Inputs come from the server
// for every call, outside of the time that is measured, so that the page holds no more than an app does.
async ({ module, addresses, threads, parts, compared, warmups, loops, seconds }) => {
  const typed = {
    float32: Float32Array, float16: Uint16Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array,
    uint8: Uint8Array, int8: Int8Array, bool: Uint8Array,
  };
  const bytes = async (name) => (await fetch(name)).arrayBuffer();
  const start = performance.now();
  const { Graph, startRuntime } = await import(`/core/${module}.js`);
  const whole = Object.entries(addresses).map(([word, address]) => [word, new URL(address, location.href).href]);
  const runtime = await startRuntime(Object.fromEntries(whole), threads);
  const library = (performance.now() - start) / 1000;
  const graphs = [];
  for (const part of parts) {
    graphs.push(await Graph.open(runtime, new Uint8Array(await bytes(`/model/${part.file}`)), part));
  }
  const loaded = (performance.now() - start) / 1000;

  async function call(part, number) {
    const buffer = await bytes(`/call/${part}/${number}`);
    const feeds = {};
    let at = 0;
    for (const { name, dtype, shape, size } of parts[part].calls[number]) {
      feeds[name] = { dtype, shape, data: new typed[dtype](buffer.slice(at, at + size)) };
      at += size;
    }
    const begin = performance.now();
    const outputs = await graphs[part].run(feeds);
    return { took: (performance.now() - begin) / 1000, outputs };
  }

  const shapes = {};
  for (const [part, numbers] of compared.entries()) {
    // A network that remembers is told all that came before.
    for (const number of parts[part].stateful && numbers.length ? Array(Math.max(...numbers) + 1).keys() : numbers) {
      const { outputs } = await call(part, number);
      if (!numbers.includes(number)) continue;
      for (const [name, { dtype, shape, data }] of Object.entries(outputs)) {
        shapes[`${part}/${number}/${name}`] = [dtype, shape];
        await fetch(`/answer/${part}/${number}/${name}`, { method: "POST", body: data });
      }
    }
  }

  async function round(into) {
    let whole = 0;
    for (const [part, { calls }] of parts.entries()) {
      let sum = 0;
      await graphs[part].reset?.();
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
  return { threads: runtime.threads ?? runtime.env.wasm.numThreads, library, loaded, shapes, warmups: before, measured };
}
