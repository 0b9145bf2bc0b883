"""MAX_POOL_2D and AVERAGE_POOL_2D."""

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, Model, Quant, options
from .conv import out_size


def pools(rng, name):
    for dtype, version in (("float32", 1), ("int8", 2), ("uint8", 1), ("int16", 3)):
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


@operator("MAX_POOL_2D")
def max_pool(rng):
    yield from pools(rng, "MAX_POOL_2D")


@operator("AVERAGE_POOL_2D")
def average_pool(rng):
    yield from pools(rng, "AVERAGE_POOL_2D")
