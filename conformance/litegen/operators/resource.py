"""Variables and tables that nodes and subgraphs share."""

import numpy as np

from ..archive import tensor_bytes
from ..case import Case, label, operator
from ..model import Model, options
from .move import sample
from .stablehlo import Program

CODE = {"int64": 4, "string": 5}
VALUES = ("float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "complex64", "complex128", "int4")


def constant(m, x):
    return m.value("string" if x.dtype == object else x.dtype.name, x.shape, None, tensor_bytes(x))


def variable(m, name="v", container="", shape=(), dtype="resource"):
    h = m.value(dtype, shape)
    m.op("VAR_HANDLE", [], [h], options("VarHandle", container=container, sharedName=name))
    return h


def assign(m, handle, value):
    m.op("ASSIGN_VARIABLE", [handle, value], [], options("AssignVariable"))


def read(m, handle, dtype, shape, output=True, signature=None):
    v = m.value(dtype, shape, signature=signature)
    if output:
        m.sub.outputs.append(v)
    m.op("READ_VARIABLE", [handle], [v], options("ReadVariable"))
    return v


def add(m, a, b, dtype, shape):
    v = m.value(dtype, shape)
    m.op("ADD", [a, b], [v], options("Add"))
    return v


def initialized(fill):
    """A model whose first node has a subgraph fill resources once."""
    m = Program()
    n, f = m.function()
    fill(f)
    m.op("CALL_ONCE", [], [], options("CallOnce", initSubgraphIndex=n))
    return m


def counter(dtype="float32", shape=(3,), declared=None):
    """value += input, from a start that is set once; the value before and after."""
    start = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    m = initialized(lambda f: assign(f, variable(f), constant(f, start)))
    x = m.input(dtype, shape)
    h = variable(m)
    before = read(m, h, dtype, shape if declared is None else declared)
    assign(m, h, add(m, before, x, dtype, shape))
    read(m, h, dtype, shape)
    return m


@operator("VAR_HANDLE")
def var_handle(rng):
    for i, (names, same) in enumerate(((("a", "a"), True), (("a", "b"), False), (("", "a"), False))):
        for containers in (("", ""), ("x", "x"), ("x", "y")):
            m = Model()
            x, y = m.input("int32", (2,)), m.input("int32", (2,))
            handles = [variable(m, n, c) for n, c in zip(names, containers)]
            for h, v in zip(handles, (x, y)):
                assign(m, h, v)
            for h in handles:
                read(m, h, "int32", (2,))
            yield Case(label("names", i, names=containers), m, [sample(rng, "int32", (2,)) for _ in range(2)])
    for dtype in ("resource", "int32"):
        for shape in ((), (1,)):
            m = Model()
            h = variable(m, shape=shape, dtype=dtype)
            assign(m, h, m.input("float32", (2,)))
            read(m, h, "float32", (2,))
            yield Case(f"handle/{dtype}-{len(shape)}", m, [sample(rng, "float32", (2,))])


@operator("READ_VARIABLE")
def read_variable(rng):
    for dtype in VALUES:
        for i, (shape, declared) in enumerate((((3,), (3,)), ((2, 2), ()), ((), ()), ((0, 2), ()), ((4,), (2, 2)))):
            m = Model()
            h = variable(m)
            assign(m, h, m.input(dtype, shape))
            read(m, h, dtype, declared)
            yield Case(label(dtype, i), m, [[sample(rng, dtype, shape)] for _ in range(2)])
    m = Model()  # LiteRT crashes on variables that hold more than no strings
    h = variable(m)
    assign(m, h, m.input("string", (0, 2)))
    read(m, h, "string", ())
    yield Case("string", m, [[sample(rng, "string", (0, 2))]])
    for dtype in ("float32", "int32", "int64"):
        for i, shape in enumerate(((3,), (), (2, 0), (2, 1, 2))):
            yield Case(label(f"once-{dtype}", i), counter(dtype, shape), [[np.array(sample(rng, dtype, shape))] for _ in range(3)])
    # An older value stays what it was when the variable changes.
    m = counter()
    yield Case("kept", m, [[np.float32([1, 2, 3])], [np.float32([0.5, 0, -1])]])
    # The shape changes from one invocation to the next.
    m = Model()
    h = variable(m)
    assign(m, h, m.input("float32", (1,), signature=(-1,)))
    v = read(m, h, "float32", (), False)
    m.op("ADD", [v, v], [m.output("float32", ())], options("Add"))
    yield Case("resized", m, [[sample(rng, "float32", (n,))] for n in (2, 5, 1)])
    # As many elements as the declared shape has: of a larger variable the first ones.
    for i, (declared, signature) in enumerate((((1, 3), None), ((1, 3), (-1, 3)), ((2,), None), ((0, 3), None))):
        m = Model()
        h = variable(m)
        assign(m, h, m.input("float32", (1, 3), signature=(-1, 3)))
        read(m, h, "float32", declared, signature=signature)
        yield Case(label("first", i), m, [[sample(rng, "float32", (n, 3))] for n in (1, 4, 2)])
    # A variable keeps its value when an input is resized.
    m = initialized(lambda f: assign(f, variable(f), constant(f, np.zeros(2, np.int32))))
    x, h = m.input("int32", (1,), signature=(-1,)), variable(m)
    total = m.value("int32", ())
    m.op("SUM", [x, constant(m, np.int32([0]))], [total], options("Reducer"))
    assign(m, h, add(m, read(m, h, "int32", (2,)), total, "int32", (2,)))
    yield Case("kept-resized", m, [[sample(rng, "int32", (n,)) // 16] for n in (1, 1, 3, 3, 2)])


@operator("ASSIGN_VARIABLE")
def assign_variable(rng):
    for dtype in VALUES:
        m = Model()
        h = variable(m)
        x, y = m.input(dtype, (2, 3)), m.input(dtype, (2,))
        assign(m, h, x)
        read(m, h, dtype, (2, 3))
        assign(m, h, y)  # another shape
        read(m, h, dtype, ())
        yield Case(f"twice/{dtype}", m, [sample(rng, dtype, (2, 3)), sample(rng, dtype, (2,))])
    # In both branches of a condition, whose subgraphs have handles of their own.
    for shape in ((2,), ()):
        m = initialized(lambda f: assign(f, variable(f), constant(f, np.zeros(shape, np.int32))))
        branches = []
        for k in range(2):
            n, f = m.function()
            x, h = f.input("int32", shape), variable(f)
            v = add(f, read(f, h, "int32", shape, False), x, "int32", shape) if k == 0 else x
            assign(f, h, v)
            read(f, h, "int32", shape)
            branches.append(n)
        c, x = m.input("bool", ()), m.input("int32", shape)
        m.op("IF", [c, x], [m.output("int32", shape)], options("If", thenSubgraphIndex=branches[0], elseSubgraphIndex=branches[1]))
        read(m, variable(m), "int32", shape)
        steps = [[np.array(b), np.array(rng.integers(0, 9, shape), np.int32)] for b in (True, True, False, True)]
        yield Case(label("branches", len(shape)), m, steps)


def table(m, number, key):
    h = m.value("resource", (1,))
    m.op("HASHTABLE", [], [h], options("Hashtable", tableId=number, keyDtype=CODE[key], valueDtype=CODE[other(key)]))
    return h


def other(key):
    return "string" if key == "int64" else "int64"


def entries(rng, key, n, wide=False):
    words = np.array([f"w{k}".encode() if k % 7 else b"" for k in range(n)], object)
    numbers = np.int64(rng.permutation(3 * n)[:n] - n)
    if wide and n > 1:
        numbers[:2] = [1 << 62, -(1 << 62)]
    return (numbers, words) if key == "int64" else (words, numbers)


def fill(m, h, keys, values):
    m.op("HASHTABLE_IMPORT", [h, constant(m, keys), constant(m, values)], [], options("HashtableImport"))


def find(m, h, key, keys, shape, fallback):
    m.op("HASHTABLE_FIND", [h, keys, constant(m, fallback)], [m.output(other(key), shape)], options("HashtableFind"))


def fallback(key):
    return np.array(b"none", object) if key == "int64" else np.array(-7, np.int64)


def lookups(rng, name):
    for key in ("int64", "string"):
        for i, (n, shape) in enumerate(((1, (4,)), (9, (2, 3)), (30, ()), (5, (0, 2)), (0, (3,)))):
            keys, values = entries(rng, key, n, True)
            asked = np.array([keys[int(rng.integers(n))] if n and rng.random() < 0.7 else (b"?" if key == "string" else 12345) for _ in range(int(np.prod(shape)))],
                             object if key == "string" else np.int64).reshape(shape)
            if key == "string" and not shape:
                asked = np.array(asked.item() or b"?")  # LiteRT's Python takes no object array of rank 0, and "" there for "\0"
            for inside in (False, True):
                m = initialized(lambda f: fill(f, table(f, 3, key), keys, values)) if inside else Model()
                x = m.input(key, shape)
                h = table(m, 3, key)
                if not inside:
                    fill(m, h, keys, values)
                find(m, h, key, x, shape, fallback(key))
                m.op("HASHTABLE_SIZE", [h], [m.output("int64", (1,))], options("HashtableSize"))
                yield Case(label(f"{key}-{'once' if inside else 'main'}", i), m, [[asked], [asked]], "builtin")


@operator("HASHTABLE_FIND")
def hashtable_find(rng):
    yield from lookups(rng, "HASHTABLE_FIND")


@operator("HASHTABLE_IMPORT")
def hashtable_import(rng):
    for key in ("int64", "string"):  # of equal keys the first counts, a second import does not
        m = Model()
        x = m.input(key, (4,))
        h = table(m, 1, key)
        keys, values = entries(rng, key, 4)
        twice = np.concatenate([keys, keys[:2]]), np.concatenate([values, values[2:]])
        fill(m, h, *twice)
        fill(m, h, keys[:1], values[1:2])
        find(m, h, key, x, (4,), fallback(key))
        m.op("HASHTABLE_SIZE", [h], [m.output("int64", (1,))], options("HashtableSize"))
        yield Case(f"equal/{key}", m, [keys], "builtin")


@operator("HASHTABLE")
def hashtable(rng):
    m = Model()  # tables by number
    x, y = m.input("string", (2,)), m.input("int64", (3,))
    for number, key, asked in ((1, "string", x), (2, "int64", y), (1, "string", x)):
        h = table(m, number, key)
        fill(m, h, *entries(rng, key, 4 + number))
        find(m, h, key, asked, (2,) if key == "string" else (3,), fallback(key))
    yield Case("numbers", m, [np.array([b"w1", b"w9"], object), np.int64([0, 1, 2])], "builtin")
    m = Model()  # beside a variable
    x = m.input("int64", (2,))
    h = table(m, 5, "int64")
    fill(m, h, *entries(rng, "int64", 4))
    v = variable(m)
    assign(m, v, x)
    find(m, h, "int64", read(m, v, "int64", (2,)), (2,), fallback("int64"))
    yield Case("variable", m, [np.int64([1, 100])], "builtin")


@operator("HASHTABLE_SIZE")
def hashtable_size(rng):
    for key in ("int64", "string"):
        for n in (0, 1, 20):
            m = Model()
            h = table(m, 7, key)
            fill(m, h, *entries(rng, key, n))
            m.op("HASHTABLE_SIZE", [h], [m.output("int64", (1,))], options("HashtableSize"))
            yield Case(f"{key}/{n}", m, [[]], "builtin")
    m = Model()
    m.op("HASHTABLE_SIZE", [table(m, 7, "int64")], [m.output("int64", (1,))], options("HashtableSize"))
    yield Case("empty", m, [[]], "builtin")
