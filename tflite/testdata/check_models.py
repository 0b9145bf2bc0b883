"""check_models.py DIR: for each NAME.a in DIR, an original, and NAME.b, our copy:
both say the same through LiteRT's own schema and compute the same in LiteRT."""

import glob
import multiprocessing
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
from ai_edge_litert import schema_py_generated as fb
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def plain(x, buffers, codes):
    """The object tree as Python values, buffers and operator codes by content."""
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    if isinstance(x, bytes):  # an empty string says as much as none
        return x.decode("utf8", "replace") or None
    if isinstance(x, np.ndarray):
        return x.tolist() or None
    if isinstance(x, (list, tuple)):
        return [plain(v, buffers, codes) for v in x] or None
    d = {k: plain(v, buffers, codes) for k, v in vars(x).items()}
    if isinstance(x, (fb.TensorT, fb.MetadataT)):
        d["buffer"] = buffers[x.buffer]
    if isinstance(x, fb.OperatorT):
        c = codes[x.opcodeIndex]
        d["opcodeIndex"] = (max(c.builtinCode, c.deprecatedBuiltinCode), c.version, c.customCode)
    if isinstance(x, fb.QuantizationParametersT) and not any(d.values()):
        return None
    return d


def content(model):
    m = fb.ModelT.InitFromPackedBuf(model, 0)
    buffers = [model[b.offset:b.offset + b.size] if b.offset > 1 else b"" if b.data is None else bytes(b.data) for b in m.buffers]
    for g in m.subgraphs:
        for o in g.operators or []:
            if o.largeCustomOptionsOffset > 1:  # behind the flatbuffer
                at = o.largeCustomOptionsOffset
                o.customOptions = np.frombuffer(model[at:at + o.largeCustomOptionsSize], np.uint8)
                o.largeCustomOptionsOffset = o.largeCustomOptionsSize = 0
    metadata = [d for d in m.metadata or [] if d.name != b"buffer_location"]
    parts = [m.version, m.description, m.subgraphs, m.signatureDefs, metadata, m.externalBufferGroups, m.externalBuffers]
    return plain(parts, buffers, m.operatorCodes)


def run(model):
    it = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1)
    it.allocate_tensors()
    rng = np.random.default_rng(1)
    for d in it.get_input_details():
        if np.dtype(d["dtype"]).kind in "SUO":
            return "strings"
        it.set_tensor(d["index"], (rng.random(d["shape"]) * 3).astype(d["dtype"]))
    it.invoke()
    return [it.get_tensor(d["index"]).tobytes() for d in it.get_output_details()]


def outcome(model):
    """What a child process says, which may not survive."""
    there, here = multiprocessing.Pipe()

    def work():
        try:
            there.send(run(model))
        except (RuntimeError, ValueError) as e:
            there.send("refused: " + str(e).splitlines()[0])

    p = multiprocessing.get_context("fork").Process(target=work)
    p.start()
    there.close()
    try:
        answer = here.recv()
    except EOFError:
        answer = "aborted"
    p.join()
    return answer


def main(folder):
    failed, ran = 0, 0
    files = sorted(glob.glob(os.path.join(glob.escape(folder), "*.a")))
    for a in files:
        with open(a, "rb") as f, open(a[:-1] + "b", "rb") as g:
            one, two = f.read(), g.read()
        if content(one) != content(two):
            print("says something else:", os.path.basename(a))
            failed += 1
            continue
        first, second = outcome(one), outcome(two)
        if first != second and first == outcome(one):  # else LiteRT's outputs vary
            texts = [v for v in (first, second) if isinstance(v, str)]
            print("computes something else:", os.path.basename(a), *texts)
            failed += 1
        ran += isinstance(first, list)
    print(f"{len(files)} compared, {ran} ran, {failed} differ")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(sys.argv[1])
