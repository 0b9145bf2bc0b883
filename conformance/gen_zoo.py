"""Runs LiteRT over a folder of .tflite files: gen_zoo.py FOLDER [--out FILE].

Writes testdata/zoo.json.gz or FILE (zoo_test.go also reads FOLDER/zoo.json.gz): by
SHA-256 of a file either why LiteRT refuses it or runs. A run is a signature (or,
where there is none, the main subgraph) in the declared shapes, and if LiteRT takes
them once more in others: unknown dimensions are 3 then; where there are none, the
first dimension of every input doubles. Each has two invocations, so that variables
show.

Inputs come from SplitMix64, seeded with the first 8 bytes of the file's SHA-256
(little-endian), one stream for all invocations of a run, inputs by name:
    uint64 x = (state += 0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9; x = (x ^ x >> 27) * 0x94d049bb133111eb; x ^= x >> 31
An element takes one draw: int32 and wider lo + ((draw >> 32) * (hi - lo) >> 32),
lo and hi being the run's "ints", the first of RANGES that LiteRT accepts; narrower
integers its high bits, where lo >= 0 without the signed types' sign; floats (draw >> 40) * 2^-22 - 2, rounded to the
type; complex numbers two such; booleans the highest bit; strings
1 + (draw >> 61) letters 'a' + (draw >> 4i & 15).

Kernels are BUILTIN_REF's; builtin's where that refuses the model or errs, the
default's where both refuse. Every run happens in two child processes, the second
with MALLOC_PERTURB_ set; outputs that differ are kept as shapes only.
"""

import argparse
import base64
import gzip
import hashlib
import json
import multiprocessing
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
RESOLVERS = ["BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"]
RANGES = [(-1000, 1000), (0, 8), (0, 2), (1, 2), (0, 1)]
UNKNOWN = 3  # what unknown dimensions become in the resized run
STEPS = 2
TIMEOUT = 60
FLOATS, INTS = 128, 8  # elements kept of an output


class Stream:
    def __init__(self, seed):
        self.state = seed

    def draws(self, n):
        with np.errstate(over="ignore"):
            x = np.uint64(self.state) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            self.state = (self.state + n * 0x9E3779B97F4A7C15) % 2**64
            x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
            return x ^ x >> np.uint64(31)

    def fill(self, dtype, shape, ints):
        """An array of the given type and shape."""
        n = int(np.prod(shape, dtype=np.int64))
        d = self.draws(2 * n if dtype.kind == "c" else n)
        if dtype.kind == "b":
            x = d >> np.uint64(63) != 0
        elif dtype.kind in "OSU":
            x = np.array([text(int(v)) for v in d], object)
        elif dtype.kind in "iu" and dtype.itemsize <= 2:
            positive = dtype.kind == "i" and ints[0] >= 0
            x = (d >> np.uint64(64 + positive - 8 * dtype.itemsize)).astype(f"u{dtype.itemsize}").view(dtype)
        elif dtype.kind in "iu":
            x = ((d >> np.uint64(32)) * np.uint64(ints[1] - ints[0]) >> np.uint64(32)).astype(np.int64) + ints[0]
        else:
            x = (d >> np.uint64(40)).astype(np.float64) * 2.0**-22 - 2
            if dtype.kind == "c":
                x = x[0::2] + 1j * x[1::2]
        return x.astype(dtype).reshape(shape)


def text(v):
    return "".join(chr(ord("a") + (v >> 4 * i & 15)) for i in range(1 + (v >> 61))).encode()


def interpreter(path, resolver):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(path, experimental_op_resolver_type=OpResolverType[resolver], num_threads=1)


class Main:
    """The main subgraph, called like a signature: inputs are named by position."""

    def __init__(self, it):
        self.it = it

    def get_input_details(self):
        return {str(i): d for i, d in enumerate(self.it.get_input_details())}

    def __call__(self, **values):
        for name, d in self.get_input_details().items():
            self.it.resize_tensor_input(d["index"], values[name].shape)
        self.it.allocate_tensors()
        for name, d in self.get_input_details().items():
            self.it.set_tensor(d["index"], values[name])
        self.it.invoke()
        return {str(i): fetch(self.it, d) for i, d in enumerate(self.it.get_output_details())}


def fetch(it, d):
    if 0 in d["shape"]:  # get_tensor refuses dynamic tensors without elements
        return np.zeros(d["shape"], d["dtype"])
    return np.array(it.get_tensor(d["index"]))


def runner(path, resolver, signature):
    it = interpreter(path, resolver)
    return Main(it) if signature is None else it.get_signature_runner(signature)


