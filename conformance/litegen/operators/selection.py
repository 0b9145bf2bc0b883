"""Operators that pick elements and place them."""

import itertools

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs
from ..custom import custom
from ..model import Model, Quant, options
from .move import HOW, Node, how, quant
from .shape import sample


def few(rng, dtype, shape):
    """Values with many repetitions."""
    if dtype == "float32":
        return rng.choice(np.float32([0, -0.0, 1, -1, 2.5, np.inf, -np.inf]), shape)
    return np.array(rng.integers(0 if dtype == "uint8" else -3, 5, shape), dtype)


RANKED = ("float32", "int8", "uint8", "int16", "int32", "int64")


@operator("TOPK_V2")
def topk(rng):
    def build(name, x, k, variable=False, ktype="int32", itype="int32"):
        d = x.dtype.name
        n = Node(variable).input(x, quant(d)).index(np.array(k, ktype), ktype)
        n.m.op("TOPK_V2", n.operands, [n.m.output(d, (), quant(d)), n.m.output(itype, ())], options("TopKV2"))
        return Case(name, n.m, n.data)

    for dtype in RANKED:
        for i, (shape, k) in enumerate((((7,), 3), ((2, 9), 9), ((2, 3, 6), 1), ((4, 5), 0), ((3, 40), 17), ((0, 4), 2), ((2, 5), -1))):
            for v in HOW:
                draw = (sample, few)[i % 2]
                yield build(label(f"{dtype}-{how(v)}", i), draw(rng, dtype, shape), k, v)
        for i in range(4):
            yield build(label(f"{dtype}-ties", i), few(rng, dtype, (3, 30)), 4 + 7 * i)
    for dtype, kt, it in itertools.product(("float32", "int8", "int16"), ("int16", "int32"), ("int16", "int32")):
        yield build(f"index/{dtype}-{kt}-{it}", few(rng, dtype, (3, 11)), 5, False, kt, it)
    for i in range(6):  # NaN is smallest
        x = floats(rng, (2, 12))
        x[0, rng.choice(12, 4, replace=False)] = np.nan
        x[1, :] = np.nan if i % 2 else x[1, :]
        yield build(label("nan", i), x, 2 + 2 * i)


@operator("UNIQUE")
def unique(rng):
    def build(name, x, out):
        m = Model()
        m.op("UNIQUE", [m.input(x.dtype.name, x.shape)], [m.output(x.dtype.name, ()), m.output(out, ())],
             options("Unique", idxOutType={"int32": 2, "int64": 4}[out]))
        return Case(name, m, [x])

    for dtype in RANKED:
        for out in ("int32", "int64"):
            for i, n in enumerate((0, 1, 2, 7, 40)):
                yield build(label(f"{dtype}-{out}", i), few(rng, dtype, (n,)), out)
            yield build(f"{dtype}-{out}/all", sample(rng, dtype, (30,)), out)
    for i in range(8):
        x = few(rng, "float32", (12,))
        x[rng.choice(np.arange(1, 12), 1 + i % 3, replace=False)] = np.nan
        if i >= 6:
            x[0] = np.nan
        yield build(label("nan", i), x, "int32")


@operator("ONE_HOT")
def one_hot(rng):
    types = ("float32", "int8", "uint8", "int32", "int64", "bool")

    def build(name, idx, depth, dtype, axis=-1, variable=False):
        on, off = sample(rng, dtype, (8,))[:2]
        while on == off or on != on or off != off:
            on, off = sample(rng, dtype, (8,))[:2]
        n = Node(variable).input(idx).index(np.int32(depth)).const(np.array(on)).const(np.array(off))
        return n.case(name, "ONE_HOT", dtype, options("OneHot", axis=axis))

    for dtype, itype in itertools.product(types, ("int32", "int64")):
        for i, (shape, axis) in enumerate((((), -1), ((4,), -1), ((4,), 0), ((2, 3), 1), ((2, 3), -1), ((2, 3), 2), ((2, 1, 3), 0), ((0, 2), 1))):
            idx = np.array(rng.integers(-2, 7, shape), itype)
            yield build(label(f"{dtype}-{itype}", i, axis=axis), idx, (5, 1, 3)[i % 3], dtype, axis, bool(i % 2))
    for i, depth in enumerate((0, 1, 9)):
        for v in HOW:
            yield build(label(f"depth-{how(v)}", i), np.int32([0, 1, 8, -1]), depth, "float32", -1, v)
    yield build("wide", np.int64([1 << 32, (1 << 32) + 1, -(1 << 40), 3]), 4, "int32")
    for dtype in ("float32", "int8"):  # on and off as inputs
        n = Node().input(np.int32([2, 0, 1])).const(np.int32(3)).input(np.array(1, dtype).reshape(1)).input(np.array(0, dtype).reshape(1))
        yield n.case(f"inputs/{dtype}", "ONE_HOT", dtype, options("OneHot", axis=-1))


