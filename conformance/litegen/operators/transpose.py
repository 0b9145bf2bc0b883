"""TRANSPOSE_CONV, CONV_3D, CONV_3D_TRANSPOSE and MediaPipe's Convolution2DTransposeBias."""

import struct

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, TYPES, VALID, Model, Quant, options
from .conv import out_size

# mode: (input, filter, bias type), whether the filter has a scale a channel
MODES = {
    "float32": ("float32", "float32", "float32", False),
    "int8-per-channel": ("int8", "int8", "int32", True),
    "int8-per-tensor": ("int8", "int8", "int32", False),
    "uint8": ("uint8", "uint8", "int32", False),
    "int16x8-bias64": ("int16", "int8", "int64", True),
    "int16x8-bias32": ("int16", "int8", "int32", True),
    "hybrid-per-channel": ("float32", "int8", "float32", True),
    "hybrid-per-tensor": ("float32", "int8", "float32", False),
}


def image(n, k, s, padding, more):
    """A size of the result from which a window of k at stride s makes n positions."""
    return n * s - more % s if padding == SAME else (n - 1) * s + k + more % s


def transpose(rng, mode, o):
    itype, ftype, btype, per_channel = MODES[mode]
    m, n, (h, w), ci, co = Model(), o["batch"], o["size"], o["channels"], o["out"]
    (kh, kw), (sh, sw) = o["kernel"], o["stride"]
    shape = [n, image(h, kh, sh, o["padding"], o["more"]), image(w, kw, sw, o["padding"], o["more"]), co]
    quantized = itype != "float32"
    s_in = scale_of(rng) if itype != "int16" else np.float32(scale_of(rng) / 256)
    s_w = np.float32([scale_of(rng) for _ in range(co if per_channel else 1)])
    inputs = []
    if o["dynamic"]:
        size = m.input("int32", [4])
        inputs.append(np.int32(shape))
    else:
        size = m.const(np.int32(shape))
    if ftype == "float32":
        f = m.const(floats(rng, [co, kh, kw, ci], 0.5))
    else:
        low = -127 if ftype == "int8" else 0
        f = m.const(rng.integers(low, np.iinfo(ftype).max, size=[co, kh, kw, ci], endpoint=True).astype(ftype),
                    Quant(s_w, zero_of(rng, "uint8") if ftype == "uint8" else 0, 0))
    x = m.input(itype, [n, h, w, ci], Quant(s_in, zero_of(rng, itype)) if quantized else None)
    q = 9000.0 if itype == "int16" else 74.0
    spread = np.sqrt(ci * kh * kw / (sh * sw)) * q * 74
    b = None
    if o["bias"] and quantized:
        b = m.const(rng.integers(-int(spread) - 1, int(spread) + 1, size=[co], endpoint=True).astype(btype), Quant(s_in * s_w, 0))
    elif o["bias"]:
        b = m.const(floats(rng, [co]))
    yq = Quant(np.float32(spread * s_in * s_w.mean() / q * rng.uniform(0.5, 2)), zero_of(rng, itype)) if quantized else None
    y = m.output(itype, shape, yq)
    kind = TYPES["int32"] if mode == "int16x8-bias32" else 0
    m.op("TRANSPOSE_CONV", [size, f, x, b] if o["bias"] else [size, f, x], [y],
         options("TransposeConv", padding=o["padding"], strideH=sh, strideW=sw, fusedActivationFunction=o["act"], quantizedBiasType=kind), 5)
    return m, inputs + [ints(rng, itype, [n, h, w, ci]) if quantized else floats(rng, [n, h, w, ci])]


@operator("TRANSPOSE_CONV")
def transpose_conv(rng):
    for mode in MODES:
        axes = dict(
            size=[(1, 1), (2, 3), (3, 3), (4, 2)], kernel=[(1, 1), (2, 2), (3, 3), (2, 4)], stride=[(1, 1), (2, 2), (1, 3), (2, 1)],
            padding=[SAME, VALID], more=[0, 1, 2], act=[NONE, RELU, RELU6, RELU_N1_TO_1], batch=[1, 2], channels=[1, 3, 9],
            out=[1, 2, 5], bias=[True, False], dynamic=[False, False, True],
        )
        for i, o in enumerate(pairs(**axes)):
            m, x = transpose(rng, mode, o)
            yield Case(label(mode, i, k=o["kernel"], s=o["stride"], p=o["padding"], a=o["act"], d=o["dynamic"]), m, x)


