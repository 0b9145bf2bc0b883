"""Weights in other forms: of 4 and 2 bits, sparse, in blocks, shuffled, int16."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, TYPES, VALID, Model, Quant, options
from .conv import out_size

SIGN_BIT = 5
ACTIVATIONS = [NONE, RELU, RELU6, RELU_N1_TO_1]


def small(rng, bits, shape):
    """Signed integers of some bits, without the lowest where that has no opposite."""
    top = (1 << bits - 1) - 1
    return rng.integers(-top - (bits < 8), top, size=shape, endpoint=True).astype(np.int8)


def convolution(rng, depthwise, itype, bits, per_channel, o, ftype=None):
    m = Model()
    n, (h, w), c, co, (kh, kw), s = o["batch"], o["size"], o["channels"], o["out"], o["kernel"], o["stride"]
    groups = o.get("groups", 1)
    quantized = itype != "float32"
    s_in = scale_of(rng) if itype != "int16" else np.float32(scale_of(rng) / 256)
    x = m.input(itype, [n, h, w, c * groups], Quant(s_in, zero_of(rng, itype)) if quantized else None)
    co *= c if depthwise else groups
    shape, axis = ([1, kh, kw, co], 3) if depthwise else ([co, kh, kw, c], 0)
    s_w = np.float32([scale_of(rng) for _ in range(co)]) if per_channel else np.full(co, scale_of(rng))
    q = Quant(s_w, 0, axis)
    values = small(rng, bits, shape)
    f = m.packed(values, bits, q) if bits < 8 else m.const(values.view(ftype or np.int8), q)
    depth = kh * kw * (1 if depthwise else c)
    spread = np.sqrt(depth) * (9000.0 if itype == "int16" else 74.0) * (values.std() + 0.5)
    btype = {"float32": "float32", "int8": "int32", "int16": "int64"}[itype]
    if quantized:
        b = m.const(rng.integers(-int(spread) - 1, int(spread) + 1, size=[co]).astype(btype), Quant(s_in * s_w, 0))
    else:
        b = m.const(floats(rng, [co]))
    yq = Quant(np.float32(spread * s_in * s_w.mean() / 74 * rng.uniform(0.5, 2) / (121 if itype == "int16" else 1)), zero_of(rng, itype)) if quantized else None
    out = [n, out_size(h, kh, s, 1, o["padding"]), out_size(w, kw, s, 1, o["padding"]), co]
    common = dict(padding=o["padding"], strideH=s, strideW=s, dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=o["act"])
    y = m.output(itype, out, yq)
    if depthwise:
        m.op("DEPTHWISE_CONV_2D", [x, f, b], [y], options("DepthwiseConv2D", depthMultiplier=o["out"], **common), 3)
    else:
        m.op("CONV_2D", [x, f, b], [y], options("Conv2D", **common), 7)
    return m, [ints(rng, itype, [n, h, w, c * groups]) if quantized else floats(rng, [n, h, w, c * groups])]


SHAPES = dict(size=[(3, 4), (5, 5)], kernel=[(1, 1), (2, 3), (3, 3)], stride=[1, 2], padding=[SAME, VALID], act=ACTIVATIONS,
              batch=[1, 2], channels=[1, 3], out=[1, 2, 5])


@operator("CONV_2D")
def conv_int4(rng):
    for mode, itype, per_channel in (("int8", "int8", True), ("int16", "int16", True), ("hybrid", "float32", True), ("hybrid-per-tensor", "float32", False)):
        for i, o in enumerate(pairs(groups=[1, 1, 2], **SHAPES)):
            m, x = convolution(rng, False, itype, 4, per_channel, o)
            yield Case(label("int4-" + mode, i, k=o["kernel"], g=o["groups"], a=o["act"]), m, x)


@operator("CONV_2D")
def conv_uint8_hybrid(rng):
    for i, o in enumerate(pairs(**SHAPES)):
        if i % 3 == 0:
            m, x = convolution(rng, False, "float32", 8, False, o, np.uint8)
            yield Case(label("hybrid-uint8", i), m, x)


@operator("DEPTHWISE_CONV_2D")
def depthwise_int4(rng):
    for i, o in enumerate(pairs(**SHAPES)):
        m, x = convolution(rng, True, "int8", 4, True, o)
        yield Case(label("int4-int8", i, k=o["kernel"], a=o["act"]), m, x)


def dense(rng, itype, weights, depth, units, rows, btype, act=NONE, otype=None, asym=False, keep=False, bias=True, version=14):
    """weights(model, rng): the weights, their scales and their spread."""
    m, otype = Model(), otype or itype
    quantized = itype != "float32"
    s_in = scale_of(rng) if itype != "int16" else np.float32(scale_of(rng) / 256)
    x = m.input(itype, [rows, depth], Quant(s_in, zero_of(rng, itype)) if quantized else None)
    w, s_w, spread = weights(m, rng)
    q = 9000.0 if itype == "int16" else 74.0
    sums = np.sqrt(depth) * q * spread
    b = None
    if bias and quantized:
        b = m.const(rng.integers(-int(sums) - 1, int(sums) + 1, size=[units]).astype(btype), Quant(s_in * s_w, 0))
    elif bias:
        b = m.const(floats(rng, [units]))
    yq = None
    if quantized:
        step = sums * s_in * np.mean(s_w) / (9000.0 if otype == "int16" else 74.0)
        yq = Quant(np.float32(step * rng.uniform(0.5, 2)), zero_of(rng, otype))
    y = m.output(otype, [rows, units], yq)
    kind = TYPES[btype] if itype == "int16" else 0
    m.op("FULLY_CONNECTED", [x, w, b], [y],
         options("FullyConnected", fusedActivationFunction=act, keepNumDims=keep, asymmetricQuantizeInputs=asym, quantizedBiasType=kind), version)
    return m, [ints(rng, itype, [rows, depth]) if quantized else floats(rng, [rows, depth])]


def scales(rng, units, per_channel):
    return np.float32([scale_of(rng) for _ in range(units if per_channel else 1)])


@operator("FULLY_CONNECTED")
def dense_packed(rng):
    for itype, btype in (("int8", "int32"), ("int16", "int64"), ("int16", "int32"), ("float32", "float32")):
        for bits in (4, 2):
            axes = dict(units=[1, 3, 8], depth=[1, 7, 16, 33], rows=[1, 3], act=ACTIVATIONS, per_channel=[False, True], asym=[False, True], bias=[True, False])
            for i, o in enumerate(pairs(**axes)):
                def weights(m, rng):
                    v, s = small(rng, bits, [o["units"], o["depth"]]), scales(rng, o["units"], o["per_channel"])
                    return m.packed(v, bits, Quant(s, 0, 0)), s, v.std() + 0.5
                m, x = dense(rng, itype, weights, o["depth"], o["units"], o["rows"], btype, o["act"], asym=o["asym"], bias=o["bias"])
                yield Case(label(f"int{bits}-{itype}-{btype}", i, a=o["act"], c=o["per_channel"]), m, x)


@operator("FULLY_CONNECTED")
def dense_int16(rng):
    for btype in ("int64", "int32"):
        for i, o in enumerate(pairs(units=[1, 3, 8], depth=[1, 7, 33], rows=[1, 3], act=ACTIVATIONS, per_channel=[False, True], bias=[True, False])):
            def weights(m, rng):
                s = scales(rng, o["units"], o["per_channel"]) / np.float32(256)
                return m.const(ints(rng, "int16", [o["units"], o["depth"]]), Quant(s, 0, 0)), s, 19000
            m, x = dense(rng, "int16", weights, o["depth"], o["units"], o["rows"], btype, o["act"], bias=o["bias"])
            yield Case(label("int16x16-" + btype, i, a=o["act"], c=o["per_channel"]), m, x)


@operator("FULLY_CONNECTED")
def dense_uint8(rng):
    for i, o in enumerate(pairs(units=[1, 3, 8], depth=[1, 7, 33], rows=[1, 3], act=ACTIVATIONS)):
        def weights(m, rng):
            s = scales(rng, 1, False)
            return m.const(ints(rng, "uint8", [o["units"], o["depth"]]), Quant(s, zero_of(rng, "uint8"))), s, 74
        m, x = dense(rng, "uint8", weights, o["depth"], o["units"], o["rows"], "int32", o["act"], otype="int16")
        yield Case(label("uint8-int16", i, a=o["act"]), m, x)
        def hybrid(m, rng):
            s = scales(rng, 1, False)
            return m.const(small(rng, 8, [o["units"], o["depth"]]).view(np.uint8), Quant(s, 0)), s, 74
        m, x = dense(rng, "float32", hybrid, o["depth"], o["units"], o["rows"], "float32", o["act"])
        yield Case(label("hybrid-uint8", i, a=o["act"]), m, x)


@operator("FULLY_CONNECTED")
def dense_odd(rng):
    for i, keep in enumerate((False, True)):  # no depth: the bias is left out
        m = Model()
        x, w, b = m.input("float32", [2, 3, 0]), m.const(np.zeros([5, 0], np.float32)), m.const(floats(rng, [5]))
        m.op("FULLY_CONNECTED", [x, w, b], [m.output("float32", [2, 3, 5] if keep else [6, 5])], options("FullyConnected", keepNumDims=keep), 5)
        yield Case(label("no-depth", i), m, [np.zeros([2, 3, 0], np.float32)])
    for i in range(4):
        m = Model()
        w = m.const(small(rng, 8, [6, 16]), Quant(scale_of(rng)))
        m.op("FULLY_CONNECTED", [m.input("float32", [3, 16]), w, None], [m.output("float32", [3, 6])],
             options("FullyConnected", fusedActivationFunction=SIGN_BIT, asymmetricQuantizeInputs=i % 2 == 1), 9)
        yield Case(label("hybrid-sign-bit", i), m, [floats(rng, [3, 16])])


@operator("FULLY_CONNECTED")
def dense_shuffled(rng):
    for i, o in enumerate(pairs(units=[4, 8, 12], depth=[16, 32, 48], rows=[1, 4], act=[NONE, RELU, RELU6])):
        m, units, depth, rows = Model(), o["units"], o["depth"], o["rows"]
        s_in, s_w = scale_of(rng), scale_of(rng)
        x = m.input("uint8", [rows, depth], Quant(s_in, 128))
        w = ints(rng, "uint8", [units, depth]).reshape(units // 4, 4, depth // 16, 16).transpose(0, 2, 1, 3) ^ 128
        f = m.const(w.reshape(units, depth), Quant(s_w, 128))
        sums = np.sqrt(depth) * 74 * 74
        b = m.const(rng.integers(-int(sums), int(sums), size=[units]).astype(np.int32), Quant(s_in * s_w, 0))
        y = m.output("int16", [rows, units], Quant(np.float32(sums * s_in * s_w / 9000), 0))
        work = m.output("uint8", [rows, depth])
        m.op("FULLY_CONNECTED", [x, f, b], [y, work], options("FullyConnected", fusedActivationFunction=o["act"], weightsFormat=1), 2)
        yield Case(label("shuffled", i, n=o["rows"], a=o["act"]), m, [ints(rng, "uint8", [rows, depth])])


def holes(rng, x, block):
    """x with most blocks of the rows zero."""
    b = x.reshape(x.shape[0], -1, block).copy()
    b[rng.random(b.shape[:2]) < 0.6] = 0
    return b.reshape(x.shape)


LAYOUTS = {
    "csr": dict(order=[0, 1], formats="ds"),
    "coo": dict(order=[0, 1], formats="ss"),
    "csc": dict(order=[1, 0], formats="ds", bits=8),
    "1x4": dict(order=[0, 1, 2], formats="dsd", block_map=[1], blocks=[4], bits=16),
    "2x4": dict(order=[0, 1, 2, 3], formats="dsdd", block_map=[0, 1], blocks=[2, 4]),
    "1x16": dict(order=[0, 1, 2], formats="dsd", block_map=[1], blocks=[16], bits=8),
}


@operator("FULLY_CONNECTED")
def dense_sparse(rng):
    for layout, how in LAYOUTS.items():
        for i, (rows, units, depth, act) in enumerate([(1, 2, 16, NONE), (3, 4, 32, RELU), (2, 6, 48, RELU6)]):
            def weights(m, rng):
                return m.sparse(holes(rng, floats(rng, [units, depth]), 4), **how), 1, 1
            m, x = dense(rng, "float32", weights, depth, units, rows, "float32", act)
            yield Case(label("sparse-" + layout, i), m, x)
    for i, o in enumerate(pairs(units=[2, 5], depth=[16, 48], rows=[1, 3, 5], act=ACTIVATIONS, per_channel=[False, True], asym=[False, True], bias=[True, False])):
        def weights(m, rng):
            s = scales(rng, o["units"], o["per_channel"])
            return m.sparse(holes(rng, small(rng, 8, [o["units"], o["depth"]]), 16), Quant(s, 0, 0), **LAYOUTS["1x16"]), s, 40
        for itype, btype in (("int8", "int32"), ("float32", "float32")):
            m, x = dense(rng, itype, weights, o["depth"], o["units"], o["rows"], btype, o["act"], asym=o["asym"], bias=o["bias"])
            yield Case(label(f"sparse-{itype}", i, a=o["act"], c=o["per_channel"], z=o["asym"]), m, x)


@operator("FULLY_CONNECTED")
def dense_blockwise(rng):
    for i, o in enumerate(pairs(units=[4, 7], depth=[64, 128], block=[32, 64], rows=[1, 3], bias=[True, False])):
        def weights(m, rng):
            s = np.float16(rng.uniform(0.01, 0.1, size=[o["units"], o["depth"] // o["block"]]))
            return m.blockwise(small(rng, 4, [o["units"], o["depth"]]), 4, s, o["block"]), 1, 1
        m, x = dense(rng, "float32", weights, o["depth"], o["units"], o["rows"], "float32", bias=o["bias"], asym=True)
        yield Case(label("blockwise", i), m, x, "builtin")


@operator("DENSIFY")
def densify(rng):
    layouts = dict(LAYOUTS)
    layouts["3d"] = dict(order=[0, 2, 1], formats="dss")
    layouts["4d"] = dict(order=[0, 1, 2, 3, 4], formats="dssdd", block_map=[3], blocks=[4], bits=16)
    layouts["block-first"] = dict(order=[1, 0, 3, 2], formats="sddd", block_map=[0, 1], blocks=[2, 4])
    for name, how in layouts.items():
        shape = {"3d": [3, 4, 5], "4d": [2, 3, 2, 8]}.get(name, [6, 32])
        for dtype in ("float32", "float16", "int8"):
            for i in range(3):
                m = Model()
                v = (floats(rng, shape) * 20).astype(dtype)
                v[rng.random(shape) < [0.2, 0.7, 1.0][i]] = 0
                q = Quant(0.1, 3) if dtype == "int8" else None
                m.op("DENSIFY", [m.sparse(v, q, **how)], [m.output(dtype, shape, q)])
                yield Case(label(f"{name}-{dtype}", i), m, [])
