"""StableHLO operators, DILATE and REDUCE_WINDOW."""

import itertools

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

from ..case import Case, floats, ints, label, operator
from ..model import Model, options
from .unary import numbers

ALL = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]
MOVABLE = ALL + ["bfloat16", "complex64"]


class Program(Model):
    """A model with more subgraphs, which share its operator codes and buffers."""

    def __init__(self):
        super().__init__()
        self.more = []

    def function(self):
        """An empty subgraph as a model to fill; returns its number too."""
        m = Model()
        m.codes, m.buffers = self.codes, self.buffers
        self.more.append(m.sub)
        return len(self.more), m

    def body(self, name, dtype, opts=None):
        """The function of two scalars that one operator is; name None returns the second."""
        n, m = self.function()
        a, b = m.input(dtype, ()), m.input(dtype, ())
        if name is None:
            m.sub.outputs.append(b)
        else:
            m.op(name, [a, b], [m.output(dtype, ())], opts)
        return n

    def pack(self):
        m = fb.ModelT()
        m.version, m.subgraphs, m.operatorCodes, m.buffers = 3, [self.sub, *self.more], self.codes, self.buffers
        b = flatbuffers.Builder(1024)
        b.Finish(m.Pack(b), b"TFL3")
        return bytes(b.Output())


def binary(rng, name, dtypes, oracle="ref", data=numbers, opts=None):
    for dtype in dtypes:
        for i, shape in enumerate([(40,), (2, 3, 4), (), (0, 3), (1, 2, 1, 2, 1, 3)]):
            m = Model()
            m.op(name, [m.input(dtype, shape), m.input(dtype, shape)], [m.output(dtype, shape)], opts)
            yield Case(label(dtype, i), m, [np.asarray(data(rng, dtype, shape)) for _ in range(2)], oracle)


@operator("STABLEHLO_ADD")
def add(rng):
    yield from binary(rng, "STABLEHLO_ADD", ALL)


@operator("STABLEHLO_MULTIPLY")
def multiply(rng):
    yield from binary(rng, "STABLEHLO_MULTIPLY", ALL)


@operator("STABLEHLO_MAXIMUM")
def maximum(rng):
    yield from binary(rng, "STABLEHLO_MAXIMUM", ALL)


@operator("STABLEHLO_MINIMUM")
def minimum(rng):
    yield from binary(rng, "STABLEHLO_MINIMUM", ALL)


@operator("STABLEHLO_AND")
def bitwise_and(rng):
    yield from binary(rng, "STABLEHLO_AND", ALL[3:], "builtin")


@operator("STABLEHLO_SHIFT_LEFT")
def shift_left(rng):
    bits = {"int8": 8, "int16": 16, "int32": 32}
    for dtype, n in bits.items():
        def data(rng, dtype, shape, turn=itertools.cycle([ints, lambda r, t, s: np.array(r.integers(0, n, size=s), t)])):
            return next(turn)(rng, dtype, shape)

        yield from binary(rng, "STABLEHLO_SHIFT_LEFT", [dtype], "builtin", data, options("StablehloShiftLeft"))


PADS = [  # shape, low, high, interior
    ((5,), (1,), (2,), (0,)), ((5,), (0,), (0,), (2,)), ((5,), (-2,), (1,), (1,)), ((5,), (-3,), (-2,), (3,)), ((2, 3), (1, 0), (0, 2), (1, 2)),
    ((3, 4), (-1, -2), (-1, 3), (2, 1)), ((2, 3, 2), (1, -1, 0), (1, 0, -1), (0, 1, 0)), ((2, 1, 3, 2), (0, 1, 1, 0), (0, 1, 1, 0), (0, 0, 0, 0)),
    ((3,), (-2,), (-1,), (0,)), ((3, 2), (-9, 1), (1, 1), (0, 0)), ((0, 3), (1, 0), (1, 0), (0, 1)), ((0, 3), (0, 0), (0, 0), (0, 0)),
    ((3,), (7,), (-5,), (0,)), ((3,), (-5,), (7,), (0,)), ((2, 2), (1, -4), (1, 9), (1, 1)), ((4,), (-4,), (0,), (4,)), ((1, 2, 1, 2, 1, 2), (1, 0, 0, -1, 0, 0), (0, 0, 1, 0, 0, 0), (0, 1, 0, 1, 0, 2)),
    ((2, 1, 2, 1, 2, 1, 2, 1), (0,) * 8, (0, 1) * 4, (1, 0) * 4), ((4, 4), (0, 0), (-1, -3), (1, 2)),
]