@operator("TRANSPOSE_CONV")
def transpose_odd(rng):
    """Zero points of an int8 filter do not count; a variable filter changes in size."""
    for i, (itype, btype) in enumerate((("int8", "int32"), ("int16", "int64"), ("float32", "float32"))):
        m, q = Model(), itype != "float32"
        w = m.const(rng.integers(-127, 127, size=[2, 3, 3, 3]).astype(np.int8), Quant([0.1, 0.2], 5, 0))
        x = m.input(itype, [1, 2, 2, 3], Quant(0.1, 0) if q else None)
        b = m.const(np.array([10, 200], btype), Quant([0.01, 0.02], 0, 0) if q else None)
        y = m.output(itype, [1, 4, 4, 2], Quant(3.0 if itype == "int8" else 800.0, 0) if q else None)
        m.op("TRANSPOSE_CONV", [m.const(np.int32([1, 4, 4, 2])), w, x, b], [y], options("TransposeConv", strideH=2, strideW=2), 3)
        yield Case(label("zero-point", i), m, [ints(rng, itype, [1, 2, 2, 3]) if q else floats(rng, [1, 2, 2, 3])])
    m = Model()
    operands = [m.input("int32", [4]), m.input("float32", [4, 3, 3, 2]), m.input("float32", [1, 3, 3, 2])]
    m.op("TRANSPOSE_CONV", operands, [m.output("float32", [1, 6, 6, 4])], options("TransposeConv", strideH=2, strideW=2))
    steps = [([1, 6, 6, 4], [4, 3, 3, 2], [1, 3, 3, 2]), ([2, 5, 6, 3], [3, 2, 3, 5], [2, 3, 3, 5])]
    yield Case("resized-filter/000", m, [[np.int32(out), floats(rng, f), floats(rng, x)] for out, f, x in steps])


@operator("CONV_3D")
def conv3d_resized(rng):
    m = Model()
    x, f = m.input("float32", [1, 3, 3, 3, 2]), m.input("float32", [2, 2, 2, 2, 3])
    o = options("Conv3D", strideD=1, strideH=1, strideW=1)
    m.op("CONV_3D", [x, f], [m.output("float32", [1, 3, 3, 3, 3])], o)
    steps = [([1, 3, 3, 3, 2], [2, 2, 2, 2, 3]), ([2, 3, 4, 3, 1], [1, 2, 3, 1, 2])]
    yield Case("resized-filter/000", m, [[floats(rng, s) for s in two] for two in steps])


THREE = dict(
    size=[(1, 1, 1), (2, 3, 4), (4, 3, 2)], kernel=[(1, 1, 1), (2, 2, 2), (1, 3, 2), (3, 2, 1)],
    stride=[(1, 1, 1), (2, 2, 2), (1, 2, 3)], dilation=[(1, 1, 1), (2, 1, 2), (1, 2, 1)], padding=[SAME, VALID],
    act=[NONE, RELU, RELU6, RELU_N1_TO_1], batch=[1, 2], channels=[1, 3], out=[1, 4], bias=[True, False],
)


def conv3d_options(o):
    (sd, sh, sw), (dd, dh, dw) = o["stride"], o["dilation"]
    return options("Conv3D", padding=o["padding"], strideD=sd, strideH=sh, strideW=sw, dilationDFactor=dd,
                   dilationHFactor=dh, dilationWFactor=dw, fusedActivationFunction=o["act"])


