"""Writes testdata/tables.json.gz: functions of one integer, for every value it can have.

LiteRT computes many of them with the C library when it prepares a table. A row is a
model of one operator and the SHA-256 of its results for all inputs from the lowest to
the highest, 256 or 65536. See README.md.
"""

import base64
import gzip
import hashlib
import json
import os

import numpy as np
from litegen.case import Case
from litegen.model import Model, Quant, options
from litegen.oracle import Oracle

TESTDATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "testdata")
TYPES = ("int8", "uint8", "int16")
FIXED = {  # scale and zero point of the result, by type
    "LOGISTIC": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)},
}
# Largest magnitude of the input and interval of the result, for other operators.
REACH = {
    "EXP": (4, (0, 55)), "LOG": (8, (-7, 2.1)), "SQRT": (9, (0, 3)), "RSQRT": (9, (0, 20)), "ELU": (5, (-1, 5)), "GELU": (5, (-0.2, 5)),
    "HARD_SWISH": (6, (-0.4, 6)), "LEAKY_RELU": (5, (-1, 5)), "ABS": (5, (0, 5)), "RELU": (5, (0, 5)), "RELU6": (9, (0, 6)),
}
POSITIVE = ("LOG", "SQRT", "RSQRT")
FIRST = ("ELU", "HARD_SWISH")  # have one version only
BUILTIN = ("ELU",)  # BUILTIN_REF lacks it


def quant(dtype, low, high):
    """Parameters that cover an interval; int16 has zero point 0."""
    info = np.iinfo(dtype)
    if dtype == "int16":
        return Quant(np.float32(max(abs(low), abs(high)) / info.max))
    scale = np.float32((high - low) / 255)
    return Quant(scale, int(np.clip(round(info.min - low / scale), info.min, info.max)))


def parameters(rng, name, dtype, i):
    wide = 2.0 ** rng.uniform(-2, 1.5) if i else 1.0
    if name in FIXED:
        scale, zero = FIXED[name][dtype]
        return quant(dtype, -8 * wide, 8 * wide), Quant(np.float32(scale), zero)
    reach, (low, high) = REACH[name]
    return quant(dtype, 0 if name in POSITIVE else -reach * wide, reach * wide), quant(dtype, low * wide, high * wide)


def models(name, dtype):
    rng = np.random.default_rng(len(name) * 131 + ord(name[0]) + TYPES.index(dtype))
    for i in range(8):
        q, r = parameters(rng, name, dtype, i)
        m, values = Model(), np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, dtype=dtype)
        opts = {"GELU": lambda: options("Gelu", approximate=i % 2 == 1), "LEAKY_RELU": lambda: options("LeakyRelu", alpha=0.3)}.get(name, lambda: None)()
        m.op(name, [m.input(dtype, values.shape, q)], [m.output(dtype, values.shape, r)], opts, 1 if name in FIRST else 2)
        yield Case(f"{name}/{dtype}/{i}", m, [values], "builtin" if name in BUILTIN else "ref")


def main():
    oracle, rows = Oracle(), []
    for name in sorted(FIXED | REACH):
        for dtype in TYPES:
            for case in models(name, dtype):
                status, value = oracle.run(case)
                if status == "ok":
                    digest = hashlib.sha256(value[0][0].tobytes()).hexdigest()
                    rows.append({"name": case.name, "model": base64.b64encode(case.model).decode(), "sum": digest})
        print(name, *(f"{t} {sum(r['name'].startswith(f'{name}/{t}/') for r in rows)}" for t in TYPES), flush=True)
    with gzip.GzipFile(os.path.join(TESTDATA, "tables.json.gz"), "wb", mtime=0) as z:
        z.write(json.dumps(rows, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
