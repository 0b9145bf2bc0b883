"""Operators that map elements through a function."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import Model, Quant, options
from .unary import around, numbers, sweep

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


@operator("SOFTMAX")
def softmax_small_scale(rng):
    for itype, otype, version in (("int8", "int8", 2), ("uint8", "uint8", 1), ("int8", "int16", 3), ("uint8", "int16", 3)):
        for i, scale in enumerate((7.8e-9, 1e-20)):  # too small for the reference kernel
            m = Model()
            yq = {"int8": Quant(1 / 256, -128), "uint8": Quant(1 / 256, 0), "int16": Quant(1 / 32768)}[otype]
            x, y = m.input(itype, (3, 5), Quant(np.float32(scale), zero_of(rng, itype))), m.output(otype, (3, 5), yq)
            m.op("SOFTMAX", [x], [y], options("Softmax", beta=1.0), version)
            yield Case(label(f"small-{itype}-{otype}", i), m, [ints(rng, itype, (3, 5))], "builtin")


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


PINNED = {
    "LOGISTIC": {"int8": Quant(1 / 256, -128), "uint8": Quant(1 / 256, 0), "int16": Quant(1 / 32768)},
    "TANH": {"int8": Quant(1 / 128, 0), "uint8": Quant(1 / 128, 128), "int16": Quant(1 / 32768)},
}


def curves(rng, name):
    for dtype in ("float32", "float16", "bfloat16"):
        yield from sweep(rng, name, dtype)
    for dtype, version in (("int8", 2), ("uint8", 1), ("int16", 3)):
        yield from sweep(rng, name, dtype, version, quants=around(rng, dtype, out=PINNED[name][dtype]))
    for i, log2 in enumerate((-12, -11, -13, -9, -20)):  # scales that are powers of two, and a tiny one
        q = (Quant(np.float32(2.0**log2 * (1 if i < 4 else 1.3))), PINNED[name]["int16"])
        yield from sweep(rng, name, "int16", 3, quants=lambda _: q, shapes=[(1, 200)], prefix=f"int16-pot{-log2}")


@operator("LOGISTIC")
def logistic(rng):
    yield from curves(rng, "LOGISTIC")


@operator("TANH")
def tanh(rng):
    yield from curves(rng, "TANH")
    near = (Quant(np.float32(0.0003)), Quant(np.float32(1.0004 / 32768)))  # a power of two to within 1e-3
    yield from sweep(rng, "TANH", "int16", 3, quants=lambda _: near, shapes=[(1, 200)], prefix="int16-near")


@operator("HARD_SWISH")
def hard_swish(rng):
    yield from sweep(rng, "HARD_SWISH", "float32")
    for dtype in ("int8", "uint8"):
        yield from sweep(rng, "HARD_SWISH", dtype, quants=around(rng, dtype))
        for i, scale in enumerate((0.0005, 0.02, 0.3, 1.5)):  # left and right shifts towards relu6
            q = Quant(np.float32(scale), zero_of(rng, dtype))
            r = Quant(np.float32(scale * rng.uniform(0.4, 1.2)), zero_of(rng, dtype))
            yield from sweep(rng, "HARD_SWISH", dtype, quants=lambda _: (q, r), shapes=[(1, 256)], prefix=f"{dtype}-scale{i}")


@operator("LEAKY_RELU")
def leaky_relu(rng):
    for alpha in (0.2, 0.01, 1.5, -0.3, 0.0):
        o = options("LeakyRelu", alpha=alpha)
        yield from sweep(rng, "LEAKY_RELU", "float32", opts=o, prefix=f"float32-{alpha}")
        for dtype, version in (("int8", 1), ("uint8", 1), ("int16", 2)):
            yield from sweep(rng, "LEAKY_RELU", dtype, version, opts=o, quants=around(rng, dtype), prefix=f"{dtype}-{alpha}")


@operator("PRELU")
def prelu(rng):
    pairs_ = [((1, 4, 4, 3), (1, 1, 3)), ((2, 3, 4), (2, 3, 4)), ((5, 7), (7,)), ((2, 2, 3), ()), ((0, 3), (3,)), ((2, 3, 4, 5), (3, 1, 5))]
    for dtype, adtype in (("float32", "float32"), ("int8", "int8"), ("uint8", "uint8"), ("int16", "int8")):
        for i, (shape, ashape) in enumerate(pairs_):
            for constant in (False, True):
                m = Model()
                q = r = a = None
                if dtype != "float32":
                    q, r = around(rng, dtype)(i + 1)
                    a = Quant(scale_of(rng), zero_of(rng, adtype))
                alpha = floats(rng, ashape) if a is None else ints(rng, adtype, ashape)
                x = m.input(dtype, shape, q)
                w = m.const(alpha, a) if constant else m.input(adtype, ashape, a)
                m.op("PRELU", [x, w], [m.output(dtype, shape, r)])
                yield Case(label(dtype, i, const=constant), m, [numbers(rng, dtype, shape)] + ([] if constant else [alpha]))
    m = Model()  # int16 with zero points
    x, w = m.input("int16", (4, 30), Quant(np.float32(0.001), 700)), m.input("int8", (30,), Quant(np.float32(0.01), -3))
    m.op("PRELU", [x, w], [m.output("int16", (4, 30), Quant(np.float32(0.0013), -900))])
    yield Case(label("int16-zero", 0), m, [ints(rng, "int16", (4, 30)), ints(rng, "int8", (30,))])


@operator("ELU")
def elu(rng):
    yield from sweep(rng, "ELU", "float32", oracle="builtin")
    yield from sweep(rng, "ELU", "int8", oracle="builtin", quants=around(rng, "int8", (0.5, 1.5)))


@operator("GELU")
def gelu(rng):
    for approximate in (False, True):
        o = options("Gelu", approximate=approximate)
        yield from sweep(rng, "GELU", "float32", opts=o, prefix=f"float32-{approximate:d}")
        yield from sweep(rng, "GELU", "float16", 3, opts=o, oracle="builtin", prefix=f"float16-{approximate:d}")
        for dtype in ("int8", "uint8", "int16"):
            yield from sweep(rng, "GELU", dtype, 2, opts=o, quants=around(rng, dtype, (0.5, 1.5)), prefix=f"{dtype}-{approximate:d}")


@operator("GELU")
def gelu_int16(rng):
    """Zero points, and whole tables."""
    for i in range(8):
        m = Model()
        s = np.float32(scale_of(rng, 0.02, 0.1) / 256)
        q = Quant(s, int(rng.integers(-9999, 9999)))
        x = np.append(np.arange(-32768, 32768, 128), 32767).astype(np.int16)
        r = Quant(np.float32(s * rng.uniform(0.3, 1)), -q.zero[0])
        m.op("GELU", [m.input("int16", x.shape, q)], [m.output("int16", x.shape, r)], options("Gelu", approximate=i % 2 == 1), 2)
        yield Case(label("int16-table", i), m, [x])


@operator("LOG_SOFTMAX")
def log_softmax(rng):
    yield from sweep(rng, "LOG_SOFTMAX", "float32", shapes=SHAPES)
    for dtype, version, zero in (("int8", 2, 127), ("uint8", 1, 255)):
        for i, scale in enumerate((0.004, 0.02, 0.1, 0.5, 1.3)):
            q = Quant(np.float32(scale * rng.uniform(0.8, 1.2)), zero_of(rng, dtype))
            r = Quant(16 / 256, zero)
            yield from sweep(rng, "LOG_SOFTMAX", dtype, version, quants=lambda _: (q, r), shapes=SHAPES, prefix=f"{dtype}-scale{i}")


@operator("L2_NORMALIZATION")
def l2_normalization(rng):
    o = options("L2Norm")
    yield from sweep(rng, "L2_NORMALIZATION", "float32", opts=o, shapes=SHAPES)
    yield from sweep(rng, "L2_NORMALIZATION", "float32", opts=o, shapes=SHAPES[:3], prefix="float32-zero", data=lambda _, t, s: np.zeros(s, t))
    for dtype, version, zero in (("int8", 2, 0), ("uint8", 1, 128)):
        yield from sweep(rng, "L2_NORMALIZATION", dtype, version, opts=o, quants=around(rng, dtype, out=Quant(1 / 128, zero)), shapes=SHAPES)
        q = Quant(np.float32(0.1), zero_of(rng, dtype))
        flat = lambda _, t, s: np.full(s, q.zero[0], t)
        yield from sweep(rng, "L2_NORMALIZATION", dtype, version, opts=o, quants=lambda _: (q, Quant(1 / 128, zero)), shapes=SHAPES[:3], prefix=dtype + "-zero", data=flat)


@operator("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(rng):
    for i, o in enumerate(pairs(radius=[0, 1, 2, 5, 20], bias=[1.0, 0.5, 2.0], alpha=[1.0, 0.1, 2.5], beta=[0.5, 1.0, 0.75], shape=[(1, 2, 2, 7), (2, 1, 3, 16), (1, 1, 1, 1), (0, 1, 1, 3)])):
        m = Model()
        shape = o["shape"]
        opts = options("LocalResponseNormalization", radius=o["radius"], bias=o["bias"], alpha=o["alpha"], beta=o["beta"])
        m.op("LOCAL_RESPONSE_NORMALIZATION", [m.input("float32", shape)], [m.output("float32", shape)], opts)
        yield Case(label("float32", i), m, [floats(rng, shape, 2)], "builtin")