@operator("STABLEHLO_PAD")
def pad(rng):
    for dtype in [*MOVABLE, "complex128"]:
        for i, (shape, low, high, interior) in enumerate(PADS if dtype in ("float32", "int8") else PADS[2:8]):
            m = Model()
            out = [n + max(n - 1, 0) * k + a + b for n, a, b, k in zip(shape, low, high, interior)]
            ins = [m.input(dtype, shape), m.input(dtype, ())]
            m.op("STABLEHLO_PAD", ins, [m.output(dtype, [max(n, 0) for n in out])], options("StablehloPad", edgePaddingLow=low, edgePaddingHigh=high, interiorPadding=interior))
            yield Case(label(dtype, i), m, [elements(rng, dtype, shape), elements(rng, dtype, ())])


def elements(rng, dtype, shape):
    if dtype == "complex128":
        return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    return np.asarray(numbers(rng, dtype, shape))


@operator("DILATE")
def dilate(rng):
    cases = [((5,), (3,)), ((3, 4), (1, 1)), ((3, 4), (2, 1)), ((3, 4), (1, 3)), ((2, 3, 2), (2, 3, 4)), ((1, 3, 3, 2), (1, 2, 2, 1)), ((0, 3), (1, 1)), ((1, 1), (5, 5)),
             ((2, 1, 2, 1, 2, 2), (2, 1, 1, 3, 2, 1))]
    for dtype in [*MOVABLE, "complex128"]:
        for i, (shape, dilations) in enumerate(cases if dtype in ("float32", "int8") else cases[2:6]):
            for const in (True, False) if dtype in ("float32", "int8") else (True,):
                m = Model()
                x = m.input(dtype, shape)
                d = np.int32(dilations)
                k = m.const(d) if const else m.input("int32", d.shape)
                v = m.input(dtype, ())
                out = [(n - 1) * a + 1 if n else 0 for n, a in zip(shape, dilations)]
                m.op("DILATE", [x, k, v], [m.output(dtype, out)], options("Dilate"))
                data = [elements(rng, dtype, shape), *([] if const else [d]), elements(rng, dtype, ())]
                yield Case(label(dtype, i, const=const), m, data)


GATHERS = [  # operand, indices, offset_dims, collapsed, map, vector axis, slice sizes
    ((3, 4, 2), (2, 3, 2), (2, 3), (0,), (1, 0), 2, (1, 2, 2)), ((3, 4, 2), (2, 2, 3), (2, 3), (0,), (1, 0), 1, (1, 2, 2)), ((3, 4, 2), (2, 2, 3), (2, 3), (0,), (1, 0), 0, (1, 2, 2)),
    ((6,), (4, 1), (), (0,), (0,), 1, (1,)), ((5, 3), (4, 1), (1,), (0,), (0,), 1, (1, 3)), ((5, 3), (4, 1), (0,), (0,), (0,), 1, (1, 3)), ((5, 3), (2,), (0, 1), (), (0, 1), 0, (2, 2)),
    ((4, 5, 3), (2, 2, 1), (0, 2), (1,), (2,), 2, (3, 1, 2)), ((4, 5), (3, 2), (1,), (1,), (0, 1), 1, (2, 1)), ((2, 3, 2, 3), (2, 2, 2), (1, 3), (0, 2), (2, 0), 1, (1, 2, 1, 3)),
    ((4, 3), (0, 1), (1,), (0,), (0,), 1, (1, 3)), ((4, 3), (2, 1), (1,), (0,), (0,), 1, (1, 0)), ((3, 4), (2, 1), (1, 2), (), (1,), 1, (3, 2)), ((2, 2, 2, 2, 2), (3, 3), (1, 2), (0, 1, 2), (0, 1, 2), 1, (1, 1, 1, 2, 1)),
    ((3, 3), (2, 3), (1,), (1,), (1, 0), 1, (2, 1)), ((3, 3), (1, 1, 1, 2, 1), (4, 5), (), (0,), 4, (2, 2)),
]


