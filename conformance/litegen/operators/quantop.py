"""QUANTIZE and DEQUANTIZE."""

import numpy as np

from ..case import Case, floats, ints, label, operator, scale_of, zero_of
from ..model import Model, Quant

SHAPES = [(300,), (2, 3, 4, 5), (), (0, 3), (7, 6)]


@operator("QUANTIZE")
def quantize(rng):
    for dtype in ("int8", "uint8", "int16"):
        for i, shape in enumerate(SHAPES * 2):
            m = Model()
            q = Quant(scale_of(rng), zero_of(rng, dtype))
            m.op("QUANTIZE", [m.input("float32", shape)], [m.output(dtype, shape, q)])
            x = floats(rng, shape, float(q.scale[0]) * 100, i >= 5)
            if i < 5 and x.size:  # ties
                x = (np.round(x / q.scale[0]) * q.scale[0] + (rng.random(x.shape) < 0.5) * q.scale[0] / 2).astype(np.float32)
            yield Case(label("float32-" + dtype, i), m, [x])
        for axis in range(3):
            m = Model()
            n = (4, 3, 5)[axis]
            q = Quant([scale_of(rng) for _ in range(n)], [zero_of(rng, dtype) for _ in range(n)], axis)
            m.op("QUANTIZE", [m.input("float32", (4, 3, 5))], [m.output(dtype, (4, 3, 5), q)], version=3)
            yield Case(label("float32-per-axis-" + dtype, axis), m, [floats(rng, (4, 3, 5), 5)])
    for src in ("int8", "uint8", "int16"):
        for dst in ("int8", "uint8", "int16"):
            for i, shape in enumerate(SHAPES * 2):
                m = Model()
                a, za, zb = scale_of(rng), zero_of(rng, src), zero_of(rng, dst)
                b = a if i % 4 == 0 else np.float32(a * 2.0 ** rng.uniform(-3, 3))
                if i == 4 and src != dst and "int16" not in (src, dst):
                    za = int(rng.integers(0, 128)) - (128 if src == "int8" else 0) + 64
                    zb = za - 128 if dst == "int8" else za + 128
                m.op("QUANTIZE", [m.input(src, shape, Quant(a, za))], [m.output(dst, shape, Quant(b, zb))], version=2)
                yield Case(label(f"{src}-{dst}", i), m, [ints(rng, src, shape)])


@operator("DEQUANTIZE")
def dequantize(rng):
    for dtype, version in (("int8", 2), ("uint8", 1), ("int16", 3)):
        for i, shape in enumerate(SHAPES * 2):
            m = Model()
            q = Quant(np.float32(2.0 ** rng.uniform(-20, 3)), zero_of(rng, dtype))
            m.op("DEQUANTIZE", [m.input(dtype, shape, q)], [m.output("float32", shape)], version=version)
            yield Case(label(dtype, i), m, [ints(rng, dtype, shape)])
        for axis in range(3):
            m = Model()
            n = (4, 3, 5)[axis]
            q = Quant([scale_of(rng) for _ in range(n)], [zero_of(rng, dtype) for _ in range(n)], axis)
            m.op("DEQUANTIZE", [m.input(dtype, (4, 3, 5), q)], [m.output("float32", (4, 3, 5))], version=5)
            yield Case(label("per-axis-" + dtype, axis), m, [ints(rng, dtype, (4, 3, 5))])
    for i, shape in enumerate(SHAPES):
        m = Model()
        m.op("DEQUANTIZE", [m.input("float16", shape)], [m.output("float32", shape)], version=3)
        x = rng.integers(0, 1 << 16, size=shape).astype(np.uint16)
        x = np.where((x & 0x7C00) == 0x7C00, x & 0xFC00, x).astype(np.uint16)  # no NaN: payloads are not promised
        yield Case(label("float16", i), m, [x.view(np.float16)])
        m = Model()
        c = m.const(floats(rng, shape).astype(np.float16))
        y = m.output("float32", shape)
        m.op("DEQUANTIZE", [c], [y], version=3)
        yield Case(label("float16-constant", i), m, [])


@operator("QUANTIZE")
def wide(rng):
    for src, dst in (("int32", "int8"), ("int32", "int16"), ("int16", "int32")):
        for i, shape in enumerate(SHAPES * 2):
            m = Model()
            a = scale_of(rng)
            b = np.float32(a * 2.0 ** (rng.uniform(6, 20) if src == "int32" else rng.uniform(-6, 6)))
            za = int(rng.integers(-99, 99)) if src == "int32" else 0
            zb = zero_of(rng, dst) if dst == "int8" else 0
            m.op("QUANTIZE", [m.input(src, shape, Quant(a, za))], [m.output(dst, shape, Quant(b, zb))], version=2)
            x = rng.integers(-(2**26), 2**26, size=shape).astype(src) if src == "int32" else ints(rng, src, shape)
            yield Case(label(f"{src}-{dst}", i), m, [x])


