"""Operators that map elements through a function."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import Model, Quant, options

SHAPES = [(1, 10), (7,), (2, 3, 4), (2, 3, 2, 5), (1, 1), (3, 130), (4, 1), (0, 5)]


@operator("SOFTMAX")
def softmax(rng):
    for itype, otype, version in (("float32", "float32", 1), ("int8", "int8", 2), ("uint8", "uint8", 1), ("int8", "int16", 3),
                                  ("uint8", "int16", 3), ("int16", "int16", 3)):
        for i, o in enumerate(pairs(shape=SHAPES, beta=[1.0, 0.3, 2.0], scale=[0.004, 0.05, 0.25, 1.0], special=[False, True])):
            m = Model()
            scale = np.float32(o["scale"] * rng.uniform(0.8, 1.2))
            if itype == "int16":
                scale = np.float32(scale / 64)
            xq = Quant(scale, zero_of(rng, itype)) if itype != "float32" else None
            yq = {"int8": Quant(1 / 256, -128), "uint8": Quant(1 / 256, 0), "int16": Quant(1 / 32768), "float32": None}[otype]
            x, y = m.input(itype, o["shape"], xq), m.output(otype, o["shape"], yq)
            m.op("SOFTMAX", [x], [y], options("Softmax", beta=o["beta"]), version)
            data = floats(rng, o["shape"], 100 * o["scale"]) if xq is None else ints(rng, itype, o["shape"])
            if o["special"] and data.size:
                data = np.full_like(data, data.reshape(-1)[0])
            yield Case(label(f"{itype}-{otype}", i, beta=o["beta"]), m, [data])


def clamps(rng, name, version):
    for dtype in ("float32", "int8", "uint8", "int16"):
        for i, shape in enumerate([(1, 300), (7,), (2, 3, 4), (2, 3, 2, 5), (), (0, 3)] * 2):
            m = Model()
            s = np.float32(scale_of(rng) / (1 if dtype != "int16" else 128))
            q = r = None
            if dtype != "float32":
                q = Quant(s, zero_of(rng, dtype))
                r = q if i % 3 == 0 else Quant(np.float32(s * rng.uniform(0.3, 3)), zero_of(rng, dtype))
            m.op(name, [m.input(dtype, shape, q)], [m.output(dtype, shape, r)], version=version[dtype != "float32"])
            data = floats(rng, shape, 4, True) if q is None else ints(rng, dtype, shape)
            yield Case(label(dtype, i), m, [data])


@operator("RELU")
def relu(rng):
    yield from clamps(rng, "RELU", (1, 2))


@operator("RELU6")
def relu6(rng):
    yield from clamps(rng, "RELU6", (1, 2))


@operator("RELU_N1_TO_1")
def relu_n1_to_1(rng):
    yield from clamps(rng, "RELU_N1_TO_1", (1, 1))


@operator("RELU_0_TO_1")
def relu_0_to_1(rng):
    yield from clamps(rng, "RELU_0_TO_1", (1, 1))
