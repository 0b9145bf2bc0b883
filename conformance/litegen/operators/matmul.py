"""BATCH_MATMUL."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..model import Model, Quant, options

# mode: (lhs, rhs, output, asymmetric, a scale a column)
MODES = {
    "float32": ("float32", "float32", "float32", False, False),
    "int8": ("int8", "int8", "int8", False, False),
    "int8-int32": ("int8", "int8", "int32", False, False),
    "int16": ("int16", "int16", "int16", False, False),
    "int16x8": ("int16", "int8", "int16", False, False),
    "hybrid": ("float32", "int8", "float32", False, False),
    "hybrid-asymmetric": ("float32", "int8", "float32", True, False),
    "hybrid-per-channel": ("float32", "int8", "float32", False, True),
    "hybrid-asymmetric-per-channel": ("float32", "int8", "float32", True, True),
}
SEVERAL = {
    "int8-per-channel": ("int8", "int8", "int8", False, True),
    "int16x8-per-channel": ("int16", "int8", "int16", False, True),
}
BATCHES = [((), ()), ((2,), (2,)), ((3,), ()), ((), (2,)), ((2, 3), (2, 1)), ((1, 2), (3, 1)), ((2, 1, 2), (2, 2)), ((2,), (3, 2, 2)), ((2, 2, 1), (1, 1, 3))]


def product(rng, mode, o):
    ltype, rtype, otype, asym, per_channel = (MODES | SEVERAL)[mode]
    m, (rows, depth, columns) = Model(), o["size"]
    lb, rb = o["batch"]
    lshape = [*lb, depth, rows] if o["adj_x"] else [*lb, rows, depth]
    rshape = [*rb, columns, depth] if o["adj_y"] else [*rb, depth, columns]
    s_l = scale_of(rng) if ltype != "int16" else np.float32(scale_of(rng) / 256)
    x = m.input(ltype, lshape, Quant(s_l, zero_of(rng, ltype)) if ltype != "float32" else None)
    wide = rtype == "int16"
    s_r = np.float32([scale_of(rng) / (256 if wide else 1) for _ in range(columns if per_channel else 1)])
    axis = len(rshape) - (2 if o["adj_y"] else 1)
    if rtype == "float32":
        w, rq = floats(rng, rshape, 0.5), None
    else:
        w = ints(rng, rtype, rshape)
        if ltype == "float32":
            w = np.maximum(w, -127)
        rq = Quant(s_r, zero_of(rng, "int8") if mode == "int8" else 0, axis)
    inputs = []
    if o["constant"]:
        r = m.const(w, rq)
    else:
        r = m.input(rtype, rshape, rq)
        inputs = [w]
    out = [*np.broadcast_shapes(lb, rb), rows, columns]
    yq = None
    if otype in ("int8", "int16"):
        ql, qr = (9000.0 if t == "int16" else 74.0 for t in (ltype, rtype))
        spread = np.sqrt(depth) * ql * qr * s_l * s_r.mean()
        yq = Quant(np.float32(spread / (9000.0 if otype == "int16" else 74.0) * rng.uniform(0.5, 2)), zero_of(rng, otype))
    m.op("BATCH_MATMUL", [x, r], [m.output(otype, out, yq)],
         options("BatchMatMul", adjX=o["adj_x"], adjY=o["adj_y"], asymmetricQuantizeInputs=asym), 4)
    return m, [floats(rng, lshape) if ltype == "float32" else ints(rng, ltype, lshape)] + inputs


@operator("BATCH_MATMUL")
def batch_matmul(rng):
    for mode in MODES:
        axes = dict(batch=BATCHES, size=[(1, 1, 1), (2, 3, 4), (5, 9, 2), (3, 20, 7)], adj_x=[False, True], adj_y=[False, True],
                    constant=[True, False])
        for i, o in enumerate(pairs(**axes)):
            if "hybrid-asymmetric" in mode and o["batch"][1] == (3, 2, 2):
                continue  # LiteRT reads sums of columns that it has not computed
            m, x = product(rng, mode, o)
            yield Case(label(mode, i, x=o["adj_x"], y=o["adj_y"], c=o["constant"]), m, x)


@operator("BATCH_MATMUL")
def several_scales(rng):
    """LiteRT takes several scales of an integer product for a scale of 0."""
    for mode in SEVERAL:
        m, x = product(rng, mode, dict(batch=((), ()), size=(2, 3, 4), adj_x=False, adj_y=False, constant=True))
        yield Case(label(mode, 0), m, x)


@operator("BATCH_MATMUL")
def hybrid_odd(rng):
    """Sums that a float does not hold, and a zero point, which does not count."""
    for i, (adj_x, adj_y) in enumerate(((False, True), (True, False))):
        m, depth = Model(), 1500
        lshape, rshape = [depth, 2] if adj_x else [2, depth], [2, depth] if adj_y else [depth, 2]
        w = rng.integers(100, 127, size=rshape).astype(np.int8)
        r = m.const(w, Quant(0.1, 5))
        m.op("BATCH_MATMUL", [m.input("float32", lshape), r], [m.output("float32", [2, 2])],
             options("BatchMatMul", adjX=adj_x, adjY=adj_y, asymmetricQuantizeInputs=True), 4)
        yield Case(label("hybrid-deep", i), m, [np.abs(floats(rng, lshape)) + np.float32(2)])