@operator("QUANTIZE")
def packed(rng):
    for dtype, low, high in (("int4", -8, 7), ("uint4", 0, 15)):
        for i, shape in enumerate(SHAPES * 2):
            for direct in ([True, False] if dtype == "int4" else [False]):
                m = Model()
                q = Quant(scale_of(rng), int(rng.integers(low, high, endpoint=True)))
                x, y = m.input("float32", shape), m.value(dtype, shape, q)
                m.op("QUANTIZE", [x], [y], version=5)
                if direct:
                    m.sub.outputs.append(y)
                else:
                    m.op("DEQUANTIZE", [y], [m.output("float32", shape)], version=8)
                yield Case(label(f"float32-{dtype}" + ("" if direct else "-back"), i), m, [floats(rng, shape, float(q.scale[0]) * 9)])


@operator("DEQUANTIZE")
def packed_constants(rng):
    for dtype, bits, version in (("int4", 4, 6), ("uint4", 4, 8), ("int2", 2, 7)):
        low, high = (0, 16) if dtype == "uint4" else (-(1 << bits - 1), 1 << bits - 1)
        for i, shape in enumerate([(7,), (2, 3, 5), (), (4, 8)]):
            m = Model()
            v = rng.integers(low, high, size=shape).astype("uint8" if dtype == "uint4" else "int8")
            q = Quant(np.float32(2.0 ** rng.uniform(-20, 3)), int(rng.integers(low, high)))
            m.op("DEQUANTIZE", [m.packed(v, bits, q)], [m.output("float32", shape)], version=version)
            yield Case(label(dtype, i), m, [])
        for axis in range(3):
            m, n = Model(), (4, 3, 5)[axis]
            v = rng.integers(low, high, size=(4, 3, 5)).astype("uint8" if dtype == "uint4" else "int8")
            q = Quant([scale_of(rng) for _ in range(n)], rng.integers(low, high, size=n), axis)
            m.op("DEQUANTIZE", [m.packed(v, bits, q)], [m.output("float32", (4, 3, 5))], version=version)
            yield Case(label("per-axis-" + dtype, axis), m, [])


@operator("QUANTIZE")
def odd_parameters(rng):
    x = ints(rng, "int8", (3, 2))
    for name, q in (("none", None), ("two", Quant([0.5, 0.25], [3, 4], 1))):  # then LiteRT takes a scale of 0
        m = Model()
        m.op("QUANTIZE", [m.input("int8", (3, 2), q)], [m.output("int8", (3, 2), Quant(0.5, 7))], version=2)
        yield Case(f"from/{name}", m, [x])
    m = Model()
    m.op("QUANTIZE", [m.input("float32", (3, 4))], [m.output("int8", (3, 4), Quant([0.1, 0.2, 0.3, 0.4], range(4), 1))], version=3)
    yield Case("resized", m, [[floats(rng, shape, 5)] for shape in ((3, 4), (5, 4), (2, 3), (2, 4, 3))])


@operator("DEQUANTIZE")
def odd_constants(rng):
    for dtype in ("int8", "uint8", "int16"):  # without a scale it is 0
        m = Model()
        m.op("DEQUANTIZE", [m.input(dtype, (3, 2))], [m.output("float32", (3, 2))], version=3)
        yield Case(f"{dtype}/none", m, [ints(rng, dtype, (3, 2))])
    for dtype in ("int8", "uint8"):  # the difference is rounded where there is an axis
        for i, zero in enumerate(((127, 617706474, 35090, -128), (-(2**30) - 1, 2**24 + 1, 0, 2**31 - 200))):
            for axis in (True, False):
                m = Model()
                q = Quant([scale_of(rng) for _ in zero], zero, 1) if axis else Quant(scale_of(rng), zero[1])
                m.op("DEQUANTIZE", [m.input(dtype, (6, 4), q)], [m.output("float32", (6, 4))], version=5)
                yield Case(label(f"{dtype}/far", i, axis=axis), m, [ints(rng, dtype, (6, 4))])
    m = Model()
    m.op("DEQUANTIZE", [m.input("int8", (3, 4), Quant([0.1, 0.2, 0.3, 0.4], range(4), 1))], [m.output("float32", (3, 4))], version=5)
    yield Case("resized", m, [[ints(rng, "int8", shape)] for shape in ((3, 4), (5, 4), (2, 3), (2, 4, 3))])
