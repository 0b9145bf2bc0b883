"""Functions of one operand's elements, and conversions."""

import ml_dtypes
import numpy as np

from ..case import Case, floats, ints, label, operator, scale_of, zero_of
from ..model import Model, Quant, options

SHAPES = [(1, 300), (7,), (2, 3, 4), (2, 3, 2, 5), (), (0, 3), (1, 2, 1, 2, 1, 3)]
QUANTIZED = ("int8", "uint8", "int16")


def numbers(rng, dtype, shape, scale=4.0):
    """Any values of a type: floats, half the time with extremes, integers over the whole range."""
    special = rng.random() < 0.5
    if dtype == "bool":
        return np.array(rng.integers(2, size=shape), bool)
    if dtype.startswith("complex"):
        return (floats(rng, shape, scale) + 1j * floats(rng, shape, scale)).astype(dtype)
    if dtype == "bfloat16":
        return floats(rng, shape, scale, special).astype(ml_dtypes.bfloat16)
    if dtype.startswith("float"):
        with np.errstate(over="ignore"):
            return floats(rng, shape, scale, special).astype(dtype)
    return ints(rng, dtype, shape)


def sweep(rng, name, dtype, version=1, data=numbers, oracle="ref", prefix=None, quants=None, opts=None, shapes=SHAPES, out=None):
    """One case a shape; quants(i) gives the parameters of operand and result."""
    for i, shape in enumerate(shapes):
        m = Model()
        q, r = quants(i) if quants else (None, None)
        x = m.input(dtype, shape, q)
        m.op(name, [x], [m.output(out or dtype, shape, r)], opts, version)
        yield Case(label(prefix or dtype, i), m, [data(rng, dtype, shape)], oracle)


def around(rng, dtype, ratio=(0.3, 3.0), out=None):
    """Parameters around a random scale; every third case has equal ones."""

    def quants(i):
        s = np.float32(scale_of(rng) / (128 if dtype == "int16" else 1))
        q = Quant(s, zero_of(rng, dtype))
        if out is not None:
            return q, out
        return q, q if i % 3 == 0 else Quant(np.float32(s * rng.uniform(*ratio)), zero_of(rng, dtype))

    return quants


def table_of(rng, dtype, f, low, high):
    """Parameters that cover f on [low, high] roughly."""
    levels = 65535 if dtype == "int16" else 255

    def quants(i):
        k = rng.uniform(0.5, 1.5)
        x = np.linspace(low * k, high * k, 100)
        y = f(x[x > 0] if low >= 0 else x)
        qs = []
        for a, b in ((x.min(), x.max()), (y.min(), y.max())):
            a, b = min(a, 0.0), max(b, 0.0)
            if dtype == "int16":
                qs.append(Quant(np.float32(max(-a, b) / 32767)))
                continue
            s = (b - a) / levels
            qs.append(Quant(np.float32(s), int(np.clip(np.round(np.iinfo(dtype).min - a / s), np.iinfo(dtype).min, np.iinfo(dtype).max))))
        return tuple(qs)

    return quants


def above_zero(quants):
    """Data at or above the zero point of the last parameters that quants gave."""
    last = []

    def remember(i):
        last[:] = quants(i)
        return tuple(last)

    def data(rng, dtype, shape):
        x = ints(rng, dtype, shape)
        return np.maximum(x, last[0].zero[0]).astype(dtype)

    return dict(quants=remember, data=data)


@operator("ABS")
def abs_(rng):
    yield from sweep(rng, "ABS", "float32")
    yield from sweep(rng, "ABS", "int8", 2, quants=around(rng, "int8"))
    yield from sweep(rng, "ABS", "int16", 3, quants=around(rng, "int16"))
    yield from sweep(rng, "ABS", "int16", 4, oracle="builtin", prefix="int16-plain")
    yield from sweep(rng, "ABS", "int32", 5, oracle="builtin")


@operator("NEG")
def neg(rng):
    for dtype in ("float32", "float16", "bfloat16", "int8", "int16", "int32", "int64"):
        yield from sweep(rng, "NEG", dtype)


