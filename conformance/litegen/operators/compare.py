"""Comparisons, logic and selection."""

import numpy as np

from ..case import Case, ints, label, operator, scale_of, zero_of
from ..model import Model, Quant, options
from .arith import SHAPES, plain
from .unary import numbers

BINARY = {"EQUAL": "Equal", "NOT_EQUAL": "NotEqual", "LESS": "Less", "GREATER": "Greater", "LESS_EQUAL": "LessEqual", "GREATER_EQUAL": "GreaterEqual"}


def near(rng, dtype, shape):
    """Values of which many are equal."""
    if dtype == "string":
        return np.array([[b"", b"a", b"ab", b"b", b"ba"][i] for i in rng.integers(5, size=int(np.prod(shape)))], object).reshape(shape)
    if dtype == "bool":
        return np.array(rng.integers(2, size=shape), bool)
    x = np.asarray(numbers(rng, dtype, shape))
    small = np.array(rng.integers(0, 3, size=shape)).astype(x.dtype)
    return np.where(rng.random(shape) < 0.6, small, x)


def scales(rng, dtype):
    """Scales that are equal, or two to one, or any."""
    s = scale_of(rng)
    t = rng.choice([s, s / 2, scale_of(rng)])
    return Quant(s, zero_of(rng, dtype)), Quant(np.float32(t), zero_of(rng, dtype)), None


def comparisons(rng, name):
    o = options(BINARY[name])
    yield from large(rng, name)
    for dtype in ("float32", "float16", "int32", "int64"):
        yield from plain(rng, name, dtype, data=near, out="bool", opts=o)
    for dtype, version in (("int8", 2), ("uint8", 1)):
        yield from plain(rng, name, dtype, version, data=lambda r, t, s: ints(r, t, s), quants=scales, out="bool", opts=o)
    if "EQUAL" == name or "NOT_EQUAL" == name:
        versions = {"EQUAL": (5, 3), "NOT_EQUAL": (4, 3)}[name]
        yield from plain(rng, name, "int16", versions[0], quants=scales, out="bool", opts=o)
        if name == "EQUAL":
            yield from plain(rng, name, "int16", versions[0], data=near, out="bool", opts=o, prefix="int16-plain")
        yield from plain(rng, name, "bool", data=near, out="bool", opts=o)
        # LiteRT's Python wrapper cannot set a scalar string
        shapes = [s for s in SHAPES if () not in s]
        yield from plain(rng, name, "string", versions[1], data=near, out="bool", opts=o, shapes=shapes)
    else:
        yield from plain(rng, name, "int16", 2 if name in ("GREATER", "LESS_EQUAL") else 3, data=near, out="bool", opts=o)
        if name in ("LESS", "GREATER"):
            yield from plain(rng, name, "bfloat16", 2, data=near, out="bool", opts=o)


def large(rng, name):
    """Scales above one, of which LiteRT keeps the sign."""
    for i, (dtype, s, t) in enumerate((("int8", 2.0, 0.5), ("uint8", 0.3, 7.5), ("int8", 40.0, 3.0)) + ((("int16", 5.0, 0.1),) if "EQUAL" in (name, name[4:]) else ())):
        m = Model()
        ins = [m.input(dtype, (30,), Quant(v, zero_of(rng, dtype))) for v in (s, t)]
        m.op(name, ins, [m.output("bool", (30,))], options(BINARY[name]), 2)
        yield Case(label(f"large-{dtype}", i), m, [near(rng, dtype, (30,)) for _ in ins])


@operator("EQUAL")
def equal(rng):
    yield from comparisons(rng, "EQUAL")


@operator("NOT_EQUAL")
def not_equal(rng):
    yield from comparisons(rng, "NOT_EQUAL")


@operator("LESS")
def less(rng):
    yield from comparisons(rng, "LESS")


@operator("GREATER")
def greater(rng):
    yield from comparisons(rng, "GREATER")


@operator("LESS_EQUAL")
def less_equal(rng):
    yield from comparisons(rng, "LESS_EQUAL")


@operator("GREATER_EQUAL")
def greater_equal(rng):
    yield from comparisons(rng, "GREATER_EQUAL")


