"""Reductions, positions of extrema and running sums."""

import itertools

import numpy as np

from ..case import floats, ints, label, operator, scale_of, zero_of
from ..model import Quant, options
from .move import HOW, Node, how

NUMBERS = ("float32", "int32", "int64", "int8", "uint8", "int16")
QUANTIZED = ("int8", "uint8", "int16")
AXES = [((2, 3, 4), a) for a in ([0], [1], [2], [-1], [0, 2], [1, 2], [0, 1, 2], [2, 0, -1], [])] + [
    ((5,), [0]), ((2, 3, 4, 5), [1, 2]), ((2, 3, 4, 5), [0, 3]), ((2, 2, 3, 2, 2), [1, 3]), ((3, 1, 2), [1]), ((), [0]), ((), [])]


def numbers(rng, dtype, shape, small=False):
    if dtype == "float32":
        return floats(rng, shape, 2)
    if dtype == "bool":
        return rng.random(shape) < 0.6
    return rng.integers(-3, 4, shape).astype(dtype) if small else ints(rng, dtype, shape)


def reduction(name, dtypes, free, oracle=lambda dtype: "ref", small=False):
    """free: the output has parameters of its own."""

    def generate(rng):
        for dtype in dtypes:
            quantized = dtype in QUANTIZED
            for i, ((shape, axes), keep) in enumerate(itertools.product(AXES, (False, True))):
                q = Quant(scale_of(rng), zero_of(rng, dtype)) if quantized else None
                p = Quant(np.float32(q.scale[0] * 2.0 ** rng.uniform(-2, 2)), zero_of(rng, dtype)) if quantized and free else q
                v = i % 5 == 4
                yield Node(v).input(numbers(rng, dtype, shape, small), q).index(axes).case(
                    label(f"{dtype}-{how(v)}", i, keep=keep), name, dtype, options("Reducer", keepDims=keep), p, oracle(dtype))
            for i, (shape, axes) in enumerate((((0, 3), [0]), ((0, 3), [1]), ((2, 0), [0, 1]))):
                q = Quant(0.1, 0 if dtype == "int16" else 3) if quantized else None
                yield Node().input(numbers(rng, dtype, shape, small), q).index(axes).case(
                    label(f"{dtype}-empty", i), name, dtype, options("Reducer", keepDims=False), q, oracle(dtype))
        if "float32" in dtypes:
            for i, (shape, axes) in enumerate((((40,), [0]), ((4, 40), [1]), ((40, 4), [0]))):
                yield Node().input(floats(rng, shape, special=True)).index(axes).case(label("special", i), name, "float32", options("Reducer", keepDims=False))
            for i, axes in enumerate(([0, 1], [1])):
                for k, x in enumerate((-np.inf, np.inf, -0.0)):
                    yield Node().input(np.full((2, 3), x, np.float32)).index(axes).case(label("equal", 3 * i + k), name, "float32", options("Reducer", keepDims=False))
        for dtype in set(dtypes) & set(QUANTIZED):
            for i in range(20):
                q = Quant(scale_of(rng), zero_of(rng, dtype))
                p = Quant(np.float32(q.scale[0] * 2.0 ** rng.uniform(-4, 3)), zero_of(rng, dtype)) if free else q
                shape = (2, int(rng.integers(1, 60)), 8)
                yield Node().input(numbers(rng, dtype, shape, small), q).index([1]).case(
                    label(f"{dtype}-wide", i), name, dtype, options("Reducer", keepDims=bool(i % 2)), p, oracle(dtype))

    operator(name)(generate)


reduction("MEAN", NUMBERS, True)
reduction("SUM", NUMBERS, True, lambda dtype: "builtin" if dtype in ("int8", "int16") else "ref")
reduction("REDUCE_MAX", NUMBERS, False)
reduction("REDUCE_MIN", NUMBERS, False)
reduction("REDUCE_ANY", ("bool",), False)
reduction("REDUCE_ALL", ("bool",), False)
reduction("REDUCE_PROD", ("float32", "int32", "int64", "int8", "int16"), True)