@operator("SPARSE_TO_DENSE")
def sparse_to_dense(rng):
    for dtype in ("float32", "int8", "uint8", "int32", "int64"):
        for i, p in enumerate(pairs(itype=("int32", "int64"), stype=("int32", "int64"), rank=(0, 1, 2, 3, 4, 11), scalar=HOW, variable=HOW)):
            rank = 1 if p["rank"] == 11 else p["rank"]
            shape = [int(d) for d in rng.integers(1, 6, max(rank, 1))]
            n = Node(p["variable"])
            rows = int(rng.integers(1, 6))
            if rank == 0:
                idx, rows = np.array(rng.integers(shape[0]), p["itype"]), 1
            elif p["rank"] == 11:  # a vector of positions
                idx = np.array(rng.integers(0, shape[0], rows), p["itype"])
            else:
                idx = np.array(np.stack([rng.integers(0, d, rows) for d in shape], 1), p["itype"])
            n.input(idx).index(shape, p["stype"])
            n.input(sample(rng, dtype, () if p["scalar"] else (rows,))).const(np.array(sample(rng, dtype, ())))
            yield n.case(label(dtype, i, **p), "SPARSE_TO_DENSE", dtype, options("SparseToDense"))
    n = Node().input(np.zeros((0, 2), np.int32)).index((2, 3)).input(np.zeros(0, np.float32)).const(np.float32(7))
    yield n.case("none", "SPARSE_TO_DENSE", "float32", options("SparseToDense"))


@operator("MATRIX_DIAG")
def matrix_diag(rng):
    for dtype in RANKED:
        for i, shape in enumerate(((1,), (4,), (2, 3), (2, 1, 3), (0, 2), (2, 0), (1, 2, 3, 2))):
            yield Node().input(sample(rng, dtype, shape), quant(dtype)).case(label(dtype, i), "MATRIX_DIAG", dtype, options("MatrixDiag"), quant(dtype))


@operator("MATRIX_SET_DIAG")
def matrix_set_diag(rng):
    for dtype in RANKED:
        for i, shape in enumerate(((3, 3), (2, 4), (4, 2), (2, 3, 3), (2, 2, 3, 2), (0, 2, 2), (2, 0, 3), (1, 1))):
            diag = shape[:-2] + (min(shape[-2:]),)
            n = Node().input(sample(rng, dtype, shape), quant(dtype)).input(sample(rng, dtype, diag), quant(dtype))
            yield n.case(label(dtype, i), "MATRIX_SET_DIAG", dtype, options("MatrixSetDiag"), quant(dtype))
    for i, (shape, diag) in enumerate((((3, 3), (4,)), ((2, 4, 3), (2, 4)), ((2, 2, 2), (5,)), ((2, 0, 3), (2, 1)))):  # more than is needed
        yield Node().input(sample(rng, "int32", shape)).input(sample(rng, "int32", diag)).case(label("more", i), "MATRIX_SET_DIAG", "int32", options("MatrixSetDiag"))


