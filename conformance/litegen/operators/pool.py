"""MAX_POOL_2D, AVERAGE_POOL_2D, L2_POOL_2D and MediaPipe's pooling with indices."""

import struct

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, Model, Quant, options
from .conv import out_size


def pools(rng, name):
    for dtype, version in (("float32", 1),) if name == "L2_POOL_2D" else (("float32", 1), ("int8", 2), ("uint8", 1), ("int16", 3)):
        axes = dict(
            size=[(1, 1), (4, 4), (5, 7), (9, 3)], kernel=[(1, 1), (2, 2), (3, 2), (5, 5)], stride=[(1, 1), (2, 2), (1, 3), (4, 2)],
            padding=[SAME, VALID], act=[NONE, RELU, RELU6, RELU_N1_TO_1], batch=[1, 3], channels=[1, 3, 17, 64], special=[False, True],
        )
        for i, o in enumerate(pairs(**axes)):
            if o["padding"] == VALID and any(n < k for n, k in zip(o["size"], o["kernel"])):
                o["padding"] = SAME
            m = Model()
            shape = [o["batch"], *o["size"], o["channels"]]
            q = Quant(scale_of(rng), zero_of(rng, dtype)) if dtype != "float32" else None
            x = m.input(dtype, shape, q)
            (kh, kw), (sh, sw) = o["kernel"], o["stride"]
            oh, ow = out_size(shape[1], kh, sh, 1, o["padding"]), out_size(shape[2], kw, sw, 1, o["padding"])
            y = m.output(dtype, [shape[0], oh, ow, shape[3]], q)
            pool = options("Pool2D", padding=o["padding"], strideH=sh, strideW=sw, filterHeight=kh, filterWidth=kw, fusedActivationFunction=o["act"])
            m.op(name, [x], [y], pool, version)
            data = ints(rng, dtype, shape) if q else floats(rng, shape, 4, o["special"])
            yield Case(label(dtype, i, k=o["kernel"], s=o["stride"], p=o["padding"], a=o["act"]), m, [data])


def odd_pools(rng, name):
    """Windows that do not fit; NaN and infinities in most of them."""
    for i, (size, kernel, stride) in enumerate((((3, 7), (5, 2), (1, 2)), ((7, 3), (2, 5), (2, 1)), ((2, 2), (4, 3), (3, 1)))):
        m, shape = Model(), [1, *size, 2]
        y = m.output("float32", [1, 0, 0, 2])
        pool = options("Pool2D", padding=VALID, strideH=stride[0], strideW=stride[1], filterHeight=kernel[0], filterWidth=kernel[1])
        m.op(name, [m.input("float32", shape)], [y], pool)
        yield Case(label("no-fit", i), m, [floats(rng, shape)])
    for i, act in enumerate((NONE, RELU6)):
        m, shape = Model(), [1, 6, 6, 9]
        pool = options("Pool2D", strideH=2, strideW=2, filterHeight=2, filterWidth=2, fusedActivationFunction=act)
        m.op(name, [m.input("float32", shape)], [m.output("float32", [1, 3, 3, 9])], pool)
        x = floats(rng, shape)
        x[rng.random(shape) < 0.5] = np.nan
        x[rng.random(shape) < 0.2] = -np.inf
        yield Case(label("not-a-number", i), m, [x])


@operator("MAX_POOL_2D")
def max_pool(rng):
    yield from pools(rng, "MAX_POOL_2D")
    yield from odd_pools(rng, "MAX_POOL_2D")


@operator("AVERAGE_POOL_2D")
def average_pool(rng):
    yield from pools(rng, "AVERAGE_POOL_2D")
    yield from odd_pools(rng, "AVERAGE_POOL_2D")


@operator("L2_POOL_2D")
def l2_pool(rng):
    yield from pools(rng, "L2_POOL_2D")
    yield from odd_pools(rng, "L2_POOL_2D")


def windows(padding, kernel):
    """A TfLitePoolParams of windows that do not overlap."""
    (kh, kw) = kernel
    return struct.pack("<10i", 1 + padding, kw, kh, kw, kh, 0, 0, 0, 0, 0)


WINDOWS = dict(size=[(1, 1), (4, 4), (5, 7), (6, 3)], kernel=[(2, 2), (3, 2), (2, 3), (1, 1)], batch=[1, 2], channels=[1, 3, 8])


@operator("MaxPoolingWithArgmax2D")
def max_pool_argmax(rng):
    for i, o in enumerate(pairs(padding=[SAME, VALID], **WINDOWS)):
        if any(n < k for n, k in zip(o["size"], o["kernel"])):
            o["padding"] = SAME
        m, shape = Model(), [o["batch"], *o["size"], o["channels"]]
        out = [o["batch"], *(out_size(n, k, k, 1, o["padding"]) for n, k in zip(o["size"], o["kernel"])), o["channels"]]
        y = [m.input("float32", shape), m.output("float32", out), m.output("float32", out)]
        m.custom("MaxPoolingWithArgmax2D", y[:1], y[1:], windows(o["padding"], o["kernel"]))
        yield Case(label("float32", i, k=o["kernel"], p=o["padding"]), m, [floats(rng, shape)], "default")


@operator("MaxUnpooling2D")
def max_unpool(rng):
    for i, o in enumerate(pairs(**WINDOWS)):
        m, shape, (kh, kw) = Model(), [o["batch"], *o["size"], o["channels"]], o["kernel"]
        x, k = m.input("float32", shape), m.input("float32", shape)
        y = m.output("float32", [o["batch"], o["size"][0] * kh, o["size"][1] * kw, o["channels"]])
        m.custom("MaxUnpooling2D", [x, k], [y], windows(VALID, o["kernel"]))
        at = rng.integers(0, kh * kw, size=shape).astype(np.int32)
        yield Case(label("float32", i, k=o["kernel"]), m, [floats(rng, shape), at.view(np.float32)], "default")