def exponents(rng, dtype, shape):
    return floats(rng, shape, 30, True) if rng.random() < 0.5 else floats(rng, shape, 2)


@operator("EXP")
def exp(rng):
    yield from sweep(rng, "EXP", "float32", data=exponents)
    for dtype in ("int8", "int16"):
        yield from sweep(rng, "EXP", dtype, 2, quants=table_of(rng, dtype, np.exp, -4, 2))


@operator("LOG")
def log(rng):
    yield from sweep(rng, "LOG", "float32")
    for dtype in ("int8", "int16"):
        yield from sweep(rng, "LOG", dtype, 2, quants=table_of(rng, dtype, np.log, 0, 9))
        yield from sweep(rng, "LOG", dtype, 2, quants=around(rng, dtype), prefix=dtype + "-any")


@operator("SQRT")
def sqrt(rng):
    yield from sweep(rng, "SQRT", "float32")
    for dtype in ("int8", "int16"):
        yield from sweep(rng, "SQRT", dtype, 2, **above_zero(table_of(rng, dtype, np.sqrt, 0, 9)))
        yield from sweep(rng, "SQRT", dtype, 2, prefix=dtype + "-any", **above_zero(around(rng, dtype)))


@operator("RSQRT")
def rsqrt(rng):
    yield from sweep(rng, "RSQRT", "float32")
    for dtype, version in (("int8", 2), ("int16", 3)):
        yield from sweep(rng, "RSQRT", dtype, version, **above_zero(table_of(rng, dtype, lambda x: 1 / np.sqrt(x), 0, 9)))
        yield from sweep(rng, "RSQRT", dtype, version, prefix=dtype + "-any", **above_zero(around(rng, dtype)))


@operator("SQUARE")
def square(rng):
    yield from sweep(rng, "SQUARE", "float32")


def angles(rng, dtype, shape):
    large = floats(rng, shape, 1000, dtype == "float32")
    return np.where(rng.random(shape) < 0.5, floats(rng, shape, 3), large).astype(dtype)


@operator("SIN")
def sin(rng):
    yield from sweep(rng, "SIN", "float32", data=angles)
    yield from sweep(rng, "SIN", "float16", 2, data=angles, oracle="builtin")


@operator("COS")
def cos(rng):
    yield from sweep(rng, "COS", "float32", data=angles)
    yield from sweep(rng, "COS", "float16", 2, data=angles, oracle="builtin")


def halves(rng, dtype, shape):
    """Many values half-way between integers, and large ones."""
    x = np.round(floats(rng, shape, 8) * 4) / 4
    big = floats(rng, shape, 1e9, True)
    with np.errstate(over="ignore"):
        return np.where(rng.random(shape) < 0.8, x, big).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


@operator("FLOOR")
def floor(rng):
    for dtype in ("float32", "float16", "bfloat16"):
        yield from sweep(rng, "FLOOR", dtype, data=halves)


@operator("CEIL")
def ceil(rng):
    yield from sweep(rng, "CEIL", "float32", data=halves, oracle="builtin")


@operator("ROUND")
def round_(rng):
    for dtype in ("float32", "float16", "bfloat16"):
        yield from sweep(rng, "ROUND", dtype, data=halves, oracle="builtin")


@operator("SIGN")
def sign(rng):
    for dtype in ("float32", "float64", "int32"):
        yield from sweep(rng, "SIGN", dtype, 2)


@operator("LOGICAL_NOT")
def logical_not(rng):
    yield from sweep(rng, "LOGICAL_NOT", "bool")


CASTS = ["int64", "int32", "uint32", "int16", "uint16", "int8", "uint8", "float16", "bfloat16", "float32", "float64", "bool", "complex64"]


