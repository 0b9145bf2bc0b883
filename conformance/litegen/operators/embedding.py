"""EMBEDDING_LOOKUP, EMBEDDING_LOOKUP_SPARSE, HASHTABLE_LOOKUP, LSH_PROJECTION and SKIP_GRAM."""

import ml_dtypes  # noqa: F401 (NumPy's name for bfloat16)
import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of
from ..model import Model, Quant, options
from .weights import small


def table(rng, dtype, shape):
    if dtype == "string":
        words = np.empty(shape, object)
        words.reshape(-1)[:] = [b"x" * int(rng.integers(0, 5)) + b"%d" % i for i in range(words.size)]
        return words
    if "float" in dtype:
        return floats(rng, shape).astype(dtype)
    if dtype.startswith("complex"):
        return (floats(rng, shape) + 1j * floats(rng, shape)).astype(dtype)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    return ints(rng, dtype, shape)


PLAIN = ["float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"]
RARE = ["bfloat16", "float64", "uint16", "uint32", "uint64", "complex64", "complex128"]


@operator("EMBEDDING_LOOKUP")
def lookup(rng):
    for dtype in PLAIN:
        for i, (n, shape) in enumerate([(3, [5, 4]), (1, [2, 3, 2]), (0, [2, 2]), (7, [3, 1])]):
            m = Model()
            q = Quant(0.1, 3) if dtype in ("int8", "uint8") else None
            ids, x = m.input("int32", [n]), table(rng, dtype, shape)
            inputs = [rng.integers(0, shape[0], size=[n]).astype(np.int32)]
            if i % 2:
                t = m.input(dtype, shape, q)
                inputs.append(x)
            else:
                t = m.const(x, q)
            m.op("EMBEDDING_LOOKUP", [ids, t], [m.output(dtype, [n, *shape[1:]], q)])
            yield Case(label(dtype, i), m, inputs)
    for bits in (8, 4, 2):
        for out in ("float32", "float16"):
            for i, o in enumerate(pairs(per_row=[False, True], shape=[(5, 8), (3, 2, 4), (4, 12)], n=[1, 4])):
                m, shape = Model(), o["shape"]
                q = Quant([scale_of(rng) for _ in range(shape[0] if o["per_row"] else 1)], 0, 0)
                v = small(rng, bits, shape)
                t = m.const(v.view(np.uint8) if i % 3 == 2 else v, q) if bits == 8 else m.packed(v, bits, q)
                m.op("EMBEDDING_LOOKUP", [m.input("int32", [o["n"]]), t], [m.output(out, [o["n"], *shape[1:]])], version=5)
                yield Case(label(f"int{bits}-{out}", i, c=o["per_row"]), m, [rng.integers(0, shape[0], size=[o["n"]]).astype(np.int32)])
    for bits in (4, 2):
        for out in ("float32", "float16"):
            for i, (rows, width, block) in enumerate([(3, 8, 4), (5, 64, 32), (2, 16, 16)]):
                m = Model()
                t = m.blockwise(small(rng, bits, [rows, width]), bits, rng.uniform(0.01, 2, size=[rows, width // block]), block)
                m.op("EMBEDDING_LOOKUP", [m.input("int32", [4]), t], [m.output(out, [4, width])], version=5)
                yield Case(label(f"blockwise-int{bits}-{out}", i), m, [rng.integers(0, rows, size=[4]).astype(np.int32)])


@operator("EMBEDDING_LOOKUP")
def lookup_rare(rng):
    for i, dtype in enumerate(RARE):
        m = Model()
        m.op("EMBEDDING_LOOKUP", [m.input("int32", [2]), m.const(table(rng, dtype, [3, 2]))], [m.output(dtype, [2, 2])])
        yield Case(label(dtype, i), m, [np.int32([2, 0])])
    m = Model()
    t = m.packed(small(rng, 4, [3, 8]), 4, Quant(1))
    m.op("EMBEDDING_LOOKUP", [m.input("int32", [2]), t], [m.output("int4", [2, 8], Quant(1))], version=4)
    yield Case("int4/000", m, [np.int32([2, 1])])


@operator("EMBEDDING_LOOKUP")
def lookup_rows_of_part_bytes(rng):
    for i, (bits, width) in enumerate([(4, 5), (4, 1), (2, 5), (2, 6), (2, 7)]):
        m = Model()
        t = m.packed(small(rng, bits, [5, width]), bits, Quant([scale_of(rng) for _ in range(5)]))
        m.op("EMBEDDING_LOOKUP", [m.input("int32", [5]), t], [m.output("float32", [5, width])], version=5)
        yield Case(label(f"int{bits}-parts", i, w=width), m, [np.arange(5, dtype=np.int32)])


@operator("EMBEDDING_LOOKUP")
def lookup_zero_points(rng):
    """A float16 result ignores them, a float32 one all but the first."""
    for i, (out, zero) in enumerate([("float16", [3, -5]), ("float32", [0, 7])]):
        m = Model()
        t = m.const(ints(rng, "int8", [2, 4]), Quant([0.5, 0.25], zero))
        m.op("EMBEDDING_LOOKUP", [m.input("int32", [2]), t], [m.output(out, [2, 4])], version=4)
        yield Case(label("zero-" + out, i), m, [np.int32([1, 0])])


@operator("EMBEDDING_LOOKUP_SPARSE")
def lookup_sparse_wraps(rng):
    """Places are counted with 32 bits."""
    m = Model()
    ids, at, w = m.input("int32", [3]), m.input("int32", [3, 2]), m.input("float32", [3])
    m.op("EMBEDDING_LOOKUP_SPARSE", [ids, at, m.const(np.int32([2, 3])), w, m.const(floats(rng, [4, 4]))], [m.output("float32", [2, 4])],
         options("EmbeddingLookupSparse", combiner=0))
    yield Case("wraps/000", m, [np.int32([1, 3, 0]), np.int32([[0, 0], [1 << 30, 0], [-1, 0]]), floats(rng, [3])])


@operator("EMBEDDING_LOOKUP_SPARSE")
def lookup_sparse(rng):
    for i, o in enumerate(pairs(combiner=[0, 1, 2], dims=[(3, 4), (2, 3, 4), (5,)], width=[(2,), (3, 2)], n=[1, 4, 9], sort=[True, True, False])):
        m, rank = Model(), len(o["dims"])
        places = rng.integers(0, o["dims"], size=[o["n"], rank]).astype(np.int32)
        if o["sort"]:
            places = places[np.lexsort(places.T[::-1])]
        rows = 6
        ids, at = m.input("int32", [o["n"]]), m.input("int32", [o["n"], rank])
        size = m.const(np.int32(o["dims"])) if i % 2 else m.input("int32", [rank])
        w = m.input("float32", [o["n"]])
        t = m.const(floats(rng, [rows, *o["width"]]))
        y = m.output("float32", [*o["dims"][:-1], *o["width"]])
        m.op("EMBEDDING_LOOKUP_SPARSE", [ids, at, size, w, t], [y], options("EmbeddingLookupSparse", combiner=o["combiner"]))
        inputs = [rng.integers(0, rows, size=[o["n"]]).astype(np.int32), places]
        yield Case(label("float32", i, c=o["combiner"], d=o["dims"]), m,
                   inputs + ([] if i % 2 else [np.int32(o["dims"])]) + [floats(rng, [o["n"]])])


@operator("HASHTABLE_LOOKUP")
def hashtable_lookup(rng):
    for dtype in [*PLAIN, "string"]:
        for i, (n, shape) in enumerate([(3, [5, 4]), (6, [4]), (5, [7, 2, 2]), (4, [1])]):
            if dtype == "string":
                shape = shape[:1]
            m = Model()
            ids, keys = m.input("int32", [n]), m.input("int32", [shape[0]])
            k = np.sort(rng.integers(-9, 9, size=[shape[0]])).astype(np.int32)
            t = m.input(dtype, shape)
            m.op("HASHTABLE_LOOKUP", [ids, keys, t], [m.output(dtype, [n, *shape[1:]]), m.output("uint8", [n])])
            x = np.where(rng.random(n) < 0.7, rng.choice(k, size=[n]), rng.integers(-12, 12, size=[n])).astype(np.int32)
            yield Case(label(dtype, i), m, [x, k, table(rng, dtype, shape)])


@operator("HASHTABLE_LOOKUP")
def hashtable_lookup_rare(rng):
    for i, dtype in enumerate(RARE):
        m = Model()
        ids, keys = m.input("int32", [2]), m.input("int32", [3])
        m.op("HASHTABLE_LOOKUP", [ids, keys, m.const(table(rng, dtype, [3, 2]))], [m.output(dtype, [2, 2]), m.output("uint8", [2])])
        yield Case(label(dtype, i), m, [np.int32([4, 1]), np.int32([1, 2, 3])])


@operator("HASHTABLE_LOOKUP")
def hashtable_lookup_extremes(rng):
    """Keys whose differences do not fit 32 bits, and keys out of order."""
    low, high = -(1 << 31), (1 << 31) - 1
    for i, keys in enumerate([[low, -5, 0, 7, high], [3, high, low, 1, 0]]):
        m, x = Model(), np.int32([low, high, 0, 1, -5, 7])
        m.op("HASHTABLE_LOOKUP", [m.input("int32", [6]), m.const(np.int32(keys)), m.const(floats(rng, [5]))],
             [m.output("float32", [6]), m.output("uint8", [6])])
        yield Case(label("extremes", i), m, [x])


@operator("LSH_PROJECTION")
def lsh_projection_rare(rng):
    for i, dtype in enumerate([*RARE, "float16", "bool"]):
        m = Model()
        m.op("LSH_PROJECTION", [m.const(floats(rng, [2, 3])), m.const(table(rng, dtype, [3, 2]))], [m.output("int32", [6])],
             options("LSHProjection", type=2))
        yield Case(label(dtype, i), m, [])
    for i, bits in enumerate([31, 32]):
        m = Model()
        m.op("LSH_PROJECTION", [m.const(floats(rng, [3, bits])), m.input("int32", [3, 2])], [m.output("int32", [3])],
             options("LSHProjection", type=1))
        yield Case(label("all-bits", i, b=bits), m, [ints(rng, "int32", [3, 2])])


@operator("LSH_PROJECTION")
def lsh_projection(rng):
    for dtype in ("int32", "int64", "float32", "int8", "uint8", "int16"):
        axes = dict(kind=[1, 2], hashes=[1, 3], bits=[1, 4, 12], items=[1, 5], inner=[(), (1,), (3, 7), (40,)], weights=[True, False])
        for i, o in enumerate(pairs(**axes)):
            m, shape = Model(), [o["items"], *o["inner"]]
            h, x = m.const(floats(rng, [o["hashes"], o["bits"]], 100)), m.input(dtype, shape)
            inputs, data = [h, x], [table(rng, dtype, shape)]
            if o["weights"]:
                inputs.append(m.input("float32", [o["items"]]))
                data.append(floats(rng, [o["items"]]))
            n = o["hashes"] * (o["bits"] if o["kind"] == 2 else 1)
            m.op("LSH_PROJECTION", inputs, [m.output("int32", [n])], options("LSHProjection", type=o["kind"]))
            yield Case(label(dtype, i, t=o["kind"]), m, data)


TEXTS = ["", "one", "the quick brown fox jumps over the lazy dog", "  led by  blanks ", "a\tb\nc d", " x", "x ", "a b", "über größe straße"]


@operator("SKIP_GRAM")
def skip_gram(rng):
    for t, text in enumerate(TEXTS):
        for i, o in enumerate(pairs(n=[1, 2, 3], skip=[0, 1, 3], all=[False, True])):
            m = Model()
            m.op("SKIP_GRAM", [m.input("string", [1])], [m.output("string", [1])],
                 options("SkipGram", ngramSize=o["n"], maxSkipSize=o["skip"], includeAllNgrams=o["all"]))
            yield Case(label(f"text{t}", i, n=o["n"], s=o["skip"], a=o["all"]), m, [np.array([text.encode()], object)])
