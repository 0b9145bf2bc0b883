"""Operators that move elements: slices, joins, pads, gathers and their kin."""

import itertools

import ml_dtypes
import numpy as np

from ..archive import tensor_bytes
from ..case import Case, label, operator
from ..model import Model, Quant, options
from .shape import sample as plain_sample

WIDE = ("float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "complex64")


def sample(rng, dtype, shape):
    if dtype in ("float16", "bfloat16", "float64"):
        return np.array(rng.standard_normal(shape)).astype(dtype)
    if dtype == "int4":
        return np.array(rng.integers(-8, 8, shape)).astype(ml_dtypes.int4)
    if dtype == "complex64":
        return np.array(rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return plain_sample(rng, dtype, shape)


def quant(dtype):
    return {"int8": Quant(0.1, 3), "uint8": Quant(0.1, 130), "int16": Quant(0.01)}.get(dtype)


class Node:
    """A model of one node: operands are data (inputs) or index arrays, which are
    constants or, with variable, inputs too."""

    def __init__(self, variable=False):
        self.m, self.operands, self.data, self.variable = Model(), [], [], variable

    def input(self, x, q=None, shape=None):
        self.operands.append(self.m.input(x.dtype.name if x.dtype != object else "string", x.shape if shape is None else shape, q))
        self.data.append(x)
        return self

    def const(self, x, q=None):
        self.operands.append(self.m.value("string" if x.dtype == object else x.dtype.name, x.shape, q, tensor_bytes(x)))
        return self

    def index(self, values, dtype="int32"):
        x = np.array(values, dtype)
        return self.input(x) if self.variable else self.const(x)

    def case(self, name, op, dtypes, opts=None, q=None, oracle="ref", version=1):
        outs = [self.m.output(d, (), q) for d in ([dtypes] if isinstance(dtypes, str) else dtypes)]
        self.m.op(op, self.operands, outs, opts, version)
        return Case(name, self.m, self.data, oracle)


HOW = (False, True)


def oracle_of(dtype):
    """What the reference resolver's version limits keep out."""
    return "builtin" if dtype in ("bfloat16", "int4") else "ref"


def how(variable):
    return "variable" if variable else "constant"


@operator("STRIDED_SLICE")
def strided_slice(rng):
    def build(name, dtype, shape, begin, end, strides, variable=False, oracle="ref", **masks):
        n = Node(variable).input(sample(rng, dtype, shape), quant(dtype))
        n.index(begin).index(end).index(strides)
        return n.case(name, "STRIDED_SLICE", dtype, options("StridedSlice", **masks), quant(dtype), oracle)

    for dtype in WIDE + ("string",):
        for v in HOW:
            yield build(f"type/{dtype}-{how(v)}", dtype, (3, 4, 5), (0, 3, 1), (3, 0, -1), (2, -1, 2), v)
    for rank in range(1, 6):
        shape = tuple(int(x) for x in rng.integers(1, 5, rank))
        for i in range(40):
            n = int(rng.integers(1, rank + 1)) if i % 3 == 0 else rank
            lo = [int(rng.integers(-s - 2, s + 2)) for s in shape[:n]]
            hi = [int(rng.integers(-s - 2, s + 2)) for s in shape[:n]]
            st = [int(rng.choice([1, 1, 2, 3, -1, -2])) for _ in range(n)]
            masks = dict(beginMask=int(rng.integers(1 << n)), endMask=int(rng.integers(1 << n)))
            if i % 4 == 1:  # shrinking needs an index inside and a positive stride
                k = int(rng.integers(n))
                lo[k], st[k] = int(rng.integers(-shape[k], shape[k])), 1
                masks["shrinkAxisMask"] = 1 << k
                masks["beginMask"] &= ~(1 << k)
            yield build(label(f"random-{how(i % 2)}/rank{rank}", i), "float32", shape, lo, hi, st, bool(i % 2), **masks)
    i = 0
    for shape in ((4,), (3, 4), (2, 3, 4)):
        for n in range(1, len(shape) + 3):
            for ellipsis, new in itertools.product([0] + [1 << k for k in range(n)], range(1 << min(n, 3))):
                specs = n - bin(new & ~ellipsis).count("1") - (ellipsis != 0)
                if not (ellipsis or new) or specs > len(shape) or specs < 0 or ellipsis and specs == len(shape):
                    continue
                i += 1
                shrink = 1 << int(rng.integers(n)) & ~ellipsis & ~new if i % 3 == 0 else 0
                yield build(label(f"axes-{how(i % 2)}", i, e=ellipsis, n=new, s=shrink), "int8", shape, [1] * n, [2 + i % 2] * n, [1] * n, bool(i % 2),
                            ellipsisMask=ellipsis, newAxisMask=new, shrinkAxisMask=shrink)
    for i, (shape, begin, length, strides) in enumerate((
            ((5,), (1,), (3,), (1,)), ((5, 4), (0, 1), (5, 3), (2, 1)), ((5, 4), (-3, 2), (2, 2), (1, 1)),
            ((2, 3, 4), (1, 0, 1), (1, 3, 3), (1, 2, 3)), ((6,), (5,), (-4,), (-2,)), ((4, 4), (3, 1), (0, 2), (1, 1)))):
        for v in HOW:
            yield build(label(f"offset-{how(v)}", i), "float32", shape, begin, length, strides, v, "builtin", offset=True)
    for i, shape in enumerate(((0, 3), (3, 0, 2), ())):
        n = len(shape)
        yield build(label("empty", i), "int32", shape, [0] * n, [2] * n, [1] * n)
    for i, (begin, end, strides) in enumerate((((2,), (2,), (1,)), ((3,), (1,), (1,)), ((-9,), (9,), (2,)), ((9,), (-9,), (-2,)), ((0,), (4,), (-1,)))):
        yield build(label("bounds", i), "int16", (4,), begin, end, strides)


@operator("SHAPE")
def shape_of(rng):
    for dtype in WIDE + ("string",):
        yield Node().input(sample(rng, dtype, (2, 3)), quant(dtype)).case(f"type/{dtype}", "SHAPE", "int32", options("Shape", outType=2))
    for i, s in enumerate(((), (1,), (0, 4), (1, 2, 3, 4, 5, 1))):
        for out, code in (("int32", 2), ("int64", 4)):
            yield Node().input(sample(rng, "int32", s)).case(label(out, i), "SHAPE", out, options("Shape", outType=code))
    for i in range(3):  # resized, then used as a shape
        m = Model()
        x = m.input("float32", (1, 6), signature=(-1, 6))
        s, y = m.value("int32", (2,)), m.output("int32", (1,))
        m.op("SHAPE", [x], [s], options("Shape", outType=2))
        m.op("STRIDED_SLICE", [s] + [m.const(np.int32([k])) for k in (0, 1, 1)], [y], options("StridedSlice"))
        yield Case(label("resized", i), m, [sample(rng, "float32", (i, 6))])


@operator("RANK")
def rank_of(rng):
    for dtype in WIDE + ("string",):
        yield Node().input(sample(rng, dtype, (2, 3)), quant(dtype)).case(f"type/{dtype}", "RANK", "int32")
    for i, s in enumerate(((), (1,), (0, 4), (1, 2, 3, 4, 5, 1))):
        yield Node().input(sample(rng, "int32", s)).case(label("rank", i), "RANK", "int32")


@operator("SQUEEZE")
def squeeze(rng):
    for dtype in WIDE + ("string",):
        yield Node().input(sample(rng, dtype, (1, 3, 1, 2)), quant(dtype)).case(
            f"type/{dtype}", "SQUEEZE", dtype, options("Squeeze", squeezeDims=[0]), quant(dtype))
    for i, (s, dims) in enumerate((((1, 3, 1), []), ((1, 3, 1), [0, 2]), ((1, 3, 1), [-1]), ((1, 1), []), ((1, 1), [1]), ((2, 3), []),
                                   ((1, 0, 1), [0]), ((), []), ((1, 2, 1, 3, 1, 1, 4, 1), [0, -1, 2]))):
        yield Node().input(sample(rng, "float32", s)).case(label("dims", i), "SQUEEZE", "float32", options("Squeeze", squeezeDims=dims))


@operator("EXPAND_DIMS")
def expand_dims(rng):
    for dtype in WIDE + ("string",):
        yield Node().input(sample(rng, dtype, (3, 2)), quant(dtype)).index(1).case(f"type/{dtype}", "EXPAND_DIMS", dtype, None, quant(dtype))
    i = 0
    for s in ((), (4,), (0, 2), (2, 3, 1)):
        for axis in range(-len(s) - 1, len(s) + 1):
            for v, kind in itertools.product(HOW, ("int32", "int64")):
                i += 1
                yield Node(v).input(sample(rng, "float32", s)).index(axis if i % 2 else [axis], kind).case(label(f"{kind}-{how(v)}", i), "EXPAND_DIMS", "float32")


@operator("TRANSPOSE")
def transpose(rng):
    def build(name, dtype, shape, perm, v=False, oracle="ref"):
        return Node(v).input(sample(rng, dtype, shape), quant(dtype)).index(perm).case(name, "TRANSPOSE", dtype, None, quant(dtype), oracle)

    for dtype in WIDE + ("int4",):
        for v in HOW:
            yield build(f"type/{dtype}-{how(v)}", dtype, (2, 3, 5), (2, 0, 1), v, oracle_of(dtype))
    i = 0
    for rank in range(1, 5):
        for perm in itertools.permutations(range(rank)):
            i += 1
            yield build(label(f"rank{rank}", i, perm=perm), "float32", tuple(int(x) for x in rng.integers(1, 6, rank)), perm)
    for rank in (5, 6, 7, 8):
        for k in range(6):
            perm = rng.permutation(rank)
            yield build(label(f"rank{rank}", k), "int8", tuple(int(x) for x in rng.integers(1, 4, rank)), [int(p) - (rank if p % 2 else 0) for p in perm])
    yield build("empty", "float32", (2, 0, 3), (2, 1, 0))


JOINED = ("float32", "int8", "uint8", "int16", "int32", "uint32", "int64")


@operator("PACK")
def pack(rng):
    for dtype in JOINED:
        for axis in (0, 1, 2, -1, -3):
            n = Node()
            for _ in range(3):
                n.input(sample(rng, dtype, (2, 4)), quant(dtype))
            yield n.case(label(f"type/{dtype}", axis), "PACK", dtype, options("Pack", axis=axis, valuesCount=3), quant(dtype))
    for i, (s, count) in enumerate((((), 4), ((), 1), ((3,), 1), ((0, 2), 3), ((1, 2, 3, 2), 2))):
        n = Node()
        for k in range(count):
            x = sample(rng, "int32", s)
            n = n.const(x) if k == 1 else n.input(x)
        yield n.case(label("shape", i), "PACK", "int32", options("Pack", axis=0, valuesCount=count))


@operator("CONCATENATION")
def concatenation(rng):
    for dtype in JOINED + ("float16", "bfloat16", "bool", "int4"):
        for axis in (0, 1, 2, -1):
            n, s = Node(), [2, 3, 4]
            for k in (1, 3, 2):
                t = list(s)
                t[axis] = k
                n.input(sample(rng, dtype, tuple(t)), quant(dtype))
            yield n.case(label(f"type/{dtype}", axis), "CONCATENATION", dtype, options("Concatenation", axis=axis), quant(dtype))
    for i in range(30):  # uint8 with parameters of its own for each operand
        n = Node()
        for k in range(3):
            n.input(sample(rng, "uint8", (2, 40 + k)), Quant(np.float32(0.02 * 2 ** rng.uniform(-2, 2)), int(rng.integers(256))))
        yield n.case(label("rescaled", i), "CONCATENATION", "uint8", options("Concatenation", axis=1), Quant(np.float32(0.03 * 2 ** rng.uniform(-1, 1)), int(rng.integers(256))))
    for i, shapes in enumerate((((3,),), ((0, 2), (3, 2)), ((1, 1, 2, 1, 2), (4, 1, 2, 1, 2)), ((0,), (0,)))):
        n = Node()
        for s in shapes:
            n.input(sample(rng, "float32", s))
        yield n.case(label("shape", i), "CONCATENATION", "float32", options("Concatenation", axis=0))
    n = Node().const(np.int32(3)).const(np.int32(4))
    yield n.case("scalars", "CONCATENATION", "int32", options("Concatenation", axis=0))
    n = Node().const(np.int32([3])).input(np.int32([4, 5])).const(np.int32([7]))
    yield n.case("mixed", "CONCATENATION", "int32", options("Concatenation", axis=0))


def paddings(rng, rank, top=3):
    return [[int(rng.integers(0, top)), int(rng.integers(0, top))] for _ in range(rank)]


PADDED = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool")


@operator("PAD")
def pad(rng):
    for dtype in PADDED:
        for q in (quant(dtype), None):
            for v in HOW:
                name = f"type/{dtype}-{how(v)}" + ("-quantized" if q else "")
                yield Node(v).input(sample(rng, dtype, (2, 3)), q).index([[1, 2], [0, 1]]).case(name, "PAD", dtype, None, q)
            if q is None:
                break
    for kind in ("int64", "int16", "int8"):
        yield Node().input(sample(rng, "float32", (2, 3))).index([[1, 2], [0, 1]], kind).case(f"paddings/{kind}", "PAD", "float32")
    for rank in range(1, 6):
        for i in range(4):
            s = tuple(int(x) for x in rng.integers(1, 4, rank))
            dtype = ("float32", "int8")[i % 2]
            yield Node().input(sample(rng, dtype, s), quant(dtype)).index(paddings(rng, rank)).case(label(f"rank{rank}", i), "PAD", dtype, None, quant(dtype))
    for i, p in enumerate(([[0, 0], [1, 1], [2, 0], [0, 0]], [[0, 0], [0, 0], [0, 0], [0, 0]], [[1, 0], [1, 1], [0, 0], [0, 2]])):
        for dtype in ("float32", "int8", "uint8"):
            yield Node().input(sample(rng, dtype, (1, 2, 3, 2)), quant(dtype)).index(p).case(label(f"image-{dtype}", i), "PAD", dtype, None, quant(dtype))
    yield Node().input(sample(rng, "float32", (2, 0))).index([[1, 1], [1, 1]]).case("empty", "PAD", "float32")


@operator("PADV2")
def pad_v2(rng):
    for dtype in PADDED:
        for v in HOW:
            value = sample(rng, dtype, (1,) if v else ())
            n = Node(v).input(sample(rng, dtype, (2, 3)), quant(dtype)).index([[1, 2], [0, 1]])
            n = n.input(value, quant(dtype)) if v else n.const(np.asarray(value), quant(dtype))
            yield n.case(f"type/{dtype}-{how(v)}", "PADV2", dtype, None, quant(dtype))
    for kind in ("int64", "int16", "int8"):
        yield Node().input(sample(rng, "float32", (2, 3))).index([[1, 2], [0, 1]], kind).const(np.float32(7)).case(f"paddings/{kind}", "PADV2", "float32")
    for rank in range(1, 6):
        s = tuple(int(x) for x in rng.integers(1, 4, rank))
        yield Node().input(sample(rng, "int32", s)).index(paddings(rng, rank)).const(np.int32(-7)).case(label("rank", rank), "PADV2", "int32")


@operator("MIRROR_PAD")
def mirror_pad(rng):
    for dtype in WIDE:
        for mode in (0, 1):
            for v in HOW:
                yield Node(v).input(sample(rng, dtype, (3, 4)), quant(dtype)).index([[1, 2], [0, 3]]).case(
                    f"type/{dtype}-{how(v)}-{mode}", "MIRROR_PAD", dtype, options("MirrorPad", mode=mode), quant(dtype))
    for rank in range(1, 6):
        for i in range(6):
            s = tuple(int(x) for x in rng.integers(2, 5, rank))
            mode = i % 2
            p = [[int(rng.integers(0, d + mode)), int(rng.integers(0, d + mode))] for d in s]
            yield Node().input(sample(rng, "float32", s)).index(p, ("int32", "int64")[i % 3 == 0]).case(
                label(f"rank{rank}", i), "MIRROR_PAD", "float32", options("MirrorPad", mode=mode))


@operator("SLICE")
def slice_(rng):
    for dtype in WIDE + ("string", "int4"):
        for v in HOW:
            yield Node(v).input(sample(rng, dtype, (3, 5)), quant(dtype)).index([1, 0]).index([-1, 3]).case(f"type/{dtype}-{how(v)}", "SLICE", dtype, None, quant(dtype))
    for rank in range(1, 7):
        for i in range(8):
            s = tuple(int(x) for x in rng.integers(1, 5, rank))
            begin = [int(rng.integers(0, d + 1)) for d in s]
            size = [int(rng.integers(-1, d - b + 1)) for d, b in zip(s, begin)]
            kind = ("int32", "int64")[i % 2]
            yield Node(i % 4 == 3).input(sample(rng, "float32", s)).index(begin, kind).index(size, kind).case(label(f"rank{rank}", i), "SLICE", "float32")


SPLIT = ("float32", "int8", "uint8", "int16", "int32", "int64")


@operator("SPLIT")
def split(rng):
    for dtype in SPLIT:
        for axis in (0, 1, 2, -1, -2):
            for v in HOW:
                n = Node(v).index(axis if axis % 2 else [axis]).input(sample(rng, dtype, (4, 6, 2)), quant(dtype))
                yield n.case(label(f"type/{dtype}-{how(v)}", axis), "SPLIT", [dtype] * 2, options("Split", numSplits=2), quant(dtype))
    for i, (s, count) in enumerate((((6,), 1), ((6,), 6), ((0, 3), 2), ((3, 0), 3), ((2, 1, 1, 3, 2), 2))):
        yield Node().index(0).input(sample(rng, "float32", s)).case(label("shape", i), "SPLIT", ["float32"] * count, options("Split", numSplits=count))


@operator("SPLIT_V")
def split_v(rng):
    for dtype in SPLIT:
        for axis in (0, 1, 2):
            for v in HOW:
                kind = ("int32", "int64")[axis % 2]
                n = Node(v).input(sample(rng, dtype, (4, 6, 5)), quant(dtype)).index([1, -1, 2], kind).index(axis)
                yield n.case(label(f"type/{dtype}-{how(v)}", axis), "SPLIT_V", [dtype] * 3, options("SplitV", numSplits=3), quant(dtype))
    for i, (s, sizes, axis) in enumerate((((6,), [6], 0), ((6,), [0, 6], 0), ((2, 5), [5, -1], 1), ((0, 3), [1, 2], 1), ((2, 5), [2, 3], -1))):
        yield Node().input(sample(rng, "float32", s)).index(sizes).index(axis).case(label("shape", i), "SPLIT_V", ["float32"] * len(sizes), options("SplitV", numSplits=len(sizes)))


@operator("UNPACK")
def unpack(rng):
    for dtype in ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "bool"):
        for axis in (0, 1, 2, -1, -2):
            yield Node().input(sample(rng, dtype, (2, 2, 2)), quant(dtype)).case(
                label(f"type/{dtype}", axis), "UNPACK", [dtype] * 2, options("Unpack", axis=axis, num=2), quant(dtype))
    for i, (s, axis) in enumerate((((4,), 0), ((1, 3), 1), ((2, 1, 3, 1, 2), 2))):
        yield Node().input(sample(rng, "int32", s)).case(label("shape", i), "UNPACK", ["int32"] * s[axis], options("Unpack", axis=axis, num=s[axis]))


@operator("GATHER")
def gather(rng):
    def build(name, dtype, shape, positions, axis=0, batch=0, kind="int32", constant=False):
        n = Node().input(sample(rng, dtype, shape), quant(dtype))
        p = np.array(positions, kind)
        n = n.const(p) if constant else n.input(p)
        return n.case(name, "GATHER", dtype, options("Gather", axis=axis, batchDims=batch), quant(dtype), oracle_of(dtype))

    for dtype in ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool", "int4"):
        for kind in ("int16", "int32", "int64"):
            yield build(f"type/{dtype}-{kind}", dtype, (4, 3, 2), [[3, 0], [1, 3]], 0, 0, kind, kind == "int16")
    for kind in ("int16", "int32", "int64"):
        yield build(f"type/string-{kind}", "string", (5,), [4, 0, 2, 2], 0, 0, kind)
    i = 0
    for shape, positions in (((4,), 2), ((4,), [1, 1, 0]), ((4, 3), 2), ((3, 4), [2, 0]), ((3, 4, 3), [[2, 0], [1, 1]]), ((2, 3, 4, 3), [2, 1])):
        for axis in range(-len(shape), len(shape)):
            i += 1
            p = np.minimum(positions, shape[axis] - 1)
            yield build(label("axis", i, a=axis), "float32", shape, p, axis)
    for i, (shape, positions, axis, batch) in enumerate((((2, 3), [[2, 0], [1, 1]], 1, 1), ((2, 3, 4), [[2, 0], [1, 1]], 1, 1), ((2, 3, 4), [[3, 0, 1], [1, 1, 2]], 2, 1),
                                                       ((2, 3, 4), rng.integers(0, 4, (2, 3, 5)), 2, 2), ((2, 3, 4), rng.integers(0, 4, (2, 3)), 2, 2),
                                                       ((2, 3, 4), rng.integers(0, 4, (2, 3)), -1, -1), ((2, 3, 4), [1, 0], 1, 1))):
        yield build(label("batch", i), "int32", shape, positions, axis, batch)
    for i, (shape, positions) in enumerate((((0, 3), np.zeros(0)), ((3, 0), [1]), ((3, 2), np.zeros((2, 0))))):
        yield build(label("empty", i), "float32", shape, positions)


@operator("GATHER_ND")
def gather_nd(rng):
    def build(name, dtype, shape, indices, kind="int32"):
        return Node().input(sample(rng, dtype, shape), quant(dtype)).input(np.array(indices, kind)).case(name, "GATHER_ND", dtype, None, quant(dtype), oracle_of(dtype))

    for dtype in ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool", "string"):
        for kind in ("int16", "int32", "int64"):
            yield build(f"type/{dtype}-{kind}", dtype, (3, 2, 2), [[2, 0], [0, 1], [1, 1]], kind)
    for i, (shape, indices) in enumerate((((4,), [2]), ((4,), [[1], [3]]), ((3, 4), [1]), ((3, 4), [1, 2]), ((3, 4), [[[2], [0]], [[1], [1]]]),
                                          ((2, 3, 4), [[1, 2, 3], [0, 0, 0]]), ((2, 3, 4), np.zeros((2, 0))), ((2, 3), np.zeros((0, 2))), ((2, 2, 2, 2, 2), [[1, 0, 1]]))):
        yield build(label("shape", i), "float32", shape, indices)


@operator("SCATTER_ND")
def scatter_nd(rng):
    def build(name, dtype, indices, updates, shape, v=False):
        n = Node(v).input(np.array(indices, "int32")).input(sample(rng, dtype, updates), quant(dtype)).index(shape)
        return n.case(name, "SCATTER_ND", dtype, None, quant(dtype))

    for dtype in ("float32", "int8", "uint8", "int32", "int64", "bool"):
        for v in HOW:
            yield build(f"type/{dtype}-{how(v)}", dtype, [[1], [3], [1]], (3, 2), (5, 2), v)
    for i, (indices, updates, shape) in enumerate((([[4], [3], [1], [7]], (4,), (8,)), ([[0, 1], [1, 0]], (2,), (2, 2)), ([[0], [2]], (2, 4, 4), (4, 4, 4)),
                                                   ([[[0, 1]], [[1, 0]]], (2, 1, 3), (2, 2, 3)), ([[1, 1, 1]], (1,), (2, 2, 2)), ([[1], [1], [1]], (3, 2), (2, 2)))):
        yield build(label("shape", i), "float32", indices, updates, shape)


@operator("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(rng):
    def build(name, dtype, shape, update, start, kind="int32", v=True):
        n = Node(v).input(sample(rng, dtype, shape), quant(dtype)).input(sample(rng, dtype, update), quant(dtype)).index(start, kind)
        return n.case(name, "DYNAMIC_UPDATE_SLICE", dtype, None, quant(dtype), oracle_of(dtype))

    for dtype in WIDE + ("int4",):
        for kind in ("int32", "int64"):
            yield build(f"type/{dtype}-{kind}", dtype, (3, 5), (2, 3), (1, 1), kind, kind == "int32")
    for i, (shape, update, start) in enumerate((((5,), (2,), (9,)), ((5,), (2,), (-3,)), ((4, 3), (4, 3), (1, 1)), ((4, 3), (1, 3), (2, 0)), ((2, 3, 4), (1, 2, 2), (5, 0, 1)),
                                                ((2, 3, 2, 3), (2, 1, 1, 3), (0, 2, 1, -1)), ((4, 3), (0, 2), (1, 1)), ((2, 1, 2, 1, 3), (1, 1, 1, 1, 2), (1, 0, 1, 0, 1)))):
        yield build(label("shape", i), "float32", shape, update, start)


@operator("TILE")
def tile(rng):
    def build(name, dtype, shape, times, kind="int32", v=False):
        return Node(v).input(sample(rng, dtype, shape), quant(dtype)).index(times, kind).case(name, "TILE", dtype, None, quant(dtype))

    for dtype in WIDE + ("string",):
        for v in HOW:
            yield build(f"type/{dtype}-{how(v)}", dtype, (2, 3), (2, 3), ("int32", "int64")[v], v)
    for i, (shape, times) in enumerate((((), ()), ((3,), (1,)), ((3,), (4,)), ((2, 3), (1, 2)), ((2, 3), (3, 1)), ((2, 1, 3), (2, 3, 2)), ((2, 3), (0, 2)), ((0, 3), (2, 2)),
                                        ((2, 2, 2, 2, 2), (2, 1, 2, 1, 2)), ((1, 2, 1, 2, 1, 2), (2, 2, 2, 2, 2, 2)))):
        yield build(label("shape", i), "int32", shape, times)


@operator("BROADCAST_TO")
def broadcast_to(rng):
    def build(name, dtype, shape, to, kind="int32", v=False):
        return Node(v).input(sample(rng, dtype, shape), quant(dtype)).index(to, kind).case(name, "BROADCAST_TO", dtype, None, quant(dtype), version=2)

    for dtype in WIDE:
        for v in HOW:
            yield build(f"type/{dtype}-{how(v)}", dtype, (2, 1), (3, 2, 4), ("int32", "int64")[v], v)
    for i, (shape, to) in enumerate((((), (3,)), ((), ()), ((1,), (4,)), ((3,), (3,)), ((3,), (2, 3)), ((1, 3), (2, 3)), ((2, 1, 3), (4, 2, 5, 3)), ((1, 2, 1), (0, 2, 3)),
                                     ((1, 2, 1, 2, 1, 2, 1, 2), (2, 2, 2, 2, 2, 2, 2, 2)), ((1, 1), (3, 1)))):
        yield build(label("shape", i), "float32", shape, to)


@operator("BROADCAST_ARGS")
def broadcast_args(rng):
    for kind in ("int32", "int64"):
        for i, (a, b) in enumerate((([2, 3], [3]), ([1], [4, 1]), ([], [2]), ([2, 1, 4], [3, 1]), ([0, 1], [1, 5]), ([7], [7]))):
            for v in HOW:
                yield Node(v).index(np.array(a, kind), kind).index(np.array(b, kind), kind).case(label(f"{kind}-{how(v)}", i), "BROADCAST_ARGS", kind)


@operator("REVERSE_V2")
def reverse_v2(rng):
    def build(name, dtype, shape, axes, v=False):
        return Node(v).input(sample(rng, dtype, shape), quant(dtype)).index(axes).case(name, "REVERSE_V2", dtype, None, quant(dtype), oracle_of(dtype))

    for dtype in ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool"):
        for v in HOW:
            yield build(f"type/{dtype}-{how(v)}", dtype, (3, 4), [1], v)
    for i, (shape, axes) in enumerate((((5,), [0]), ((3, 4), [0]), ((3, 4), [0, 1]), ((3, 4), []), ((2, 3, 4), [1]), ((2, 3, 4), [2, 1]), ((2, 3, 4), [-1]), ((2, 0), [0]), ((2, 3, 2, 3, 2), [1, 2, 3]))):
        yield build(label("axes", i), "float32", shape, axes)


@operator("REVERSE_SEQUENCE")
def reverse_sequence(rng):
    for dtype in ("float32", "uint8", "int16", "int32", "int64"):
        for i, (shape, seq, batch, lengths) in enumerate((((4, 3), 0, 1, [1, 4, 0]), ((3, 4), 1, 0, [2, 3, 4]), ((4, 3, 2), 0, 2, [3, 2]), ((2, 5, 3), 1, 0, [5, 0]), ((2, 3, 2, 4), 3, 1, [1, 2, 3]))):
            for v in HOW:
                yield Node(v).input(sample(rng, dtype, shape), quant(dtype)).index(lengths, ("int32", "int64")[i % 2]).case(
                    label(f"{dtype}-{how(v)}", i), "REVERSE_SEQUENCE", dtype, options("ReverseSequence", seqDim=seq, batchDim=batch), quant(dtype))


@operator("FILL")
def fill(rng):
    for dtype in WIDE + ("string",):
        for v in HOW:
            value = np.array(sample(rng, dtype, ()))
            n = Node(v).index([2, 3], ("int32", "int64")[v])
            n = n.const(value) if dtype == "string" else n.input(value, quant(dtype))  # Python cannot set a string scalar
            yield n.case(f"type/{dtype}-{how(v)}", "FILL", dtype, None, quant(dtype))
    for i, dims in enumerate(([], [4], [0, 3], [1, 2, 3, 2, 1])):
        yield Node().index(np.array(dims, np.int32)).input(np.float32(2.5).reshape(())).case(label("dims", i), "FILL", "float32")


@operator("ZEROS_LIKE")
def zeros_like(rng):
    for dtype in ("float32", "int32", "int64"):
        for i, shape in enumerate(((), (3,), (2, 0), (2, 3, 4))):
            yield Node().input(sample(rng, dtype, shape)).case(label(dtype, i), "ZEROS_LIKE", dtype)


@operator("RANGE")
def range_(rng):
    for dtype in ("float32", "int32", "int64"):
        for i, (start, limit, delta) in enumerate(((0, 5, 1), (0, 5, 2), (5, 0, -1), (5, 0, -2), (3, 3, 1), (-4, 9, 3), (10, -11, -7), (0.5, 3.25, 0.5), (1, 0, -0.1), (0, 1, 0.1), (2, 2.1, 0.3))):
            if dtype != "float32" and i > 6:
                continue
            for v in HOW:
                n = Node(v)
                for x in (start, limit, delta):
                    n.index(x, dtype)
                yield n.case(label(f"{dtype}-{how(v)}", i), "RANGE", dtype, None, None, "builtin" if dtype == "int64" else "ref", 2 if dtype == "int64" else 1)


@operator("SPACE_TO_DEPTH")
def space_to_depth(rng):
    for dtype in ("float32", "int8", "uint8", "int32", "int64"):
        for i, (shape, n) in enumerate((((1, 2, 2, 1), 2), ((2, 4, 6, 3), 2), ((1, 6, 3, 2), 3), ((2, 2, 2, 2), 1), ((0, 2, 2, 1), 2))):
            yield Node().input(sample(rng, dtype, shape), quant(dtype)).case(label(dtype, i), "SPACE_TO_DEPTH", dtype, options("SpaceToDepth", blockSize=n), quant(dtype))


@operator("DEPTH_TO_SPACE")
def depth_to_space(rng):
    for dtype in ("float32", "int8", "uint8", "int32", "int64"):
        for i, (shape, n) in enumerate((((1, 1, 1, 4), 2), ((2, 2, 3, 12), 2), ((1, 2, 1, 18), 3), ((2, 2, 2, 2), 1), ((0, 1, 1, 4), 2))):
            yield Node().input(sample(rng, dtype, shape), quant(dtype)).case(label(dtype, i), "DEPTH_TO_SPACE", dtype, options("DepthToSpace", blockSize=n), quant(dtype))


BLOCKS = [((1, 4, 4, 1), (2, 2), ((0, 0), (0, 0))), ((2, 3, 5, 2), (2, 3), ((1, 0), (0, 1))), ((1, 5, 2, 3), (3, 2), ((1, 3), (2, 0))), ((2, 4, 2), (2,), ((0, 0),)),
          ((1, 5, 2), (3,), ((2, 2),)), ((1, 2, 2, 1), (1, 1), ((1, 0), (0, 2))), ((3, 1, 1, 2), (4, 1), ((0, 3), (0, 0))), ((1, 2, 3, 1), (4, 3), ((5, 1), (0, 3)))]


@operator("SPACE_TO_BATCH_ND")
def space_to_batch_nd(rng):
    for dtype in WIDE:
        for i, (shape, block, pads) in enumerate(BLOCKS if dtype in ("float32", "int8", "int16") else BLOCKS[1:2]):
            v = bool(i % 3 == 2)
            yield Node(v).input(sample(rng, dtype, shape), quant(dtype)).index(block).index(pads).case(label(f"{dtype}-{how(v)}", i), "SPACE_TO_BATCH_ND", dtype, None, quant(dtype))


@operator("BATCH_TO_SPACE_ND")
def batch_to_space_nd(rng):
    for dtype in WIDE:
        for i, (shape, block, crops) in enumerate(BLOCKS if dtype in ("float32", "int8", "int16") else BLOCKS[1:2]):
            v = bool(i % 3 == 2)
            s = [shape[0] * int(np.prod(block))] + [(d + sum(c)) // b for d, b, c in zip(shape[1:], block, crops)] + [shape[-1]]
            yield Node(v).input(sample(rng, dtype, tuple(s)), quant(dtype)).index(block).index(crops).case(label(f"{dtype}-{how(v)}", i), "BATCH_TO_SPACE_ND", dtype, None, quant(dtype))


SIZES = [((1, 2, 2, 1), (4, 4)), ((2, 3, 4, 3), (6, 2)), ((1, 5, 7, 2), (3, 11)), ((1, 4, 4, 2), (4, 4)), ((1, 6, 6, 1), (1, 1)), ((1, 1, 1, 3), (3, 2)), ((1, 3, 3, 1), (7, 13)), ((0, 2, 2, 1), (3, 3))]


def resize(name, kind, dtypes, both):
    def generate(rng):
        for dtype in dtypes:
            for i, (shape, size) in enumerate(SIZES if dtype in ("float32", "int8", "uint8", "int16") else SIZES[:3]):
                for align, half in ((False, False), (True, False), (False, True), (True, True)):
                    if align and half and not both:
                        continue
                    v = bool(i % 4 == 3)
                    yield Node(v).input(sample(rng, dtype, shape), quant(dtype)).index(size).case(
                        label(f"{dtype}-{how(v)}", i, align=align, half=half), name, dtype, options(kind, alignCorners=align, halfPixelCenters=half), quant(dtype))

    operator(name)(generate)


resize("RESIZE_BILINEAR", "ResizeBilinear", ("float32", "int8", "uint8", "int16"), False)
resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor", ("float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "bool"), True)
