"""`edgekit bench` beside a bare loop over onnxruntime: one network, processes in turns, the ratio with its interval.

    python tests/peers/compare_bench.py BUNDLE [--part network] [--processes 10] [--threads 1]

The bundle must be of the onnx exporter, and its part must have inputs of fixed shapes. The bar: within 3 %.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from edgekit.bench.processes import child
from edgekit.bench.statistics import repeated
from edgekit.benchmarking.hosted import Limits, prepare
from edgekit.bundles.bundle import open_bundle

BARE = """
import json, sys, time
import numpy as np, onnxruntime as ort
options = ort.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
rng = np.random.default_rng(0)
dtypes = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64}
feeds = {i.name: (rng.random(i.shape) * 255).astype(dtypes[i.type]) for i in session.get_inputs()}
values = []
for _ in range(130):
    before = time.perf_counter()
    session.run(None, feeds)
    values.append(time.perf_counter() - before)
print(json.dumps(values[30:]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--part", default="network")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    subject = prepare(bundle, (), arguments.threads, Limits(seconds=2.0))
    file = bundle.path / next(part.file for part in bundle.manifest.parts if part.name == arguments.part)
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    for number in range(arguments.processes):
        for who in ("ours", "bare") if number % 2 == 0 else ("bare", "ours"):
            if who == "ours":
                ours.append(child.once(subject.setup).values[f"part.{arguments.part}.latency"])
            else:
                command = [sys.executable, "-c", BARE, str(file), str(arguments.threads)]
                bare.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    ratio = repeated.ratio(bare, ours, paired=True)
    bounds = repeated.ratio_interval(bare, ours, paired=True)
    assert ratio is not None and bounds is not None
    print(f"bare loop {repeated.middle(bare) * 1e3:.3f} ms, edgekit bench {repeated.middle(ours) * 1e3:.3f} ms")
    print(
        f"ratio {ratio:.3f}, 95 % interval {bounds[0]:.3f} .. {bounds[1]:.3f}, {arguments.processes} processes of each"
    )
    return 0 if abs(ratio - 1.0) <= 0.03 else 1


if __name__ == "__main__":
    sys.exit(main())
