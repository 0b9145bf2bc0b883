"""Operators that draw random numbers, from seeds."""

import numpy as np

from ..case import Case, floats, label, operator
from ..model import Model, options

SEEDS = ((1, 0), (0, 1), (42, 7), (-1, -1), (1 << 40, (1 << 63) - 1), (123456789, 987654321), (-(1 << 63), 5))


def shaped(name):
    @operator(name)
    def generate(rng):
        for i, seeds in enumerate(SEEDS):
            for k, shape in enumerate(((1,), (4,), (7,), (2, 3, 5), (64,), (0, 3), ())):
                m = Model()
                m.op(name, [m.const(np.int32(shape).reshape(len(shape)))], [m.output("float32", shape)], options("Random", seed=seeds[0], seed2=seeds[1]))
                yield Case(label(f"{i}", k), m, [[], [], []])  # the stream goes on
            m = Model()
            m.op(name, [m.input("int32", (2,))], [m.output("float32", ())], options("Random", seed=seeds[0], seed2=seeds[1]))
            yield Case(f"{i}/variable", m, [[np.int32(shape)] for shape in ((3, 5), (2, 2), (2, 1, 3), (4, 1, 1))])  # a resized input starts again
        m = Model()  # two generators
        for seed in (5, 6):
            m.op(name, [m.const(np.int32([5]))], [m.output("float32", (5,))], options("Random", seed=seed, seed2=9))
        yield Case("two", m, [[], []])
        m = Model()
        m.op(name, [m.const(np.int32([2048]))], [m.output("float32", (2048,))], options("Random", seed=11, seed2=12))
        yield Case("many", m, [[]])

    return generate


shaped("RANDOM_UNIFORM")
shaped("RANDOM_STANDARD_NORMAL")


@operator("MULTINOMIAL")
def multinomial(rng):
    def build(name, x, samples, out, seeds, variable=False, constant=False, steps=1):
        m = Model()
        operands, data = [m.const(x) if constant else m.input("float32", x.shape)], [] if constant else [x]
        n = np.int32(samples)
        if variable:
            operands.append(m.input("int32", ()))
            data.append(n.reshape(()))
        else:
            operands.append(m.value("int32", (), None, n.tobytes()))
        m.op("MULTINOMIAL", operands, [m.output(out, (x.shape[0], samples) if constant else ())], options("Random", seed=seeds[0], seed2=seeds[1]))
        return Case(name, m, [data] * steps)

    for i, seeds in enumerate(SEEDS):
        for out in ("int32", "int64"):
            for k, (shape, samples) in enumerate((((1, 1), 3), ((1, 4), 9), ((3, 5), 1), ((2, 7), 6), ((4, 3), 5), ((0, 2), 3), ((2, 3), 0))):
                yield build(label(f"{out}-{i}", k), floats(rng, shape, 2.0), samples, out, seeds, bool((i + k) % 2))
    for i, seeds in enumerate(SEEDS[:4]):
        yield build(label("steps", i), floats(rng, (2, 6)), 5, "int32", seeds, constant=True, steps=3)
    x = np.float32([[-np.inf, 1, np.nan, 2], [np.inf, -1, 0, -np.inf], [-np.inf] * 4, [np.nan] * 4, [1e30, 0, 0, 0], [-200, -100, 0, -100]])
    yield build("special", x, 12, "int32", (3, 4))
    yield build("many", floats(rng, (2, 300), 3.0), 200, "int32", (3, 4))