@operator("CAST")
def cast(rng):
    for src in CASTS:
        for dst in CASTS:
            if src == dst == "complex64" or src != dst:
                for i, shape in enumerate([(2, 45), (), (0, 3)] if dst == "float32" else [(60,)]):
                    m = Model()
                    m.op("CAST", [m.input(src, shape)], [m.output(dst, shape)], options("Cast"), 7)
                    x = numbers(rng, src, shape, 300)
                    if dst == "bool":
                        x = np.where(rng.random(shape) < 0.3, np.zeros_like(x), x)
                    yield Case(label(f"{src}-{dst}", i), m, [np.asarray(x)])
    for i, n in enumerate((1, 5, 8)):  # packed types: float32 on one side
        for dtype, bits in (("int4", 4), ("uint4", 4), ("int2", 2)):
            m = Model()
            packed = np.frombuffer(rng.bytes((n * bits + 7) // 8), np.uint8)
            m.op("CAST", [m.value(dtype, (n,), data=packed.tobytes())], [m.output("float32", (n,))], options("Cast"), 8)
            m.input("float32", (1,))
            yield Case(label(f"{dtype}-float32", i), m, [np.zeros(1, np.float32)])
            m = Model()
            t = m.value(dtype, (n,))
            m.op("CAST", [m.input("float32", (n,))], [t], options("Cast"), 8)
            m.op("CAST", [t], [m.output("float32", (n,))], options("Cast"), 8)
            yield Case(label(f"float32-{dtype}", i), m, [floats(rng, (n,), 8, True)])


@operator("BITCAST")
def bitcast(rng):
    size = lambda t: 1 if t == "bool" else np.dtype(ml_dtypes.bfloat16 if t == "bfloat16" else t).itemsize
    for i, (src, dst) in enumerate([("int32", "float32"), ("float32", "int32"), ("int64", "int32"), ("uint8", "int32"), ("int16", "float16"),
                                    ("float16", "int8"), ("float64", "int64"), ("int64", "float64"), ("uint64", "uint8"), ("bool", "int8"),
                                    ("int8", "uint8"), ("complex64", "float32"), ("float32", "complex64"), ("uint32", "uint16"), ("uint16", "uint64"),
                                    ("uint8", "bfloat16"), ("float64", "complex128"), ("complex128", "int64"), ("uint8", "bool"), ("bfloat16", "uint32"), ("int32", "int16"), ("uint16", "int64")]):
        for shape in ((2, 3), ()):
            a, b = size(src), size(dst)
            if a < b:
                shape, out = shape + (b // a,), shape
            else:
                out = shape + ((a // b,) if a > b else ())
            m = Model()
            m.op("BITCAST", [m.input(src, shape)], [m.output(dst, out)], options("Bitcast"))
            data = numbers(rng, src, shape)
            if dst == "bool":  # whose bytes are 0 and 1
                data = data % 2
            if dst in ("float16", "float32", "float64", "bfloat16", "complex64", "complex128"):  # NaN must survive the harness: none
                data = np.clip(data, 0, 1000).astype(src) if src != "float32" else floats(rng, shape)
            yield Case(label(f"{src}-{dst}", i, r=len(shape)), m, [data])


@operator("FAKE_QUANT")
def fake_quant(rng):
    for i, (low, high, bits) in enumerate([(-1, 1, 8), (0, 6, 8), (-6, 0, 8), (-0.3, 2.7, 8), (-3, 5, 4), (-1, 1, 16), (0, 1, 2), (-100, 100, 8), (1, 2, 8), (-2, -1, 8)]):
        yield from sweep(rng, "FAKE_QUANT", "float32", opts=options("FakeQuant", min=low, max=high, numBits=bits), prefix=f"float32-{i}")


def parts(rng, name, dtypes):
    for dtype in dtypes:
        for i, shape in enumerate(SHAPES):
            m = Model()
            m.op(name, [m.input(dtype, shape)], [m.output("float32" if dtype == "complex64" else "float64", shape)])
            z = np.empty(shape, dtype)
            z.real, z.imag = floats(rng, shape, 3, i % 2 == 0), floats(rng, shape, 3, i % 2 == 0)
            yield Case(label(dtype, i), m, [z])


@operator("REAL")
def real(rng):
    yield from parts(rng, "REAL", ["complex64", "complex128"])


@operator("IMAG")
def imag(rng):
    yield from parts(rng, "IMAG", ["complex64", "complex128"])


@operator("COMPLEX_ABS")
def complex_abs(rng):
    yield from parts(rng, "COMPLEX_ABS", ["complex64"])
