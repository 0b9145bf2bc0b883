"""FULLY_CONNECTED."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, TYPES, Model, Quant, options

# mode: (input, weights, bias type, spread of scales, asymmetric, version)
MODES = {
    "float32": ("float32", "float32", "float32", None, False, 1),
    "float16-weights": ("float32", "float16", "float32", None, False, 1),
    "int8-per-tensor": ("int8", "int8", "int32", "tensor", False, 4),
    "int8-per-channel": ("int8", "int8", "int32", "channel", False, 5),
    "int8-weights-zero": ("int8", "int8", "int32", "zero", False, 4),
    "uint8": ("uint8", "uint8", "int32", "zero", False, 1),
    "int16x8-bias64": ("int16", "int8", "int64", "tensor", False, 7),
    "int16x8-bias64-per-channel": ("int16", "int8", "int64", "channel", False, 7),
    "int16x8-bias32": ("int16", "int8", "int32", "tensor", False, 11),
    "int16x8-bias32-per-channel": ("int16", "int8", "int32", "channel", False, 11),
    "hybrid": ("float32", "int8", "float32", "tensor", False, 3),
    "hybrid-asymmetric": ("float32", "int8", "float32", "tensor", True, 9),
    "hybrid-per-channel": ("float32", "int8", "float32", "channel", False, 12),
    "hybrid-asymmetric-per-channel": ("float32", "int8", "float32", "channel", True, 12),
}


def dense(rng, mode, o):
    itype, wtype, btype, spread, asym, version = MODES[mode]
    m, units, depth = Model(), o["units"], o["depth"]
    quantized = itype != "float32"
    s_in = scale_of(rng) if itype != "int16" else np.float32(scale_of(rng) / 256)
    shape = list(o["lead"]) + [depth]
    x = m.input(itype, shape, Quant(s_in, zero_of(rng, itype)) if quantized else None)
    s_w = np.float32([scale_of(rng) for _ in range(units if spread == "channel" else 1)])
    constant = o["constant"] or wtype == "float16" or not quantized and wtype == "int8"
    extra = []
    if wtype.startswith("float"):
        w = floats(rng, [units, depth], 0.5).astype(wtype)
        wq, s_w = None, np.float32([0.5])
    else:
        w = ints(rng, wtype, [units, depth])
        if not quantized:  # LiteRT's SSE kernel errs on -128, which no converter writes
            w = np.maximum(w, -127)
        wq = Quant(s_w, zero_of(rng, wtype) if spread == "zero" else 0, 0)
    if constant:
        f = m.const(w, wq)
    else:
        f = m.input(wtype, [units, depth], wq)
        extra.append(w)
    if wtype == "float16":
        full = m.value("float32", [units, depth])
        m.op("DEQUANTIZE", [f], [full], version=3)
        f = full
    q = 9000.0 if itype == "int16" else 74.0
    sums = np.sqrt(depth) * q * 74
    b = None
    if o["bias"]:
        if btype == "float32":
            b = m.const(floats(rng, [units]))
        else:
            b = m.const(rng.integers(-int(sums) - 1, int(sums) + 1, size=[units]).astype(btype), Quant(s_in * s_w, 0, 0))
    yq = None
    if quantized:
        yq = Quant(np.float32(sums * s_in * s_w.mean() / q * rng.uniform(0.5, 2)), zero_of(rng, itype))
    out = list(o["lead"]) + [units] if o["keep"] else [int(np.prod(o["lead"])), units]
    y = m.output(itype, out, yq)
    fc = options("FullyConnected", fusedActivationFunction=o["act"], keepNumDims=o["keep"], asymmetricQuantizeInputs=asym)
    if (itype, btype) == ("int16", "int32"):
        fc.quantizedBiasType = TYPES["int32"]
    m.op("FULLY_CONNECTED", [x, f, b], [y], fc, max(version, 5 if o["keep"] else 1))
    return m, [ints(rng, itype, shape) if quantized else floats(rng, shape, special=o.get("special", False))] + extra


@operator("FULLY_CONNECTED")
def fully_connected(rng):
    for mode in MODES:
        axes = dict(
            units=[1, 3, 10, 33], depth=[1, 7, 16, 65], lead=[(1,), (2,), (5, 3), (2, 1, 4)], keep=[False, True],
            act=[NONE, RELU, RELU6, RELU_N1_TO_1], bias=[True, False], constant=[True, True, False],
        )
        for i, o in enumerate(pairs(**axes)):
            m, x = dense(rng, mode, o)
            yield Case(label(mode, i, k=o["keep"], a=o["act"], b=o["bias"], c=o["constant"]), m, x)


@operator("FULLY_CONNECTED")
def fully_connected_edges(rng):
    def small(**kw):
        return dict(dict(units=4, depth=6, lead=(2,), keep=False, act=NONE, bias=True, constant=True), **kw)

    for mode in MODES:
        m, _ = dense(rng, mode, small())
        shape = [2, 6]
        itype = MODES[mode][0]
        x = np.zeros(shape, itype) if itype == "float32" else np.full(shape, np.iinfo(itype).min, itype)
        yield Case(label("edge-" + mode, 0), m, [x])
        m, x = dense(rng, mode, small(lead=(0,)))
        yield Case(label("edge-" + mode, 1, empty=1), m, x)
        m, x = dense(rng, mode, small(units=130, depth=70, lead=(3,)))
        yield Case(label("edge-" + mode, 2, wide=1), m, x)
    m, x = dense(rng, "float32", small(lead=(8,), special=True))
    yield Case("special/000", m, x)
    # a product that is flattened across the last dimension
    for i, (shape, depth) in enumerate([((2, 3, 4), 12), ((4, 6), 8), ((6,), 3)]):
        m = Model()
        x = m.input("float32", shape)
        w = m.const(floats(rng, [5, depth]))
        y = m.output("float32", [int(np.prod(shape)) // depth, 5])
        m.op("FULLY_CONNECTED", [x, w, None], [y], options("FullyConnected"), 2)
        yield Case(label("flatten", i), m, [floats(rng, shape)])
    for dtype, btype in (("int8", "int32"), ("int16", "int64"), ("int16", "int32")):  # scales far apart, bias at the limits
        for i in range(8):
            m = Model()
            s = np.float32(2.0 ** rng.uniform(-18, -3, size=7))  # below what overflows int32
            x = m.input(dtype, [3, 50], Quant(0.03, zero_of(rng, dtype)))
            w = m.const(ints(rng, np.int8, [7, 50]), Quant(s if i % 2 else s[0], 0, 0))
            b = m.const(rng.integers(-(2**31), 2**31 - 1, size=[7]).astype(btype), Quant(np.float32(0.03) * (s if i % 2 else s[0]), 0, 0))
            y = m.output(dtype, [3, 7], Quant(np.float32(2.0 ** rng.uniform(-6, 4)), zero_of(rng, dtype)))
            narrow = (dtype, btype) == ("int16", "int32")
            fc = options("FullyConnected", quantizedBiasType=TYPES["int32"] if narrow else 0)
            m.op("FULLY_CONNECTED", [x, w, b], [y], fc, 11 if narrow else 7)
            yield Case(label(f"extreme-{dtype}-{btype}", i), m, [ints(rng, dtype, [3, 50])])


@operator("FULLY_CONNECTED")
def hybrid_rounding(rng):
    """Identity weights show how activations are quantized: values at and beside ties."""
    n = 43
    for asym in (False, True):
        for i in range(8):
            m = Model()
            x, y = m.input("float32", [8, n]), m.output("float32", [8, n])
            w = m.const(np.eye(n, dtype=np.int8), Quant(1.0))
            m.op("FULLY_CONNECTED", [x, w, None], [y], options("FullyConnected", asymmetricQuantizeInputs=asym), 9)
            v = floats(rng, [8, n], 3)
            v = np.abs(v) if i % 2 else v
            low, high = np.minimum(0, v.min(1, keepdims=True)), np.maximum(0, v.max(1, keepdims=True))
            step = (high - low) / 255 if asym else np.maximum(-low, high) / 127
            tie = ((np.floor(v / step) + 0.5) * step).astype(np.float32)
            side = rng.choice(np.float32([-9e9, 0, 9e9]), size=v.shape)
            tie = np.where(side == 0, tie, np.nextafter(tie, side)).astype(np.float32)
            v = np.where((rng.random(v.shape) < 0.7) & (tie > low) & (tie < high), tie, v).astype(np.float32)
            yield Case(label("rounding-asymmetric" if asym else "rounding", i), m, [v])


def draw(rng, dtype, shape):
    """Data of any type; int8 without the lowest, see dense."""
    if dtype == "float32":
        return floats(rng, shape)
    return np.maximum(ints(rng, dtype, shape), -127 if dtype == "int8" else np.iinfo(dtype).min)


@operator("FULLY_CONNECTED")
def weights_odd(rng):
    """Zero points of weights with several scales or for float activations do not count; weights change in size."""
    for i, (itype, per_channel, asym) in enumerate((("int8", True, False), ("int16", True, False), ("float32", True, True), ("float32", False, False))):
        m, q = Model(), itype != "float32"
        x = m.input(itype, [2, 5], Quant(0.1, 0) if q else None)
        w = m.const(rng.integers(-127, 127, size=[3, 5]).astype(np.int8), Quant([0.1, 0.2, 0.3] if per_channel else 0.1, 5, 0))
        y = m.output(itype, [2, 3], Quant(3.0 if itype == "int8" else 800.0, 0) if q else None)
        m.op("FULLY_CONNECTED", [x, w, None], [y], options("FullyConnected", asymmetricQuantizeInputs=asym), 12)
        yield Case(label("zero-point", i), m, [ints(rng, itype, [2, 5]) if q else floats(rng, [2, 5])])
    for mode in ("float32", "int8-weights-zero", "uint8", "int16x8-bias64", "hybrid-asymmetric"):
        itype, wtype, _, _, asym, version = MODES[mode]
        m, q = Model(), itype != "float32"
        x = m.input(itype, [1, 3], Quant(0.1, zero_of(rng, itype)) if q else None, signature=[-1, -1])
        w = m.input(wtype, [1, 3], Quant(0.1, zero_of(rng, wtype) if wtype == itype else 0) if wtype != "float32" else None, signature=[-1, -1])
        y = m.output(itype, [1, 1], Quant(9.0 if itype != "int16" else 900.0, 0) if q else None)
        m.op("FULLY_CONNECTED", [x, w, None], [y], options("FullyConnected", asymmetricQuantizeInputs=asym), version)
        steps = [([2, 3], [4, 3]), ([3, 5], [2, 5]), ([3, 0], [5, 0]), ([4, 3], [2, 6])]
        yield Case(label("resized-" + mode, 0), m, [[draw(rng, itype, a), draw(rng, wtype, b)] for a, b in steps])


@operator("FULLY_CONNECTED")
def bias_odd(rng):
    """LiteRT reads a bias as int32 words, unless the options say int64; without bias they choose the sums' width."""
    for i, (itype, wtype, otype) in enumerate((("int8", "int8", "int8"), ("uint8", "uint8", "uint8"), ("int16", "int16", "int16"))):
        m = Model()
        x = m.input(itype, [2, 5], Quant(0.1, 0))
        w = m.const(ints(rng, wtype, [3, 5]), Quant(0.1))
        b = m.const(rng.integers(-900, 900, size=[3]), Quant(0.01))
        scale = {"int8": 9.0, "uint8": 9.0, "int16": 2.0e5}[itype]
        m.op("FULLY_CONNECTED", [x, w, b], [m.output(otype, [2, 3], Quant(scale, 0))], options("FullyConnected"), 7)
        yield Case(label("int64", i), m, [ints(rng, itype, [2, 5])])
    for kind in ("int32", "int64"):  # sums beyond 32 bits
        m = Model()
        x, w = m.input("int16", [1, 700], Quant(0.001)), m.const(np.full([2, 700], 127, np.int8), Quant(0.001))
        fc = options("FullyConnected", quantizedBiasType=TYPES[kind])
        m.op("FULLY_CONNECTED", [x, w, None], [m.output("int16", [1, 2], Quant(0.1))], fc, 11)
        yield Case("no-bias-" + kind + "/000", m, [np.full([1, 700], 32767, np.int16)])


@operator("FULLY_CONNECTED")
def hybrid_infinite(rng):
    """Only activations bound hybrid results, and NaN becomes their lower bound."""
    for act in (NONE, RELU, RELU6, RELU_N1_TO_1):
        m = Model()
        w = m.const(rng.integers(-127, 127, size=[4, 20]).astype(np.int8), Quant(0.1))
        b = m.const(np.float32([np.inf, -np.inf, np.nan, 1]))
        m.op("FULLY_CONNECTED", [m.input("float32", [2, 20]), w, b], [m.output("float32", [2, 4])], options("FullyConnected", fusedActivationFunction=act), 9)
        yield Case(label("hybrid-infinite", act), m, [floats(rng, [2, 20])])