@operator("CONV_3D")
def conv3d(rng):
    for i, o in enumerate(pairs(**THREE)):
        out = [out_size(n, k, s, d, o["padding"]) for n, k, s, d in zip(o["size"], o["kernel"], o["stride"], o["dilation"])]
        if min(out) < 1:
            o["padding"] = SAME
            out = [-(-n // s) for n, s in zip(o["size"], o["stride"])]
        m = Model()
        shape = [o["batch"], *o["size"], o["channels"]]
        x, f = m.input("float32", shape), m.const(floats(rng, [*o["kernel"], o["channels"], o["out"]], 0.5))
        b = [m.const(floats(rng, [o["out"]]))] if o["bias"] else []
        m.op("CONV_3D", [x, f, *b], [m.output("float32", [o["batch"], *out, o["out"]])], conv3d_options(o))
        yield Case(label("float32", i, k=o["kernel"], s=o["stride"], d=o["dilation"], p=o["padding"], a=o["act"]), m, [floats(rng, shape)])


@operator("CONV_3D_TRANSPOSE")
def conv3d_transpose(rng):
    for i, o in enumerate(pairs(dynamic=[False, True], more=[0, 1], **THREE)):
        m = Model()
        shape = [o["batch"], *o["size"], o["channels"]]
        out = [image(n, (k - 1) * d + 1, s, o["padding"], o["more"])
               for n, k, s, d in zip(o["size"], o["kernel"], o["stride"], o["dilation"])]
        out = [o["batch"], *out, o["out"]]
        size = m.input("int32", [5]) if o["dynamic"] else m.const(np.int32(out))
        f = m.const(floats(rng, [*o["kernel"], o["out"], o["channels"]], 0.5))
        x = m.input("float32", shape)
        b = [m.const(floats(rng, [o["out"]]))] if o["bias"] else []
        m.op("CONV_3D_TRANSPOSE", [size, f, x, *b], [m.output("float32", out)], conv3d_options(o))
        yield Case(label("float32", i, k=o["kernel"], s=o["stride"], d=o["dilation"], p=o["padding"], a=o["act"]), m,
                   ([np.int32(out)] if o["dynamic"] else []) + [floats(rng, shape)])


@operator("Convolution2DTransposeBias")
def transpose_bias(rng):
    axes = dict(size=[(1, 1), (3, 4), (5, 2)], kernel=[(2, 2), (3, 3), (4, 5)], stride=[(1, 1), (2, 2), (2, 1)],
                padding=[SAME, VALID], more=[0, 1], batch=[1, 2], channels=[1, 3, 8], out=[1, 2, 5])
    for i, o in enumerate(pairs(**axes)):
        m, (kh, kw), (sh, sw) = Model(), o["kernel"], o["stride"]
        shape = [o["batch"], *o["size"], o["channels"]]
        out = [image(n, k, s, o["padding"], o["more"]) for n, k, s in zip(o["size"], o["kernel"], o["stride"])]
        x = m.input("float32", shape)
        f = m.const(floats(rng, [o["out"], kh, kw, o["channels"]], 0.5))
        y = m.output("float32", [o["batch"], *out, o["out"]])
        m.custom("Convolution2DTransposeBias", [x, f, m.const(floats(rng, [o["out"]]))], [y], struct.pack("<3i", 1 + o["padding"], sw, sh))
        yield Case(label("float32", i, k=o["kernel"], s=o["stride"], p=o["padding"]), m, [floats(rng, shape)], "default")


@operator("Convolution2DTransposeBias")
def transpose_bias_resized(rng):
    for i, (padding, k, s, n, declared) in enumerate(((SAME, 3, 2, 3, 5), (SAME, 4, 3, 2, 5), (VALID, 3, 2, 3, 8), (VALID, 4, 3, 2, 5))):
        m = Model()
        x, y = m.input("float32", [1, n, n, 2]), m.output("float32", [1, declared, declared, 3])
        m.custom("Convolution2DTransposeBias", [x, m.const(floats(rng, [3, k, k, 2])), m.const(floats(rng, [3]))], [y], struct.pack("<3i", 1 + padding, s, s))
        yield Case(label("resized", i), m, [[floats(rng, [b, n + h, n + w, 2])] for b, h, w in ((1, 0, 0), (1, 1, 0), (2, 2, 1))], "default")