@operator("BUCKETIZE")
def bucketize(rng):
    bounds = {"none": [], "one": [0.0], "some": [-3, -0.5, 0, 2, 2, 10, 1e9], "many": sorted(rng.normal(0, 10, 33)), "wide": [-np.inf, 1 << 24, (1 << 24) + 2, np.inf]}
    for dtype in ("float32", "float64", "int32", "int64"):
        for name, b in bounds.items():
            b = np.float32(b)
            for shape in ((20,), (2, 3, 2), (), (0, 3)):
                x = np.array(rng.integers(-12, 12, shape)).astype(dtype)
                if dtype.startswith("float"):
                    x = np.where(rng.random(shape) < 0.5, x, np.array(rng.normal(0, 8, shape)).astype(dtype))
                flat = x.reshape(-1)
                if len(shape) == 1:
                    flat[:4] = [(1 << 24) - 1, 1 << 24, (1 << 24) + 1, (1 << 24) + 3]
                    if dtype.startswith("float"):
                        flat[4:8] = [np.nan, np.inf, -np.inf, -0.0]
                    else:
                        flat[4:6] = [np.iinfo(dtype).max, np.iinfo(dtype).min]
                yield Node().input(x).case(label(f"{dtype}-{name}", len(shape)), "BUCKETIZE", "int32", options("Bucketize", boundaries=b))


def boxes(rng, n, spread=1.0, flat=False):
    """Corners of n boxes, many of which overlap; the diagonal is any of the two."""
    middle, size = rng.random((n, 2)) * spread, rng.random((n, 2)) * 0.5
    if flat:
        size[rng.random(n) < 0.4, 0] = 0
    b = np.float32(np.concatenate([middle - size, middle + size], 1))
    swap = rng.random(n) < 0.3
    b[swap] = b[swap][:, [2, 3, 0, 1]]
    return b


def nms(rng, name, soft):
    def build(label_, b, s, most, iou, threshold, sigma=0.0, variable=False, shape=True):
        n = Node(variable).input(np.float32(b)).input(np.float32(s)).index(np.int32(most))
        for v in (iou, threshold) + ((sigma,) if soft else ()):
            n.const(np.float32(v))
        return n.case(label_, name, ("int32", "float32", "int32") if soft else ("int32", "int32"), options(name.title().replace("_", "")))

    sigmas = (0.0, 0.1, 0.5, 2.0) if soft else (0.0,)
    for i, p in enumerate(pairs(n=(1, 6, 25, 60), most=(0, 1, 4, 30, 100), iou=(0.0, 0.3, 0.5, 0.9, 1.0), threshold=(-np.inf, 0.0, 0.4, 2.0), sigma=sigmas, variable=HOW)):
        s = np.float32(rng.random(p["n"]))
        yield build(label("sweep", i, **p), boxes(rng, p["n"]), s, p["most"], p["iou"], p["threshold"], p["sigma"], p["variable"])
    for i in range(24):  # equal scores: in the order in which the queue gives them out
        s = np.float32(rng.integers(0, 3, 20)) / 4
        yield build(label("ties", i), boxes(rng, 20, 3.0, flat=i % 4 == 3), s, 20, 0.4 + 0.1 * (i % 3), -1.0, sigmas[i % len(sigmas)], bool(i % 2))
    for i in range(4):
        yield build(label("equal", i), boxes(rng, 17 + i, 20.0), np.ones(17 + i, np.float32), 12, 0.5, 0.0, sigmas[i % len(sigmas)])
    for i in range(6):  # without area a box does not suppress itself
        yield build(label("flat", i), boxes(rng, 10, flat=True), rng.random(10), 8, 0.5, 0.1, sigmas[i % len(sigmas)])
    yield build("none", np.zeros((0, 4)), np.zeros(0), 3, 0.5, 0.0)
    b = boxes(rng, 8)
    b[2, 1] = np.nan
    yield build("nan", b, rng.random(8), 8, 0.5, 0.0, sigmas[-1])
    s = np.float32(rng.random(8))
    s[[1, 5]] = np.nan, np.inf
    yield build("scores", boxes(rng, 8), s, 8, 0.5, 0.0, sigmas[-1])
    if soft:
        b = boxes(rng, 12)
        b[[1, 4, 7], 2] = np.nan, np.inf, -np.inf
        yield build("endless", b, rng.random(12), 12, 0.9, 0.1, np.inf)


@operator("NON_MAX_SUPPRESSION_V4")
def nms_v4(rng):
    yield from nms(rng, "NON_MAX_SUPPRESSION_V4", False)


@operator("NON_MAX_SUPPRESSION_V5")
def nms_v5(rng):
    yield from nms(rng, "NON_MAX_SUPPRESSION_V5", True)


