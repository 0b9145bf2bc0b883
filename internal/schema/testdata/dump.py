"""Prints what TensorFlow's own Python binding reads from .tflite files, as JSON,
one line a file; with --run, also has LiteRT's interpreter load each one.

    python dump.py [--run] file...

Names are lower case without underscores, bytes are hexadecimal, absent vectors
and tables are null, and so are absent and empty strings.
"""
import json
import math
import sys

import numpy as np
import ai_edge_litert.schema_py_generated as binding

STRINGS = {
    "description", "name", "customcode", "signaturekey", "container", "sharedname", "calltargetname",
    "backendconfig", "packing",
}


def plain(key, x):
    if isinstance(x, np.ndarray):
        return x.tobytes().hex() if x.dtype == np.uint8 else [plain("", v) for v in x.tolist()]
    if isinstance(x, list):
        return [plain("", v) for v in x]
    if isinstance(x, bytes):
        return (x.decode("utf-8", "surrogateescape") or None) if key in STRINGS else x.hex()
    if isinstance(x, float) and not math.isfinite(x):
        return str(x)
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    return {k.lower(): plain(k.lower(), v) for k, v in vars(x).items()}


def dump(file):
    return json.dumps(plain("", binding.ModelT.InitFromPackedBuf(file, 0)), sort_keys=True, separators=(",", ":"))


if __name__ == "__main__":
    args = sys.argv[1:]
    run = args[:1] == ["--run"]
    for name in args[run:]:
        file = open(name, "rb").read()
        print(dump(file))
        if run:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType

            Interpreter(model_content=file, experimental_op_resolver_type=OpResolverType.BUILTIN_REF).allocate_tensors()
