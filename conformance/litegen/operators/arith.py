"""ADD, SUB, MUL, DIV."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, Model, Quant, options
from .unary import numbers

SHAPES = [
    ((2, 3, 4, 5), (2, 3, 4, 5)), ((7,), (7,)), ((), ()), ((3, 4), ()), ((), (2, 5)), ((1,), (3, 3)), ((2, 3, 4, 5), (5,)),
    ((2, 1, 4, 1), (1, 3, 1, 5)), ((4, 5), (2, 3, 4, 5)), ((1, 1, 8), (6, 1, 1)), ((2, 3, 1, 2, 3), (1, 3, 2, 1, 3)),
    ((2, 1, 2, 1, 2, 1), (2, 2, 1, 2, 2)), ((0, 3), (1, 3)), ((1, 64), (1, 64)), ((3, 40), (1, 40)), ((33, 1), (33, 5)),
]
ACTS = [NONE, RELU, RELU6, RELU_N1_TO_1]
QUANTIZED = ("int8", "uint8", "int16")


def binary(rng, name, dtype, o, quants, version, fields):
    m = Model()
    a, b = o["shapes"]
    qs = quants(rng, dtype) if dtype in QUANTIZED else (None, None, None)
    x, y = m.input(dtype, a, qs[0]), m.input(dtype, b, qs[1])
    z = m.output(dtype, np.broadcast_shapes(a, b), qs[2])
    kind = name.capitalize()
    m.op(name, [x, y], [z], options(kind, fusedActivationFunction=o["act"], **fields), version)
    if dtype == "float32":
        data = [floats(rng, a, 3, o["special"]), floats(rng, b, 3, o["special"])]
    else:
        data = [ints(rng, dtype, a), ints(rng, dtype, b)]
    if name == "DIV" and dtype != "float32":
        divide(rng, data, qs)
    return m, data


def divide(rng, data, qs):
    """Mostly small divisors and no zero. A quantized quotient below about 2^-31 of
    the output's scale shifts by more than 31, which C++ leaves undefined."""
    x, y = data
    if qs[0] is None:
        y = np.where(rng.random(y.shape) < 0.7, y % 8, y)
        data[1] = np.where(y == 0, y // 2 + 1, y).astype(data[1].dtype)
        return
    za, zb = int(qs[0].zero[0]), int(qs[1].zero[0])
    y = zb + (y.astype(int) % 7 + 1) * np.where(rng.random(y.shape) < 0.5, 1, -1)
    t, i = x.dtype, np.iinfo(x.dtype)
    data[1] = np.where((y < i.min) | (y > i.max), 2 * zb - y, y).astype(t)
    data[0] = np.where(abs(x.astype(int) - za) < 16, x.astype(int) + 64, x).astype(t)


def quotient_quants(rng, dtype):
    a, b = scale_of(rng), scale_of(rng)
    return Quant(a, zero_of(rng, dtype)), Quant(b, zero_of(rng, dtype)), Quant(np.float32(a / b * rng.uniform(0.2, 4)), zero_of(rng, dtype))


def sum_quants(rng, dtype):
    s = [scale_of(rng), scale_of(rng)]
    return (*(Quant(v, zero_of(rng, dtype)) for v in s), Quant(np.float32(max(s) * rng.uniform(0.6, 2)), zero_of(rng, dtype)))


def product_quants(rng, dtype):
    a, b = scale_of(rng), scale_of(rng)
    top = 9000 if dtype == "int16" else 74
    return Quant(a, zero_of(rng, dtype)), Quant(b, zero_of(rng, dtype)), Quant(np.float32(a * b * top * rng.uniform(0.3, 2)), zero_of(rng, dtype))


def sweep(rng, name, dtype, version, quants=sum_quants, prefix=None, **fields):
    for i, o in enumerate(pairs(shapes=SHAPES, act=ACTS, special=[False, True])):
        m, data = binary(rng, name, dtype, o, quants, version, fields)
        yield Case(label(prefix or dtype, i, a=o["act"]), m, data)


def sums(rng, name, versions):
    for dtype, version in versions.items():
        if dtype == "int16":
            yield from sweep(rng, name, dtype, version, potScaleInt16=False)
        else:
            yield from sweep(rng, name, dtype, version)
    for i in range(12):  # power-of-two scales: one operand may be finer
        k = int(rng.integers(-15, -6))
        fine = [(0, 0), (0, -int(rng.integers(1, 6))), (-int(rng.integers(1, 6)), 0)][i % 3]
        q = [Quant(np.float32(2.0 ** (k + d))) for d in (*fine, 0)]
        o = dict(shapes=SHAPES[0] if i < 6 else ((40,), (40,)), act=ACTS[i % 4], special=False)
        m, data = binary(rng, name, "int16", o, lambda *_: q, 1, dict(potScaleInt16=True))
        yield Case(label("int16-pot", i, a=o["act"]), m, data)
    for i in range(8):  # one operand's scale is tiny
        s = np.float32(2.0 ** rng.uniform(-12, 0, size=2))
        q = [Quant(v, zero_of(rng, "int8")) for v in (s[0], s[1], max(s))]
        m, data = binary(rng, name, "int8", dict(shapes=((50,), (50,)), act=NONE, special=False), lambda *_: q, 2, {})
        yield Case(label("int8-ratio", i), m, data)


FEW = [((2, 3, 4), (2, 3, 4)), ((3, 1, 5), (2, 1)), ((23,), ())]


def unquantized(rng, name, dtypes):
    """Types that are never quantized, and int16 that is not; the reference resolver does not know their versions."""
    for dtype in dtypes:
        for i, o in enumerate(pairs(shapes=FEW, act=ACTS if dtype != "complex64" else [NONE])):
            m = Model()
            a, b = o["shapes"]
            x, y = m.input(dtype, a), m.input(dtype, b)
            m.op(name, [x, y], [m.output(dtype, np.broadcast_shapes(a, b))], options(name.capitalize(), fusedActivationFunction=o["act"]))
            yield Case(label(f"plain-{dtype}", i, a=o["act"]), m, [numbers(rng, dtype, a), numbers(rng, dtype, b)])


@operator("ADD")
def add_unquantized(rng):
    yield from unquantized(rng, "ADD", ("float16", "int16"))


@operator("MUL")
def mul_unquantized(rng):
    yield from unquantized(rng, "MUL", ("float16", "int16", "uint32", "complex64"))
    special = np.array([0, -0.0, 1, np.inf, -np.inf, np.nan, 1e30, -1e30], np.float32)
    x = np.stack([np.repeat(special, 8), np.tile(special, 8)], 1).reshape(-1).view(np.complex64)
    m = Model()
    ins = [m.input("complex64", (64, 1)), m.input("complex64", (64,))]
    m.op("MUL", ins, [m.output("complex64", (64, 64))], options("Mul"))
    yield Case("plain-complex64-special/0", m, [x.reshape(64, 1), x])


@operator("MUL")
def mul_narrow(rng):
    """int16 factors, a product of 8 bits."""
    for dtype in ("int8", "uint8"):
        for i, act in enumerate(ACTS):
            m = Model()
            ins = [m.input("int16", (60,), Quant(2.0**-15)) for _ in range(2)]
            m.op("MUL", ins, [m.output(dtype, (60,), Quant(2.0**-7, zero_of(rng, dtype)))], options("Mul", fusedActivationFunction=act), 4)
            yield Case(label(f"int16-{dtype}", i, a=act), m, [ints(rng, "int16", (60,)) for _ in range(2)])


@operator("SUB")
def sub_tiny(rng):
    """An output scale so small that the last multiplier is above one."""
    for dtype in QUANTIZED:
        for i in range(4):
            s = np.float32(0.5 * 2.0 ** rng.uniform(-1, 1))
            q = [Quant(s, zero_of(rng, dtype)), Quant(s, zero_of(rng, dtype)), Quant(np.float32(s / (2.0**14 if dtype == "int16" else 2.0**19) / rng.uniform(1, 4)), zero_of(rng, dtype))]
            m, data = binary(rng, "SUB", dtype, dict(shapes=FEW[i % 3], act=NONE, special=False), lambda *_: q, 5, dict(potScaleInt16=False) if dtype == "int16" else {})
            yield Case(label(f"{dtype}-tiny", i), m, data)


def no_options(rng, name):
    """Without a table pot_scale_int16 is false, not the schema's default."""
    for i in range(2):
        m = Model()
        ins = [m.input("int16", (30,), Quant(0.125)), m.input("int16", (30,), Quant(2.0 ** (-4 - i)))]
        m.op(name, ins, [m.output("int16", (30,), Quant(0.125))])
        yield Case(label("int16-no-options", i), m, [ints(rng, "int16", (30,)) for _ in ins])


@operator("ADD")
def add_no_options(rng):
    yield from no_options(rng, "ADD")


@operator("SUB")
def sub_no_options(rng):
    yield from no_options(rng, "SUB")


@operator("DIV")
def div_far(rng):
    """Quotients far from the output's range either way."""
    for dtype in QUANTIZED:
        for i in range(6):
            a, b = scale_of(rng), scale_of(rng)
            q = [Quant(a, zero_of(rng, dtype)), Quant(b, zero_of(rng, dtype)), Quant(np.float32(a / b * 2.0 ** ((-1) ** i * rng.uniform(20, 40))), zero_of(rng, dtype))]
            m, data = binary(rng, "DIV", dtype, dict(shapes=FEW[i % 3], act=NONE, special=False), lambda *_: q, 2, {})
            yield Case(label(f"{dtype}-far", i), m, data)


@operator("FLOOR_DIV")
def floor_div_lowest(rng):
    """The one quotient of integers that does not fit, in blocks of eight and behind."""
    for dtype in ("int8", "int16", "int32"):
        for i, (a, b) in enumerate((((21,), (21,)), ((21,), ()), ((2, 9), (9,)))):
            m = Model()
            ins = [m.input(dtype, a), m.input(dtype, b)]
            m.op("FLOOR_DIV", ins, [m.output(dtype, a)], options("FloorDiv"), 3)
            yield Case(label(f"{dtype}-lowest", i), m, [np.full(a, np.iinfo(dtype).min, dtype), np.full(b, -1, dtype)])


@operator("POW")
def pow_large(rng):
    """Exponents that float32 does not hold, powers that int32 does not."""
    for i, shape in enumerate(((40,), (1, 40))):
        m = Model()
        ins = [m.input("int32", (40,)), m.input("int32", shape)]
        m.op("POW", ins, [m.output("int32", shape)], options("Pow"))
        yield Case(label("int32-overflow", i), m, [ints(rng, "int32", (40,)), np.array(rng.integers(0, 6, shape), np.int32)])
    for i, e in enumerate((2**24 + 1, 2**31 - 1, 0)):
        m = Model()
        ins = [m.input("int32", (7,)), m.input("int32", ())]
        m.op("POW", ins, [m.output("int32", (7,))], options("Pow"))
        yield Case(label("int32-large", i), m, [np.arange(-3, 4, dtype=np.int32), np.array(e, np.int32)])


@operator("ADD")
def add(rng):
    yield from sums(rng, "ADD", {"float32": 1, "int32": 1, "int64": 4, "int8": 2, "uint8": 1, "int16": 3})


@operator("SUB")
def sub(rng):
    yield from sums(rng, "SUB", {"float32": 1, "int32": 1, "int64": 4, "int8": 2, "uint8": 1, "int16": 5})


@operator("MUL")
def mul(rng):
    for dtype, version in {"float32": 1, "int32": 1, "int64": 6, "int8": 2, "uint8": 1, "int16": 4}.items():
        yield from sweep(rng, "MUL", dtype, version, product_quants)
    for i in range(8):  # ratios above one, which saturate
        q = [Quant(np.float32(2.0 ** rng.uniform(-3, 3)), zero_of(rng, "int8")) for _ in range(3)]
        m, data = binary(rng, "MUL", "int8", dict(shapes=((50,), (50,)), act=NONE, special=False), lambda *_: q, 3, {})
        yield Case(label("int8-ratio", i), m, data)


@operator("DIV")
def div(rng):
    yield from sweep(rng, "DIV", "float32", 1)
    yield from sweep(rng, "DIV", "int32", 1)
    yield from sweep(rng, "DIV", "uint8", 2, quotient_quants)
    for dtype in ("int8", "int16"):
        yield from sweep(rng, "DIV", dtype, 2, quotient_quants)


def plain(rng, name, dtype, version=1, data=numbers, second=None, quants=None, prefix=None, shapes=SHAPES, out=None, opts=None, oracle="ref"):
    """One case a pair of shapes, for operators without options."""
    for i, (a, b) in enumerate(shapes):
        m = Model()
        q = quants(rng, dtype) if quants else (None, None, None)
        x, y = m.input(dtype, a, q[0]), m.input(dtype, b, q[1])
        m.op(name, [x, y], [m.output(out or dtype, np.broadcast_shapes(a, b), q[2])], opts, version)
        yield Case(label(prefix or dtype, i), m, [data(rng, dtype, a), (second or data)(rng, dtype, b)], oracle)


def one_scale(rng, dtype):
    q = Quant(scale_of(rng), zero_of(rng, dtype))
    return q, q, q


def choices(rng, name):
    for dtype in ("float32", "float16", "bfloat16", "int32", "int64"):
        yield from plain(rng, name, dtype)
    for dtype, version in (("int8", 2), ("uint8", 1), ("int16", 4)):
        yield from plain(rng, name, dtype, version, quants=one_scale)


@operator("MAXIMUM")
def maximum(rng):
    yield from choices(rng, "MAXIMUM")


@operator("MINIMUM")
def minimum(rng):
    yield from choices(rng, "MINIMUM")


@operator("SQUARED_DIFFERENCE")
def squared_difference(rng):
    yield from plain(rng, "SQUARED_DIFFERENCE", "float32")
    yield from plain(rng, "SQUARED_DIFFERENCE", "int32")

    def quants(rng, dtype):
        s = [scale_of(rng), scale_of(rng)]
        q = [Quant(v, zero_of(rng, dtype)) for v in s]
        return (*q, Quant(np.float32(max(s) ** 2 * rng.uniform(20, 300)), zero_of(rng, dtype)))

    yield from plain(rng, "SQUARED_DIFFERENCE", "int8", 2, quants=quants)


def not_zero(rng, dtype, shape):
    """Small divisors mostly, none zero."""
    x = numbers(rng, dtype, shape)
    if dtype.startswith("int"):
        x = np.where(rng.random(shape) < 0.7, x % 8 - 3, x).astype(dtype)
    return np.where(x == 0, np.ones_like(x), x).astype(dtype)


@operator("FLOOR_DIV")
def floor_div(rng):
    for dtype, version in (("float32", 2), ("int8", 3), ("int16", 3), ("int32", 1)):
        yield from plain(rng, "FLOOR_DIV", dtype, version, second=not_zero)


@operator("FLOOR_MOD")
def floor_mod(rng):
    for dtype, version in (("float32", 1), ("int8", 2), ("int16", 2), ("int32", 1), ("int64", 1)):
        # the most negative number modulo -1 traps
        above = lambda rng, t, s: numbers(rng, t, s) if t == "float32" else np.maximum(numbers(rng, t, s), np.iinfo(t).min + 1)
        yield from plain(rng, "FLOOR_MOD", dtype, version, data=above, second=not_zero)


@operator("BITWISE_XOR")
def bitwise_xor(rng):
    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32"):
        yield from plain(rng, "BITWISE_XOR", dtype)


def distances(rng, dtype, shape):
    x = numbers(rng, dtype, shape)
    return np.where(rng.random(shape) < 0.8, x % 34, x).astype(dtype)


@operator("RIGHT_SHIFT")
def right_shift(rng):
    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32"):
        yield from plain(rng, "RIGHT_SHIFT", dtype, second=distances)


@operator("POW")
def pow_(rng):
    positive = lambda rng, dtype, shape: np.abs(floats(rng, shape, 2))
    yield from plain(rng, "POW", "float32", data=positive, second=lambda rng, _, s: floats(rng, s, 2), opts=options("Pow"))
    yield from plain(rng, "POW", "float32", opts=options("Pow"), prefix="float32-any")
    base = lambda rng, _, s: np.array(rng.integers(-9, 10, size=s), np.int32)
    exponent = lambda rng, _, s: np.array(rng.integers(0, 10, size=s), np.int32)
    yield from plain(rng, "POW", "int32", data=base, second=exponent, opts=options("Pow"))
    for i, e in enumerate((2.0, 3.0, 7.0, 0.5, -1.0, 1.0, 1.000001, 13.0)):  # one exponent for all
        for dtype in ("float32", "int32"):
            if dtype == "int32" and e != int(e) or dtype == "int32" and e < 0:
                continue
            m = Model()
            x, y = m.input(dtype, (2, 30)), m.input(dtype, ())
            m.op("POW", [x, y], [m.output(dtype, (2, 30))], options("Pow"))
            yield Case(label(f"{dtype}-scalar", i), m, [floats(rng, (2, 30), 3, i % 2 == 1) if dtype == "float32" else base(rng, dtype, (2, 30)), np.array(e, dtype)])


SAME = [((2, 3, 4, 5),) * 2, ((7,),) * 2, ((),) * 2, ((0, 3),) * 2, ((1, 200),) * 2]


@operator("ATAN2")
def atan2(rng):
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        number = lambda rng, t, s: np.nan_to_num(numbers(rng, t, s), nan=1, posinf=np.inf, neginf=-np.inf)  # NaN compares by its bits
        yield from plain(rng, "ATAN2", dtype, shapes=SAME, data=number if dtype == "float64" else numbers)


@operator("ADD_N")
def add_n(rng):
    for dtype in ("float32", "int32"):
        for i, n in enumerate((2, 3, 5, 9)):
            for k, (shape, _) in enumerate(SAME):
                m = Model()
                ins = [m.input(dtype, shape) for _ in range(n)]
                m.op("ADD_N", ins, [m.output(dtype, shape)], options("AddN"))
                yield Case(label(f"{dtype}-{n}", k), m, [numbers(rng, dtype, shape) for _ in range(n)])