def describe(path, resolver):
    """The runs a file asks for: [signature or None, resize, takes integers]."""
    it = interpreter(path, resolver)
    runs = []
    for key in list(it.get_signature_list()) or [None]:
        details = (Main(it) if key is None else it.get_signature_runner(key)).get_input_details().values()
        integers = any(np.dtype(d["dtype"]).kind in "iu" for d in details)
        runs += [(key, resize, integers) for resize in (False, True)]
    return runs, reference_errs(path)


def reference_errs(path):
    """Whether the file has SUM or LOCAL_RESPONSE_NORMALIZATION, or weights quantized
    in blocks (REF takes their scale as 0)."""
    from ai_edge_litert import schema_py_generated as fb

    with open(path, "rb") as f:
        m = fb.Model.GetRootAs(f.read())
    tensors = [s.Tensors(i) for s in map(m.Subgraphs, range(m.SubgraphsLength())) for i in range(s.TensorsLength())]
    details = [q.DetailsType() for q in (t.Quantization() for t in tensors) if q is not None]
    codes = [max(c.DeprecatedBuiltinCode(), c.BuiltinCode()) for c in map(m.OperatorCodes, range(m.OperatorCodesLength()))]
    wrong = fb.BuiltinOperator.SUM, fb.BuiltinOperator.LOCAL_RESPONSE_NORMALIZATION
    return fb.QuantizationDetails.BlockwiseQuantization in details or any(c in wrong for c in codes)


def execute(path, resolver, signature, resize, ints, seed):
    """The golden of one run."""
    call = runner(path, resolver, signature)
    stream, steps = Stream(seed), []
    details = sorted(call.get_input_details().items(), key=lambda kv: (len(kv[0]), kv[0]) if signature is None else kv[0])
    shapes = shapes_of(details, resize)
    for _ in range(STEPS):
        values = {name: stream.fill(np.dtype(d["dtype"]), shapes[name], ints) for name, d in details}
        steps.append({name: golden(x) for name, x in sorted(call(**values).items())})
    return {"in": [[name, shapes[name]] for name, _ in details], "out": steps}


def shapes_of(details, resize):
    shapes = {name: [int(n) for n in d["shape"]] for name, d in details}
    if not resize:
        return shapes
    if any(-1 in d["shape_signature"] for _, d in details):
        for name, d in details:
            shapes[name] = [UNKNOWN if u < 0 else n for n, u in zip(shapes[name], d["shape_signature"])] or shapes[name]
    else:
        shapes = {name: [2 * s[0]] + s[1:] if s else s for name, s in shapes.items()}
    return shapes


def golden(x):
    """What is kept of an output: see zoo_test.go."""
    x = np.asarray(x, order="C")
    if x.dtype.kind in "OSU":
        flat = [v if isinstance(v, bytes) else str(v).encode() for v in x.reshape(-1)]
        data = b"".join(len(v).to_bytes(4, "little") + v for v in flat)
        return {"type": "string", "shape": x.shape, "sum": digest(data), "data": encode(data[:64])}
    g = {"type": x.dtype.name, "shape": x.shape}
    if x.dtype.name not in ("float32", "complex64"):
        return g | {"sum": digest(x.tobytes()), "data": encode(x.reshape(-1)[:INTS].tobytes())}
    flat = x.reshape(-1).view(np.float32)
    n = min(FLOATS, flat.size)
    pick = np.arange(n, dtype=np.int64) * flat.size // max(n, 1)
    finite = np.abs(flat[np.isfinite(flat)])
    return g | {"top": float(finite.max()) if finite.size else 0.0, "data": encode(flat[pick].tobytes())}


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def encode(data):
    return base64.b64encode(data).decode()


def child(conn, job):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LiteRT's log
    function, *arguments = job
    try:
        conn.send(("ok", {"describe": describe, "execute": execute}[function](*arguments)))
    except (RuntimeError, ValueError, TypeError) as e:
        conn.send(("refused", reason(e, arguments[0])))


def reason(e, path):
    """LiteRT's message: its first line, without the folder, not too long."""
    line = (str(e).strip().splitlines() or ["?"])[0]
    return line.replace(os.path.dirname(path) + "/", "")[:160]


