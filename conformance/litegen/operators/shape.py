"""Operators that move elements."""

import numpy as np

from ..case import Case, floats, ints, label, operator
from ..model import Model, Quant, options


def sample(rng, dtype, shape):
    if dtype == "float32":
        return floats(rng, shape, special=True)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype == "string":
        words = [b"", b"a", "\u00e9t\u00e9".encode(), b"a longer string"]
        return np.array([words[int(k)] for k in rng.integers(4, size=int(np.prod(shape)))], object).reshape(shape)
    if dtype.startswith(("float", "complex")):
        return np.array(rng.standard_normal(shape) * 3, dtype)
    return ints(rng, dtype, shape)


MOVED = "float32 int8 uint8 int16 int32 int64 bool string float16 float64 uint16 uint32 uint64 complex64 complex128".split()


@operator("RESHAPE")
def reshape(rng):
    shapes = [((2, 3, 4), (6, 4)), ((6,), (1, 2, 3)), ((2, 2), (-1,)), ((4, 3), (2, -1, 3)), ((1,), ()), ((0, 3), (3, 0)),
              ((0, 4), (-1, 4)), ((1, 1, 1, 1, 5), (5,)), ((8,), (2, 1, 2, 1, 2))]
    for dtype in MOVED:
        q = Quant(0.1, 3) if dtype in ("int8", "uint8") else None
        for i, (src, dst) in enumerate(shapes):
            for how in ("operand", "options", "variable"):
                m = Model()
                x = m.input(dtype, src, q)
                operands, data = [x], [sample(rng, dtype, src)]
                target = np.int32(dst).reshape(len(dst))
                if how == "operand":
                    operands.append(m.const(target))
                elif how == "variable":
                    operands.append(m.input("int32", [len(dst)]))
                    data.append(target)
                known = np.zeros(src, np.int8).reshape(dst).shape
                y = m.output(dtype, known, q)
                m.op("RESHAPE", operands, [y], options("Reshape", newShape=list(dst)) if how == "options" else None)
                yield Case(label(f"{dtype}-{how}", i), m, data)
    for i, (src, dst) in enumerate(shapes[:5]):  # resized at run time: the -1 follows
        m = Model()
        x = m.input("float32", (1, 6), signature=(-1, 6))
        y = m.output("float32", (2, 3))
        m.op("RESHAPE", [x, m.const(np.int32([-1, 3]))], [y])
        yield Case(label("resized", i), m, [floats(rng, (i, 6))])