@operator("LOGICAL_AND")
def logical_and(rng):
    yield from plain(rng, "LOGICAL_AND", "bool", opts=options("LogicalAnd"))


@operator("LOGICAL_OR")
def logical_or(rng):
    yield from plain(rng, "LOGICAL_OR", "bool", opts=options("LogicalOr"))


SELECTABLE = ["float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "complex64"]


def select_case(rng, name, dtype, shapes, i, version=1):
    m = Model()
    q = Quant(scale_of(rng), zero_of(rng, dtype)) if dtype in ("int8", "uint8", "int16") else None
    cond, a, b = shapes
    ins = [m.input("bool", cond), m.input(dtype, a, q), m.input(dtype, b, q)]
    shape = np.broadcast_shapes(a, b) if name == "SELECT" else np.broadcast_shapes(cond, a, b)
    m.op(name, ins, [m.output(dtype, shape, q)], options("Select" if name == "SELECT" else "SelectV2"), version)
    data = [np.array(rng.integers(2, size=cond), bool), numbers(rng, dtype, a), numbers(rng, dtype, b)]
    return Case(label(dtype, i), m, data)


@operator("SELECT")
def select(rng):
    shapes = [((2, 3, 4, 5),) * 3, ((7,),) * 3, ((),) * 3, ((3,), (3, 4), (3, 4)), ((), (2, 5), (2, 5)), ((2,), (2, 2, 3, 1, 2), (2, 2, 3, 1, 2)), ((0, 3),) * 3, ((0,), (0, 3), (0, 3))]
    for dtype in SELECTABLE:
        for i, s in enumerate(shapes if dtype in ("float32", "int8") else shapes[:4]):
            yield select_case(rng, "SELECT", dtype, s, i, 3 if len(s[1]) == 5 else 1)


def single(rng, name):
    """All of one element: the result has the shape that the file declares."""
    for i, (cond, x, y, out) in enumerate(((((), (1, 1), (1,), (1,))), ((1,), (1,), (), ()), ((1, 1), (), (), (1, 1, 1)), ((), (), (), (1, 1)))):
        m = Model()
        ins = [m.input("bool", cond), m.input("float32", x), m.input("float32", y)]
        m.op(name, ins, [m.output("float32", out)], options("Select" if name == "SELECT" else "SelectV2"))
        yield Case(label("single", i), m, [np.array(rng.integers(2, size=cond), bool), numbers(rng, "float32", x), numbers(rng, "float32", y)])


@operator("SELECT")
def select_single(rng):
    yield from single(rng, "SELECT")


@operator("SELECT_V2")
def select_v2_single(rng):
    yield from single(rng, "SELECT_V2")


@operator("SELECT_V2")
def select_v2(rng):
    shapes = [((2, 3, 4),) * 3, ((), (3, 4), (3, 4)), ((3, 1), (4,), ()), ((2, 1, 2), (1, 3, 1), (2, 3, 2)), ((5,), (), ()), ((4,), (3, 4), (1, 4)),
              ((2, 1, 1, 1, 2), (1, 3, 1, 2, 1), (2,)), ((0, 3), (1, 3), ()), ((2, 1, 2, 1, 2, 1, 2), (1, 2, 1, 2, 1, 2, 1), ())]
    for dtype in SELECTABLE:
        for i, s in enumerate(shapes if dtype in ("float32", "int8") else shapes[:4]):
            yield select_case(rng, "SELECT_V2", dtype, s, i)


@operator("WHERE")
def where(rng):
    for dtype in ("bool", "float32", "int64", "int32", "int8", "uint8", "uint32"):
        for i, shape in enumerate([(1, 40), (7,), (2, 3, 4), (2, 3, 2, 5), (0, 3), (3, 3)]):
            m = Model()
            x = np.asarray(numbers(rng, dtype, shape))
            x = np.where(rng.random(shape) < (1.0 if i == 5 else 0.5), np.zeros_like(x), x)
            const = i == 1
            v = m.const(x) if const else m.input(dtype, shape)
            if const:
                m.input("float32", (1,))
            m.op("WHERE", [v], [m.output("int64", (0, len(shape)))], options("Where"), 2)
            yield Case(label(dtype, i), m, [np.zeros(1, np.float32) if const else x])