@operator("TFLite_Detection_PostProcess")
def detection(rng):
    def build(name, n, classes, background=True, most=5, each=1, regular=False, per_class=None, kinds="fff", iou=0.5, threshold=0.1, width=4, tie=False, anchors=None, columns_of=4):
        m, data, operands = Model(), [], []
        columns = classes + background
        real = {"e": np.float32(rng.normal(0, 1, (1, n, width))), "p": np.float32(rng.random((1, n, columns))),
                "a": np.float32(np.concatenate([rng.random((anchors or n, 2)), 0.2 + rng.random((anchors or n, 2)) * 0.3], 1)).reshape(-1, columns_of)}
        if tie:
            real["p"] = np.float32(rng.integers(0, 4, (1, n, columns))) / 4
        for kind, (key, x) in zip(kinds, real.items()):
            if kind == "q":
                lo, hi = min(x.min(), 0), max(x.max(), 0.1)
                q = Quant(np.float32((hi - lo) / 255), int(round(-lo / (hi - lo) * 255)))
                x = np.uint8(np.clip(np.round(x / q.scale[0]) + q.zero[0], 0, 255))
                operands.append(m.input("uint8", x.shape, q))
            else:
                operands.append(m.input("float32", x.shape))
            data.append(x)
        b, c, s = m.value("float32", ()), m.value("float32", ()), m.value("float32", ())
        count = m.output("float32", (1,))
        fields = dict(max_detections=most, max_classes_per_detection=each, nms_score_threshold=float(threshold), nms_iou_threshold=float(iou),
                      num_classes=classes, y_scale=10.0, x_scale=10.0, h_scale=5.0, w_scale=5.0)
        if regular or n % 2:
            fields["use_regular_nms"] = regular
        if per_class is not None:
            fields["detections_per_class"] = per_class
        custom(m, "TFLite_Detection_PostProcess", operands, [b, c, s, count], **fields)
        # Behind the detections the results are undefined: take what is before.
        whole, total, rows = m.value("int32", (1,)), m.value("int32", (1,)), m.value("int32", ())
        m.op("CAST", [count], [whole], options("Cast", inDataType=0, outDataType=2))
        m.op("MUL", [whole, m.const(np.int32([1 if regular else each]))], [total], options("Mul"))
        m.op("RESHAPE", [total, m.const(np.zeros(0, np.int32))], [rows])
        places = m.value("int32", (1,))
        zero, one = (m.value("int32", (), None, np.int32(k).tobytes()) for k in (0, 1))
        m.op("RANGE", [zero, rows, one], [places], options("Range"))
        for v in (b, c, s):
            m.op("GATHER", [v, places], [m.output("float32", ())], options("Gather", axis=1))
        return Case(name, m, data)

    for i, p in enumerate(pairs(n=(1, 6, 30), classes=(1, 2, 5), background=HOW, most=(1, 3, 10, 40), regular=HOW, kinds=("fff", "qqq", "fqf", "qfq"),
                                iou=(0.1, 0.5, 1.0), threshold=(-1.0, 0.3, 0.8, 2.0))):
        yield build(label("sweep", i, **p), **p)
    for i in range(8):
        yield build(label("classes", i), 12, 6, bool(i % 2), 4, 1 + i % 5, iou=0.4)
    for i in range(16):
        yield build(label("ties", i), 20, 3 + i % 6, bool(i % 2), 10, 1 + i % 3 if i < 8 else 1, i >= 8, per_class=(None, 2)[i % 2], tie=True, iou=0.6)
    for i in range(4):
        yield build(label("ranking", i), 6, 40 + i, True, 6, 20, tie=True, iou=1.0, threshold=0.0)
    for i, k in enumerate((1, 3, 200)):
        yield build(label("perclass", i), 20, 4, True, 12, 1, True, k)
    yield build("wide", 9, 2, width=6)
    for i, (k, columns_of, kinds) in enumerate(((18, 4, "fff"), (11, 4, "qqq"), (9, 2, "fqf"), (18, 8, "qfq"), (9, 1, "fff"))):  # anchors to spare, in other rows
        yield build(label("anchors", i), 9, 2, regular=bool(i % 2), anchors=k, columns_of=columns_of, kinds=kinds)