def serve(conn):
    """Forks a child for every job: a kernel that aborts takes only its child along."""
    import ml_dtypes  # noqa: F401 (NumPy's names for int4 and bfloat16)
    from ai_edge_litert import interpreter as _  # noqa: F401 (once for all children)

    fork = multiprocessing.get_context("fork")
    conn.send("ready")
    while (job := conn.recv()) is not None:
        mine, theirs = fork.Pipe()
        p = fork.Process(target=child, args=(theirs, job))
        p.start()
        theirs.close()
        try:
            answer = mine.recv() if mine.poll(TIMEOUT) else ("hangs", f"no answer in {TIMEOUT} s")
        except EOFError:
            p.join()
            answer = ("aborts", f"LiteRT aborts with exit code {p.exitcode}")
        p.kill()
        p.join()
        conn.send(answer)


class Servers:
    def __init__(self):
        self.conns = []
        for perturb in ("0", "165"):
            os.environ["MALLOC_PERTURB_"] = perturb
            mine, theirs = multiprocessing.get_context("spawn").Pipe()
            multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,)).start()
            self.conns.append(mine)
        for c in self.conns:
            c.recv()

    def both(self, *job):
        """The answer of both processes; an unstable one is stripped to shapes."""
        for c in self.conns:
            c.send(job)
        a, b = (c.recv() for c in self.conns)
        if a == b or a[0] != "ok":
            return a
        return b if b[0] != "ok" else ("ok", stable(a[1], b[1]))

    def close(self):
        for c in self.conns:
            c.send(None)


def stable(a, b):
    for s, t in zip(a["out"], b["out"]):
        for name, g in s.items():
            if g != t[name]:
                s[name] = {"type": g["type"], "unstable": True}
    return a


def survey(servers, path, seed):
    """A file's entry in the archive."""
    status, answer = servers.both("describe", path, "AUTO")
    if status != "ok":
        return {"refused": answer}
    wanted, wrong = answer
    order = RESOLVERS[1:] + RESOLVERS[:1] if wrong else RESOLVERS
    runs = []
    for signature, resize, integers in wanted:
        run = one(servers, path, order, signature, resize, integers, seed)
        if resize and ("refused" in run or all(run["in"] == r.get("in") for r in runs[-1:])):
            continue
        runs.append({"signature": signature or "", "resized": resize} | run)
    if all("refused" in r for r in runs):
        return {"refused": runs[0]["refused"]}
    return {"runs": runs}


def one(servers, path, order, signature, resize, integers, seed):
    """A run with the first resolver and range of integers that LiteRT accepts."""
    why = None
    for resolver in order:
        for ints in RANGES if integers else RANGES[:1]:
            status, answer = servers.both("execute", path, resolver, signature, resize, ints, seed)
            if status == "ok":
                for other in (r for r in RESOLVERS if r != resolver):
                    status, theirs = servers.both("execute", path, other, signature, resize, ints, seed)
                    if status == "ok":
                        spread(answer["out"], theirs["out"])
                return {"oracle": resolver, "ints": ints} | answer
            why = why or answer
            if status == "hangs":
                return {"refused": answer}
    return {"refused": why}


def spread(steps, others):
    """Notes how far another resolver's floats are from the oracle's."""
    for ours, theirs in zip(steps, others):
        for name, g in ours.items():
            t = theirs.get(name, {})
            if "top" in g and "top" in t and g["shape"] == t["shape"]:
                a, b = (np.frombuffer(base64.b64decode(x["data"]), np.float32).astype(np.float64) for x in (g, t))
                apart = np.abs(a - b)[np.isfinite(a) & np.isfinite(b)]
                g["spread"] = max(g.get("spread", 0.0), float(apart.max(initial=0)))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder")
    p.add_argument("--out", default=os.path.join(HERE, "testdata", "zoo.json.gz"))
    p.add_argument("--only", default="", help="print the entries of files whose path contains this; write nothing")
    a = p.parse_args()
    servers, zoo = Servers(), {}
    for path in sorted(os.path.join(d, f) for d, _, files in os.walk(a.folder) for f in files if f.endswith(".tflite")):
        if a.only not in path:
            continue
        with open(path, "rb") as f:
            sha = hashlib.sha256(f.read())
        if sha.hexdigest() in zoo:
            continue
        entry = zoo[sha.hexdigest()] = survey(servers, path, int.from_bytes(sha.digest()[:8], "little"))
        line = entry.get("refused") or ", ".join(r.get("oracle", r.get("refused")) for r in entry["runs"])
        print(f"{os.path.relpath(path, a.folder)}: {line}", flush=True)
        if a.only:
            json.dump(entry, sys.stdout, indent=1)
    servers.close()
    if a.only:
        return
    with open(a.out, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(json.dumps(dict(sorted(zoo.items())), indent=0).encode())
    print(f"{len(zoo)} files, {os.path.getsize(a.out)} bytes")


if __name__ == "__main__":
    main()