def of_bools(name):
    def bools(rng):
        for i, ((shape, axes), keep) in enumerate(itertools.product((((2, 3, 4), [1]), ((5,), [-1]), ((3, 2), [0, 1]), ((0, 3), [0]), ((), [])), (False, True))):
            yield Node(i % 2).input(rng.random(shape) < 0.7).index(axes).case(label("bool", i, keep=keep), name, "bool", options("Reducer", keepDims=keep))

    operator(name)(bools)


for _name in ("SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN"):
    of_bools(_name)


def no_parameters(name):
    def bare(rng):
        for dtype in QUANTIZED:
            for i, q in enumerate((None, Quant(0.1))):
                yield Node().input(numbers(rng, dtype, (3, 4)), q).index([1]).case(
                    label(f"{dtype}-bare", i), name, dtype, options("Reducer", keepDims=False), None if i else Quant(0.1), "builtin" if name == "SUM" and dtype != "uint8" else "ref")

    operator(name)(bare)


no_parameters("MEAN")
no_parameters("SUM")


@operator("REDUCE_PROD")
def prod_large(rng):
    for dtype in ("int8", "int16"):  # a multiplier of 2^8 and more for each factor
        for i, scale in enumerate((300.0, 9000.0)):
            yield Node().input(ints(rng, dtype, (3, 6)), Quant(scale, zero_of(rng, dtype))).index([0]).case(
                label(f"large-{dtype}", i), "REDUCE_PROD", dtype, options("Reducer", keepDims=False), Quant(0.5, zero_of(rng, dtype)))


@operator("REDUCE_PROD")
def prod_plain(rng):
    for dtype in ("int8", "uint8", "int16"):  # without quantization
        for i, (shape, axes) in enumerate((((2, 3, 4), [1]), ((5,), [0]), ((3, 2), [0, 1]))):
            yield Node().input(rng.integers(-3, 4, shape).astype(dtype)).index(axes).case(
                label(f"plain-{dtype}", i), "REDUCE_PROD", dtype, options("Reducer", keepDims=False))


def position(name):
    def generate(rng):
        kind = name.title().replace("_", "")
        for dtype in ("float32", "int32", "int8", "uint8", "bool"):
            oracle = "builtin" if dtype == "bool" else "ref"
            for i, (shape, axis) in enumerate((((5,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 1), ((2, 3, 4), -1), ((2, 3, 4), -3), ((1, 1, 7), 2), ((2, 0, 3), 2))):
                for v, out in itertools.product(HOW, ("int32", "int64")):
                    x = numbers(rng, dtype, shape)
                    if i % 2 and dtype in ("int8", "int32"):
                        x = (x % 3).astype(dtype)  # ties
                    n = Node(v).input(x, Quant(0.1, 3) if dtype in QUANTIZED else None).index(axis if i % 2 else [axis], ("int32", "int64")[i % 3 == 0])
                    yield n.case(label(f"{dtype}-{out}-{how(v)}", i), name, out, options(kind, outputType=2 if out == "int32" else 4), None, oracle)
        for i in range(6):
            x = floats(rng, (4, 9), special=True)
            yield Node().input(x).index(i % 2).case(label("special", i), name, "int32", options(kind, outputType=2))

    operator(name)(generate)


position("ARG_MAX")
position("ARG_MIN")


@operator("CUMSUM")
def cumsum(rng):
    for dtype in ("float32", "int32", "int64"):
        for i, (shape, axis) in enumerate((((5,), 0), ((2, 3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((1, 6), 1), ((3, 0), 0))):
            for exclusive, reverse in itertools.product((False, True), repeat=2):
                v = exclusive == reverse
                yield Node(v).input(numbers(rng, dtype, shape)).index(axis if i % 2 else [axis]).case(
                    label(f"{dtype}-{how(v)}", i, ex=exclusive, rev=reverse), "CUMSUM", dtype, options("Cumsum", exclusive=exclusive, reverse=reverse))
