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
            x = np.nan_to_num(x, nan=0, posinf=np.inf, neginf=-np.inf)  # undefined in C++, as are
            if dtype == "int16":  # casts of what does not fit an int32
                x = np.clip(x, -1e9 * q.scale[0], 1e9 * q.scale[0]).astype(np.float32)
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
