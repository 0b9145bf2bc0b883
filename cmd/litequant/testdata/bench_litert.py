"""Compare litequant's latency with LiteRT's (XNNPACK), both in this run, in turn.

usage: bench_litert.py LITEQUANT MODEL.tflite...
LITEQUANT is the binary. One thread each, five rounds in turn, medians; needs ai-edge-litert.
"""
import json, statistics, subprocess, sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter

binary, models = sys.argv[1], sys.argv[2:]
ROUNDS, RUNS = 5, 300


def litert(path):
    it = Interpreter(model_path=path, num_threads=1)
    it.allocate_tensors()
    rng = np.random.default_rng(0)
    for d in it.get_input_details():
        real = np.issubdtype(d["dtype"], np.floating)
        it.set_tensor(d["index"], rng.random(d["shape"]).astype(d["dtype"]) if real else rng.integers(0, 100, d["shape"]).astype(d["dtype"]))
    times = []
    for _ in range(RUNS):
        t = time.perf_counter()
        it.invoke()
        times.append(time.perf_counter() - t)
    return statistics.median(times) * 1e6


def litequant(path):
    out = subprocess.run([binary, "bench", path, "--runs", str(RUNS), "--threads", "1", "--json"], capture_output=True, check=True)
    return json.loads(out.stdout)[0]["median_us"]


print(f"{'model':32} {'litequant µs':>13} {'LiteRT µs':>10} {'LiteRT/litequant':>17}")
for path in models:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(litequant(path))
        theirs.append(litert(path))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{path.rsplit('/', 1)[-1]:32} {a:13.1f} {b:10.1f} {statistics.median([y / x for x, y in zip(ours, theirs)]):17.2f}")