def positions(rng, dtype, shape, top):
    """Mostly positions below top, some outside, now and then extreme ones."""
    x = rng.integers(-2, top + 2, size=shape)
    if rng.random() < 0.3 and x.size:
        i = np.iinfo(dtype)
        x.reshape(-1)[rng.integers(x.size)] = rng.choice([i.min // 2, i.max // 2])
    return np.array(x, dtype)


@operator("STABLEHLO_GATHER")
def gather(rng):
    for dtype in MOVABLE:
        for i, (operand, indices, offset, collapsed, start, vector, sizes) in enumerate(GATHERS if dtype in ("float32", "int8") else GATHERS[:6]):
            for t in ("int32", "int64"):
                m = Model()
                batch = [n for k, n in enumerate(indices) if k != vector]
                kept = [n for k, n in enumerate(sizes) if k not in collapsed]
                out = [kept.pop(0) if k in offset else batch.pop(0) for k in range(len(batch) + len(kept))]
                o = options("StablehloGather", offsetDims=offset, collapsedSliceDims=collapsed, startIndexMap=start, indexVectorDim=vector, sliceSizes=sizes)
                m.op("STABLEHLO_GATHER", [m.input(dtype, operand), m.input(t, indices)], [m.output(dtype, out)], o)
                yield Case(label(f"{dtype}-{t}", i), m, [np.asarray(numbers(rng, dtype, operand)), positions(rng, t, indices, max(operand))])


SCATTERS = [  # operand, indices, updates, window, inserted, map, vector axis
    ((3, 4, 2), (2, 3, 2), (2, 3, 2, 2), (2, 3), (0,), (1, 0), 2), ((3, 4, 2), (2, 2, 3), (2, 3, 2, 2), (2, 3), (0,), (1, 0), 1), ((3, 4, 2), (2, 2, 3), (2, 2, 3, 2), (0, 3), (0,), (1, 0), 0),
    ((8,), (12, 1), (12,), (), (0,), (0,), 1), ((5, 3), (6, 1), (6, 3), (1,), (0,), (0,), 1), ((5, 3), (6, 1), (3, 6), (0,), (0,), (0,), 1), ((5, 3), (2,), (2, 2), (0, 1), (), (0, 1), 0),
    ((4, 5), (3, 2), (3, 2), (1,), (1,), (0, 1), 1), ((2, 3, 2, 3), (2, 2, 2), (2, 2, 2, 3), (1, 3), (0, 2), (2, 0), 1), ((4, 3), (0, 1), (0, 3), (1,), (0,), (0,), 1), ((3, 4), (2, 1), (2, 3, 6), (1, 2), (), (1,), 1),
    ((3, 3), (9, 2), (9,), (), (0, 1), (1, 0), 1), ((0, 3), (2, 1), (2, 3), (1,), (0,), (0,), 1),
]
BODIES = [None, "STABLEHLO_ADD", "STABLEHLO_MULTIPLY", "STABLEHLO_MAXIMUM", "STABLEHLO_MINIMUM"]


@operator("STABLEHLO_SCATTER")
def scatter(rng):
    for dtype in ALL:
        for body in BODIES:
            for i, (operand, indices, updates, window, inserted, dims, vector) in enumerate(SCATTERS):
                if dtype not in ("float32", "int8") and i not in (1, 3):
                    continue
                m = Program()
                t = ("int32", "int64")[i % 2]
                o = options("StablehloScatter", updateWindowDims=window, insertedWindowDims=inserted, scatterDimsToOperandDims=dims, indexVectorDim=vector,
                            updateComputationSubgraphIndex=m.body(body, dtype))
                ins = [m.input(dtype, operand), m.input(t, indices), m.input(dtype, updates)]
                m.op("STABLEHLO_SCATTER", ins, [m.output(dtype, operand)], o)
                name = (body or "UPDATE").removeprefix("STABLEHLO_").lower()
                data = [np.asarray(numbers(rng, dtype, operand)), positions(rng, t, indices, max(operand)), np.asarray(numbers(rng, dtype, updates))]
                yield Case(label(f"{dtype}-{name}", i), m, data)


WINDOWED = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
WINDOWS = [  # shape, window, strides, dilations, base dilations, padding
    ((9,), (3,), (1,), (1,), (1,), (0, 0)), ((9,), (3,), (2,), (2,), (1,), (1, 2)), ((6,), (2,), (1,), (1,), (3,), (0, 0)), ((4, 5), (2, 2), (1, 2), (1, 1), (1, 1), (0, 0, 0, 0)),
    ((4, 5), (2, 3), (2, 1), (2, 1), (2, 2), (1, 0, 2, 1)), ((5, 6), (2, 2), (1, 1), (1, 1), (1, 1), (-1, -1, 2, -2)), ((5, 6), (2, 2), (1, 1), (1, 2), (2, 1), (-2, 1, -1, -1)), ((1, 4, 4, 2), (1, 2, 2, 1), (1, 2, 2, 1), (1, 1, 1, 1), (1, 1, 1, 1), (0,) * 8),
    ((3, 3), (4, 2), (1, 1), (1, 1), (1, 1), (0, 0, 0, 0)), ((3, 3), (2, 2), (1, 1), (4, 1), (1, 1), (0, 0, 0, 0)), ((2, 1, 3, 2, 2), (1, 1, 2, 2, 1), (1,) * 5, (1,) * 5, (1, 1, 2, 1, 1), (0, 0, 1, 1, 0, 0, 0, 0, 0, 1)),
    ((3,), (3,), (1,), (1,), (1,), (-3, 5)), ((2, 1, 2, 1, 2, 2), (2, 1, 1, 1, 2, 1), (1,) * 6, (1,) * 6, (1,) * 6, (0,) * 12), ((0, 3), (1, 2), (1, 1), (1, 1), (1, 1), (0, 0, 0, 0)), ((0, 3), (1, 2), (1, 1), (1, 1), (1, 1), (1, 1, 0, 0)),
]
REDUCTIONS = {  # bodies by function
    "add": ["STABLEHLO_ADD", "ADD"], "mul": ["STABLEHLO_MULTIPLY", "MUL"], "min": ["STABLEHLO_MINIMUM", "MINIMUM"], "max": ["STABLEHLO_MAXIMUM", "MAXIMUM"],
    "all": ["STABLEHLO_AND", "LOGICAL_AND"], "any": ["LOGICAL_OR"],
}
BODY_OPTIONS = {"ADD": "Add", "MUL": "Mul", "MINIMUM": "MaximumMinimum", "MAXIMUM": "MaximumMinimum", "LOGICAL_AND": "LogicalAnd", "LOGICAL_OR": "LogicalOr"}


def initial(rng, dtype, function):
    """The neutral element, half the time any value, which padding counts too."""
    if rng.random() < 0.5:
        return np.asarray(numbers(rng, dtype, ()))
    return np.array({"add": 0, "mul": 1, "all": 1, "any": 0, "min": 100, "max": 0}[function], dtype)


def window_data(rng, dtype, shape):
    if dtype.startswith("float"):
        return floats(rng, shape, 2.0, special=rng.random() < 0.3).astype(dtype)
    return np.asarray(numbers(rng, dtype, shape))


def window_shape(shape, window, strides, dilations, base, padding):
    out = []
    for i, n in enumerate(shape):
        n = ((n - 1) * base[i] + 1 if n else 0) + padding[2 * i] + padding[2 * i + 1]
        extent = (window[i] - 1) * dilations[i] + 1
        out.append((n - extent) // strides[i] + 1 if n >= extent else 0)
    return out


@operator("STABLEHLO_REDUCE_WINDOW")
def stablehlo_reduce_window(rng):
    for dtype in WINDOWED:
        for function, bodies in REDUCTIONS.items():
            for i, w in enumerate(WINDOWS):
                if dtype not in ("float32", "int32") and i not in (1, 4, 6):
                    continue
                m = Program()
                body = bodies[i % len(bodies)]
                kind = {"LOGICAL_AND": "bool", "LOGICAL_OR": "bool", "STABLEHLO_AND": "int32"}.get(body, dtype)
                n = m.body(body, kind, options(BODY_OPTIONS[body]) if body in BODY_OPTIONS else None)
                shape, window, strides, dilations, base, padding = w
                o = options("StablehloReduceWindow", windowDimensions=window, windowStrides=strides, baseDilations=base, windowDilations=dilations, padding=padding, bodySubgraphIndex=n)
                if i == 0:
                    o.windowStrides = o.baseDilations = o.windowDilations = o.padding = None
                m.op("STABLEHLO_REDUCE_WINDOW", [m.input(dtype, shape), m.input(dtype, ())], [m.output(dtype, window_shape(*w))], o)
                yield Case(label(f"{dtype}-{function}", i), m, [window_data(rng, dtype, shape), initial(rng, dtype, function)], "builtin" if body == "STABLEHLO_AND" else "ref")


@operator("REDUCE_WINDOW")
def reduce_window(rng):
    functions = {"add": "ADD", "mul": "MUL", "min": "MINIMUM", "max": "MAXIMUM", "all": "ALL", "any": "ANY"}
    for dtype in WINDOWED:
        for function, code in functions.items():
            for i, (shape, window, strides, dilations, *_) in enumerate(WINDOWS):
                if dtype not in ("float32", "int8") and i not in (1, 7):
                    continue
                m = Model()
                ins = [m.input(dtype, shape), m.input(dtype, ()), *(m.const(np.int64(v)) for v in (window, strides, dilations))]
                out = window_shape(shape, window, strides, dilations, (1,) * 6, (0,) * 12)
                m.op("REDUCE_WINDOW", ins, [m.output(dtype, out)], options("ReduceWindow", reduceFunction=getattr(fb.ReduceWindowFunction, code)))
                yield Case(label(f"{dtype}-{function}", i), m, [window_data(rng, dtype, shape), initial(rng, dtype, function)])


@operator("STABLEHLO_RNG_BIT_GENERATOR")
def rng_bit_generator(rng):
    algorithms = {"default": (2, 3), "philox": (2, 3), "threefry": (2,)}
    for (a, (name, states)) in enumerate(algorithms.items()):
        for words in states:
            for dtype in ("int32", "int64", "uint32", "uint64"):
                for i, shape in enumerate([(1,), (7,), (2, 3, 5), (), (0, 3), (8,)]):
                    m = Model()
                    s = np.array(rng.integers(0, 2**64, size=words, dtype=np.uint64))
                    if i == 2:
                        s[1] = np.uint64(0xFFFFFFFFFFFFFFFE)  # the counter overflows
                    if i == 5:
                        s[1] = np.uint64(0xFFFFFFFF)
                    m.op("STABLEHLO_RNG_BIT_GENERATOR", [m.input("uint64", (words,))], [m.output("uint64", (words,)), m.output(dtype, shape)], options("StablehloRngBitGenerator", algorithm=a))
                    yield Case(label(f"{name}{words}-{dtype}", i), m, [s])


PASSED = [*MOVABLE, "complex128", "string"]  # what a subgraph may take and return


def anything(rng, dtype, shape):
    if dtype == "string":
        return np.array([[b"", b"a", b"bcd"][i] for i in rng.integers(3, size=int(np.prod(shape)))], object).reshape(shape)
    return elements(rng, dtype, shape)


def called(m, dtype, shape, nodes, outputs):
    """A function of two operands: nodes are names of binary operators, outputs 0 and 1 the operands, 2 and on the nodes."""
    n, f = m.function()
    values = [f.input(dtype, shape), f.input(dtype, shape)]
    for name in nodes:
        values.append(f.value(dtype, shape))
        f.op(name, values[:2], values[-1:])
    f.sub.outputs = [values[i] for i in outputs]
    return n


@operator("STABLEHLO_COMPOSITE")
def composite(rng):
    for dtype in PASSED:
        for i, shape in enumerate([(2, 3), (4,)] if dtype == "string" else [(2, 3), (), (0, 2)]):
            m = Program()
            if dtype in ALL:
                n = called(m, dtype, shape, ["STABLEHLO_MAXIMUM", "STABLEHLO_MINIMUM"], [2, 3])
            else:
                n = called(m, dtype, shape, [], [1, 0])
            o = options("StableHLOComposite", name="test.sort", decompositionSubgraphIndex=n, compositeAttributes=np.zeros(0, np.uint8))
            m.op("STABLEHLO_COMPOSITE", [m.input(dtype, shape), m.input(dtype, shape)], [m.output(dtype, shape), m.output(dtype, shape)], o)
            steps = [[anything(rng, dtype, shape) for _ in range(2)] for _ in range(2)]
            yield Case(label(dtype, i), m, steps)


@operator("STABLEHLO_CASE")
def case(rng):
    for dtype in PASSED:
        for i, shape in enumerate([(2, 3), (5,)]):
            m = Program()
            if dtype in ALL:
                branches = [called(m, dtype, shape, [name], [2]) for name in BODIES[1:4]]
            else:
                branches = [called(m, dtype, shape, [], [k]) for k in (1, 0)]
            o = options("StablehloCase", branchSubgraphIndices=branches)
            m.op("STABLEHLO_CASE", [m.input("int32", ()), m.input(dtype, shape), m.input(dtype, shape)], [m.output(dtype, shape)], o)
            steps = [[np.int32(k).reshape(()), *(anything(rng, dtype, shape) for _ in range(2))] for k in (0, 1, 2, -1, 7)]
            yield Case(label(dtype, i), m, steps, "builtin")
