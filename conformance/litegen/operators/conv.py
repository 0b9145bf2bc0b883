"""CONV_2D and DEPTHWISE_CONV_2D."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, TYPES, VALID, Model, Quant, options

# mode: (input, filter, bias type), how the filter's scales lie
MODES = {
    "float32": ("float32", "float32", "float32", None),
    "float16-weights": ("float32", "float16", "float32", None),
    "int8-per-channel": ("int8", "int8", "int32", "channel"),
    "int8-per-tensor": ("int8", "int8", "int32", "tensor"),
    "uint8": ("uint8", "uint8", "int32", "tensor"),
    "int16x8-bias64": ("int16", "int8", "int64", "channel"),
    "int16x8-bias32": ("int16", "int8", "int32", "channel"),
    "hybrid-per-channel": ("float32", "int8", "float32", "channel"),
    "hybrid-per-tensor": ("float32", "int8", "float32", "tensor"),
}


def out_size(n, k, s, d, padding):
    eff = (k - 1) * d + 1
    return -(-n // s) if padding == SAME else (n + s - eff) // s


def weights(rng, m, mode, shape, axis):
    """The filter: its value, and a typical weight as a real number."""
    _, ftype, _, spread = MODES[mode]
    if ftype == "float32":
        return m.const(floats(rng, shape, 0.5)), 0.5
    if ftype == "float16":
        w = m.const(floats(rng, shape, 0.5).astype(np.float16))
        full = m.value("float32", shape)
        m.op("DEQUANTIZE", [w], [full], version=3)
        return full, 0.5
    if ftype == "uint8":
        s = scale_of(rng)
        return m.const(ints(rng, np.uint8, shape), Quant(s, zero_of(rng, "uint8"))), s
    n = shape[axis]  # LiteRT wants a scale a channel of int8 filters: per tensor means equal ones
    s = np.full(n, scale_of(rng)) if spread == "tensor" else np.float32([scale_of(rng) for _ in range(n)])
    w = rng.integers(-127, 127, size=shape, endpoint=True).astype(np.int8)
    return m.const(w, Quant(s, 0, axis)), float(s.mean())


def bias(rng, m, mode, n, step, spread):
    """spread: a typical sum before the bias, in units of step."""
    btype = MODES[mode][2]
    if btype == "float32":
        return m.const(floats(rng, [n]))
    s = np.float32(np.atleast_1d(step))
    b = rng.integers(-int(spread) - 1, int(spread) + 1, size=[n], endpoint=True)
    return m.const(b.astype(btype), Quant(s, 0))


def convolve(rng, mode, o, depthwise):
    itype, ftype, _, _ = MODES[mode]
    m = Model()
    n, h, w, c = o["batch"], *o["size"], o["channels"]
    kh, kw = o["kernel"]
    (sh, sw), (dh, dw) = o["stride"], o["dilation"]
    quantized = itype != "float32"
    s_in = scale_of(rng) if itype != "int16" else np.float32(scale_of(rng) / 256)
    xq = Quant(s_in, zero_of(rng, itype)) if quantized else None
    x = m.input(itype, [n, h, w, c], xq)
    if depthwise:
        out_c, shape, axis, depth = c * o["multiplier"], [1, kh, kw, c * o["multiplier"]], 3, kh * kw
    else:
        out_c = o["out"] * o["groups"]
        shape, axis, depth = [out_c, kh, kw, c // o["groups"]], 0, kh * kw * c // o["groups"]
    f, s_w = weights(rng, m, mode, shape, axis)
    q = 9000.0 if itype == "int16" else 74.0
    spread = np.sqrt(depth) * q * 74
    operands = [x, f, bias(rng, m, mode, out_c, s_in * s_w if quantized else 1, spread)]  # LiteRT demands a bias
    oh, ow = out_size(h, kh, sh, dh, o["padding"]), out_size(w, kw, sw, dw, o["padding"])
    yq = None
    if quantized:  # sums reach beyond the range now and then
        s_out = np.float32(spread * s_in * s_w / q * rng.uniform(0.5, 2))
        yq = Quant(s_out, zero_of(rng, itype))
    y = m.output(itype, [n, oh, ow, out_c], yq)
    common = dict(
        padding=o["padding"], strideH=sh, strideW=sw, dilationHFactor=dh, dilationWFactor=dw, fusedActivationFunction=o["act"]
    )
    if depthwise:
        m.op("DEPTHWISE_CONV_2D", operands, [y], options("DepthwiseConv2D", depthMultiplier=o["multiplier"], **common), o["version"])
    else:
        m.op("CONV_2D", operands, [y], options("Conv2D", quantizedBiasType=TYPES["int32"] if mode == "int16x8-bias32" else 0, **common), o["version"])
    data = ints(rng, itype, [n, h, w, c]) if quantized else floats(rng, [n, h, w, c])
    return m, [data]


COMMON = dict(
    size=[(1, 1), (3, 4), (5, 5), (7, 6), (2, 9)],
    kernel=[(1, 1), (3, 3), (2, 3), (5, 1)],
    stride=[(1, 1), (2, 2), (1, 3), (3, 1)],
    dilation=[(1, 1), (2, 2), (1, 3)],
    padding=[SAME, VALID],
    act=[NONE, RELU, RELU6, RELU_N1_TO_1],
    batch=[1, 2],
)


def fits(o):
    return o["padding"] == SAME or all(
        out_size(n, k, s, d, VALID) > 0 for n, k, s, d in zip(o["size"], o["kernel"], o["stride"], o["dilation"])
    )


@operator("CONV_2D")
def conv2d(rng):
    for mode, version in zip(MODES, (1, 1, 3, 3, 1, 4, 8, 5, 2)):
        for i, o in enumerate(pairs(channels=[1, 3, 4], out=[1, 2, 9], groups=[1, 1, 2, 3], **COMMON)):
            o["channels"] *= o["groups"]
            if not fits(o):
                o["padding"] = SAME
            m, x = convolve(rng, mode, dict(o, version=version), depthwise=False)
            yield Case(label(mode, i, g=o["groups"], s=o["stride"], d=o["dilation"], p=o["padding"], a=o["act"]), m, x)


@operator("CONV_2D")
def conv2d_wide(rng):
    """Sizes at which vector kernels take their main path."""
    for mode, version in zip(MODES, (1, 1, 3, 3, 1, 4, 8, 5, 2)):
        for i, (size, c, out, k) in enumerate([((6, 6), 16, 33, (3, 3)), ((4, 5), 64, 16, (1, 1)), ((9, 8), 5, 40, (3, 2))]):
            o = dict(
                size=size, channels=c, out=out, groups=1, kernel=k, stride=(1, 1), dilation=(1, 1), padding=SAME,
                act=RELU if i else NONE, batch=1, version=version,
            )
            m, x = convolve(rng, mode, o, depthwise=False)
            yield Case(label("wide-" + mode, i), m, x)


@operator("CONV_2D")
def conv2d_edges(rng):
    """Variable filters, saturating sums, scales that differ widely, other batches."""
    for i in range(4):
        m = Model()
        x, w = m.input("float32", [2, 5, 5, 3]), m.input("float32", [4, 3, 2, 3])
        b = m.input("float32", [4])
        y = m.output("float32", [2, 5, 5, 4])
        m.op("CONV_2D", [x, w, b], [y], options("Conv2D", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1))
        data = [floats(rng, [2, 5, 5, 3]), floats(rng, [4, 3, 2, 3]), floats(rng, [4])]
        yield Case(label("variable-filter", i), m, data)
    for itype, btype, version in (("int8", "int32", 3), ("int16", "int64", 4)):
        for i in range(6):
            m = Model()
            s = np.float32(2.0 ** rng.uniform(-14, 2, size=5))
            x = m.input(itype, [1, 3, 3, 40], Quant(0.02, zero_of(rng, itype)))
            w = m.const(ints(rng, np.int8, [5, 3, 3, 40]) if i % 2 else np.full([5, 3, 3, 40], 127, np.int8), Quant(s, 0, 0))
            b = m.const(rng.integers(-(2**30), 2**30, size=[5]).astype(btype), Quant(s * np.float32(0.02), 0, 0))
            y = m.output(itype, [1, 1, 1, 5], Quant(np.float32(2.0 ** rng.uniform(-8, 2)), zero_of(rng, itype)))
            m.op("CONV_2D", [x, w, b], [y],
                 options("Conv2D", padding=VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1), version)
            yield Case(label(itype + "-extreme", i), m, [ints(rng, itype, [1, 3, 3, 40])])
    for batch in (1, 3, 7):  # resized at run time
        m = Model()
        x = m.input("int8", [1, 4, 4, 2], Quant(0.1, 3), signature=[-1, 4, 4, 2])
        w = m.const(ints(rng, np.int8, [3, 2, 2, 2]), Quant([0.1, 0.2, 0.3], 0, 0))
        y = m.output("int8", [1, 4, 4, 3], Quant(2.0, -5))
        b = m.const(np.int32([1000, -500, 0]), Quant([0.01, 0.02, 0.03], 0, 0))
        m.op("CONV_2D", [x, w, b], [y], options("Conv2D", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1), 3)
        yield Case(label("resized", batch), m, [ints(rng, "int8", [batch, 4, 4, 2])])


@operator("DEPTHWISE_CONV_2D")
def depthwise(rng):
    for mode, version in zip(MODES, (1, 1, 3, 3, 1, 5, 0, 6, 4)):
        if mode == "int16x8-bias32":  # LiteRT refuses it
            continue
        for i, o in enumerate(pairs(channels=[1, 3, 8], multiplier=[1, 2, 3], **COMMON)):
            if not fits(o):
                o["padding"] = SAME
            m, x = convolve(rng, mode, dict(o, version=version), depthwise=True)
            yield Case(label(mode, i, m=o["multiplier"], s=o["stride"], d=o["dilation"], p=o["padding"], a=o["act"]), m, x)


UNIT = dict(strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)


@operator("CONV_2D")
def conv2d_resized(rng):
    """Operands resized between invocations: more channels make it a grouped convolution, filters change in size."""
    for k in (3, 16):
        m = Model()
        x, w, b = m.input("float32", [1, 6, 6, k]), m.input("float32", [4, 3, 3, k]), m.input("float32", [4])
        m.op("CONV_2D", [x, w, b], [m.output("float32", [1, 6, 6, 4])], options("Conv2D", **UNIT))
        steps = [([1, 6, 6, k], [4, 3, 3, k]), ([2, 5, 7, k], [7, 2, 3, k]), ([1, 5, 5, 2], [3, 1, 1, 2]), ([1, 6, 6, 2 * k], [4, 3, 3, k])]
        yield Case(label("resized-filter", k), m, [[floats(rng, s) for s in (*two, two[1][:1])] for two in steps])
        m = Model()
        x = m.input("int8", [1, 4, 4, k], Quant(0.1, 3))
        w = m.const(rng.integers(-127, 127, size=[4, 2, 2, k]).astype(np.int8), Quant([0.1, 0.2, 0.3, 0.1], 0, 0))
        b = m.const(np.int32([1000, -500, 0, 3]), Quant([0.01, 0.02, 0.03, 0.01], 0, 0))
        m.op("CONV_2D", [x, w, b], [m.output("int8", [1, 4, 4, 4], Quant(5.0, -5))], options("Conv2D", **UNIT), 3)
        yield Case(label("resized-groups", k), m, [[ints(rng, "int8", [1, 4, 4, n * k])] for n in (1, 2, 4)])


@operator("DEPTHWISE_CONV_2D")
def depthwise_zero_point(rng):
    """The filter's zero point does not count."""
    for i, (itype, btype) in enumerate((("int8", "int32"), ("int16", "int64"), ("float32", "float32"))):
        m, q = Model(), itype != "float32"
        x = m.input(itype, [1, 4, 4, 3], Quant(0.1, 0) if q else None)
        w = m.const(rng.integers(-127, 127, size=[1, 2, 2, 3]).astype(np.int8), Quant([0.1, 0.2, 0.3], 5, 3))
        b = m.const(np.array([1, 20, 300], btype), Quant([0.01, 0.02, 0.03], 0, 0) if q else None)
        y = m.output(itype, [1, 4, 4, 3], Quant(3.0 if itype == "int8" else 800.0, 0) if q else None)
        m.op("DEPTHWISE_CONV_2D", [x, w, b], [y], options("DepthwiseConv2D", depthMultiplier=1, **UNIT), 6)
        yield Case(label("zero-point", i), m, [ints(rng, itype, [1, 4, 4, 3]) if q else floats(rng, [1, 4, 4, 3])])
