"""Operators that run other subgraphs."""

import itertools

import numpy as np

from ..case import Case, label, operator
from ..model import Model, options
from .move import HOW, sample
from .resource import VALUES, add, assign, constant, initialized, read, variable
from .stablehlo import Program

MOVED = VALUES + ("string",)


def whole(rng, shape, dtype="int32"):
    return np.array(rng.integers(-9, 10, shape), dtype)


def node(f, name, ins, dtype, shape, kind=None, output=False, **fields):
    v = f.output(dtype, shape) if output else f.value(dtype, shape)
    f.op(name, ins, [v], options(kind or name.title().replace("_", ""), **fields))
    return v


def number(f, k, dtype="int32", shape=()):
    return constant(f, np.full(shape, k, dtype))


def branch(m, operands, fill):
    """A subgraph of the given (dtype, shape)s; fill returns its results."""
    n, f = m.function()
    f.sub.outputs = list(fill(f, *[f.input(*o) for o in operands]))
    return n


def remembering(f, x):
    """An SVDF of a float32[1,2], whose state is a variable of its subgraph."""
    weights = constant(f, np.float32([[1, 2], [3, 4]])), constant(f, np.float32([[1, 10, 100], [2, 20, 200]]))
    v = f.value("float32", (1, 2))
    f.op("SVDF", [x, *weights, None, f.value("float32", (1, 6), variable=True)], [v], options("SVDF", rank=1))
    return v


def case_of(name, operands, then, otherwise, data, results, shape=()):
    m = Program()
    branches = [branch(m, operands, b) for b in (then, otherwise)]
    c = m.input("bool", shape)
    m.op("IF", [c] + [m.input(*o) for o in operands], [m.output(*r) for r in results], options("If", thenSubgraphIndex=branches[0], elseSubgraphIndex=branches[1]))
    return Case(name, m, [[np.full(shape, b), *data] for b in (True, False, True)])


@operator("IF")
def if_(rng):
    for dtype in MOVED:  # the branches return an operand each
        for i, shape in enumerate(((2, 3), (1,))):
            x, y = sample(rng, dtype, shape), sample(rng, dtype, shape)
            yield case_of(label(f"{dtype}-choose", i), [(dtype, shape)] * 2, lambda f, a, b: [a], lambda f, a, b: [b], [x, y], [(dtype, shape)])
    s = (3,)
    two = [("int32", s)] * 2
    plus = lambda f, a, b: [node(f, "ADD", [a, b], "int32", s)]
    times = lambda f, a, b: [node(f, "MUL", [a, b], "int32", s)]
    for i, shape in enumerate(((), (1,), (1, 1))):
        yield case_of(label("condition", i), two, plus, times, [whole(rng, s), whole(rng, s)], two[:1], shape)
    yield case_of("constant", two, lambda f, a, b: [constant(f, np.int32([1, 2, 3]))], plus, [whole(rng, s), whole(rng, s)], two[:1])
    yield case_of("unused", two, lambda f, a, b: [node(f, "NEG", [b], "int32", s)], lambda f, a, b: [a], [whole(rng, s), whole(rng, s)], two[:1])
    yield case_of("swap", two, lambda f, a, b: [a, b], lambda f, a, b: [b, a], [whole(rng, s), whole(rng, s)], two)
    yield case_of("twice", two, lambda f, a, b: [a, a], lambda f, a, b: [b, b], [whole(rng, s), whole(rng, s)], two)
    yield case_of("none", [], lambda f: [number(f, 4, shape=s)], lambda f: [number(f, 5, shape=s)], [], two[:1])
    for i, (n, k) in enumerate(((3, 5), (1, 0), (0, 2))):  # results of different shapes
        yield case_of(label("shapes", i), [("int32", (n,)), ("int32", (k,))], lambda f, a, b: [node(f, "CONCATENATION", [a, b], "int32", (n + k,))],
                      lambda f, a, b: [node(f, "NEG", [b], "int32", (k,))], [whole(rng, (n,)), whole(rng, (k,))], [("int32", (n + k,))])
    for i in range(3):  # shapes that follow from data
        def ranged(f, a):
            return [node(f, "RANGE", [number(f, 0), a, number(f, 1)], "int32", (1,))]

        yield case_of(label("data", i), [("int32", ())], ranged, lambda f, a: [node(f, "RESHAPE", [a, constant(f, np.int32([1]))], "int32", (1,))], [np.array(i * 2, np.int32)], [("int32", (1,))])
    m = Program()  # nested: a clamp
    inner = [branch(m, [("int32", s)], g) for g in (lambda f, a: [number(f, 5, shape=s)], lambda f, a: [a])]

    def outer(f, x):
        big = node(f, "REDUCE_ANY", [node(f, "GREATER", [x, number(f, 5)], "bool", s), constant(f, np.int32([0]))], "bool", (), "Reducer")
        v = f.value("int32", s)
        f.op("IF", [big, x], [v], options("If", thenSubgraphIndex=inner[0], elseSubgraphIndex=inner[1]))
        return [v]

    branches = [branch(m, [("int32", s)], g) for g in (outer, lambda f, x: [node(f, "NEG", [x], "int32", s)])]
    c, x = m.input("bool", ()), m.input("int32", s)
    y = m.value("int32", s)
    m.op("IF", [c, x], [y], options("If", thenSubgraphIndex=branches[0], elseSubgraphIndex=branches[1]))
    node(m, "ADD", [y, x], "int32", s, output=True)
    yield Case("nested", m, [[np.array(b), np.int32(v)] for b, v in ((True, [1, 2, 3]), (True, [1, 9, 3]), (False, [1, 9, 3]))])
    m = Program()  # resized operands
    branches = [branch(m, [("float32", (1,))], g) for g in (lambda f, a: [node(f, "ABS", [a], "float32", (1,))], lambda f, a: [a])]
    c, x = m.input("bool", ()), m.input("float32", (1,), signature=(-1,))
    m.op("IF", [c, x], [m.output("float32", (1,))], options("If", thenSubgraphIndex=branches[0], elseSubgraphIndex=branches[1]))
    yield Case("resized", m, [[np.array(b), np.float32(rng.normal(0, 1, n))] for b, n in ((True, 3), (False, 3), (False, 5), (True, 1))])
    m = Program()  # variables as operands
    handles = [("resource", ())] * 2
    branches = [branch(m, handles, lambda f, a, b, k=k: [read(f, (a, b)[k], "int32", s, False)]) for k in range(2)]
    c, x, y = m.input("bool", ()), m.input("int32", s), m.input("int32", s)
    both = [variable(m, n) for n in ("x", "y")]
    for h, v in zip(both, (x, y)):
        assign(m, h, v)
    m.op("IF", [c, *both], [m.output("int32", s)], options("If", thenSubgraphIndex=branches[0], elseSubgraphIndex=branches[1]))
    yield Case("variables", m, [[np.array(b), whole(rng, s), whole(rng, s)] for b in (True, False)])
    m = Program()  # a variable as the result
    branches = [branch(m, handles, lambda f, a, b, k=k: [(a, b)[k]]) for k in range(2)]
    c, x, y = m.input("bool", ()), m.input("int32", s), m.input("int32", s)
    both = [variable(m, n) for n in ("x", "y")]
    for h, v in zip(both, (x, y)):
        assign(m, h, v)
    h = m.value("resource", ())
    m.op("IF", [c, *both], [h], options("If", thenSubgraphIndex=branches[0], elseSubgraphIndex=branches[1]))
    read(m, h, "int32", s)
    yield Case("handles", m, [[np.array(b), whole(rng, s), whole(rng, s)] for b in (True, False)])
    x = ("float32", (1, 2))  # a variable of a branch is reset by each call
    yield case_of("state", [x], lambda f, a: [remembering(f, a)], lambda f, a: [a], [np.float32([[1, 2]])], [x])


def loop(m, operands, condition, body, results=None):
    """A WHILE over new inputs of the given (dtype, shape)s."""
    c, b = branch(m, operands, condition), branch(m, operands, body)
    outs = [m.output(*r) for r in results or operands]
    m.op("WHILE", [m.input(*o) for o in operands], outs, options("While", condSubgraphIndex=c, bodySubgraphIndex=b))
    return outs


COUNT = [("int32", ()), ("int32", ())]  # i and n


def below(f, i, n, *_):
    return [node(f, "LESS", [i, n], "bool", ())]


def next_(f, i):
    return node(f, "ADD", [i, number(f, 1)], "int32", ())


@operator("WHILE")
def while_(rng):
    turns = [[np.array(0, np.int32), np.array(n, np.int32)] for n in (0, 1, 5, 0, 3)]
    for dtype in VALUES:  # carried along
        m = Program()
        loop(m, COUNT + [(dtype, (2, 2))], below, lambda f, i, n, x: [next_(f, i), n, x])
        x = sample(rng, dtype, (2, 2))
        yield Case(f"carried/{dtype}", m, [t + [x] for t in turns[:3]])
    for dtype in ("float32", "int32", "int64"):
        for i, s in enumerate(((), (3,), (2, 2), (0,))):
            m = Program()
            loop(m, COUNT + [(dtype, s), (dtype, s)], below, lambda f, i, n, a, b: [next_(f, i), n, b, node(f, "ADD", [a, b], dtype, s)])
            yield Case(label(f"fibonacci-{dtype}", i), m, [t + [np.full(s, 0, dtype), np.full(s, 1, dtype)] for t in turns])
    m = Program()  # as many values of a float as are below a bound
    loop(m, [("float32", ()), ("int32", ())], lambda f, x, i: [node(f, "LESS", [x, number(f, 100, "float32")], "bool", ())],
         lambda f, x, i: [node(f, "MUL", [x, number(f, 3, "float32")], "float32", ()), next_(f, i)])
    yield Case("float", m, [[np.array(v, np.float32), np.array(0, np.int32)] for v in (1, 1000, 0.1)])
    for i, (s, axis) in enumerate((((1,), 0), ((2, 1), 1), ((1, 3), 0))):  # growing
        m = Program()
        loop(m, COUNT + [("float32", s)], below,
             lambda f, i, n, x: [next_(f, i), n, node(f, "CONCATENATION", [x, constant(f, np.ones([1 if k == axis else d for k, d in enumerate(s)], np.float32))], "float32", s, axis=axis)])
        yield Case(label("growing", i), m, [t + [np.float32(rng.normal(0, 1, s))] for t in turns])
    m = Program()  # doubling, then used
    outs = loop(m, COUNT + [("int32", (1,))], below, lambda f, i, n, x: [next_(f, i), n, node(f, "CONCATENATION", [x, node(f, "NEG", [x], "int32", (1,))], "int32", (2,))])
    m.op("ADD", [outs[2], outs[1]], [m.output("int32", (1,))], options("Add"))
    yield Case("doubling", m, [t + [np.int32([3])] for t in turns])
    m = Program()  # shrinking to nothing
    loop(m, [("int32", (4,))], lambda f, x: [node(f, "GREATER", [node(f, "RESHAPE", [node(f, "SHAPE", [x], "int32", (1,), outType=2), constant(f, np.zeros(0, np.int32))], "int32", ()), number(f, 1)], "bool", ())],
         lambda f, x: [node(f, "STRIDED_SLICE", [x] + [constant(f, np.int32([k])) for k in (1, 0, 1)], "int32", (4,), endMask=1)])
    yield Case("shrinking", m, [[whole(rng, (n,))] for n in (4, 1, 7)])
    m = Program()  # nested: i·n by additions
    inner = COUNT + [("int32", ())]
    c, b = branch(m, inner, below), branch(m, inner, lambda f, j, n, x: [next_(f, j), n, next_(f, x)])

    def turn(f, i, n, x):
        outs = [f.value("int32", ()) for _ in range(3)]
        f.op("WHILE", [number(f, 0), i, x], outs, options("While", condSubgraphIndex=c, bodySubgraphIndex=b))
        return [next_(f, i), n, outs[2]]

    loop(m, inner, below, turn)
    yield Case("nested", m, [t + [np.array(10, np.int32)] for t in turns])
    m = Program()  # a condition in the body: the Collatz sequence
    one = [("int32", ())]
    odd, even = (branch(m, one, g) for g in (
        lambda f, x: [node(f, "ADD", [node(f, "MUL", [x, number(f, 3)], "int32", ()), number(f, 1)], "int32", ())],
        lambda f, x: [node(f, "FLOOR_DIV", [x, number(f, 2)], "int32", ())]))

    def collatz(f, x, i):
        is_odd = node(f, "EQUAL", [node(f, "FLOOR_MOD", [x, number(f, 2)], "int32", ()), number(f, 1)], "bool", ())
        v = f.value("int32", ())
        f.op("IF", [is_odd, x], [v], options("If", thenSubgraphIndex=odd, elseSubgraphIndex=even))
        return [v, next_(f, i)]

    loop(m, one * 2, lambda f, x, i: [node(f, "NOT_EQUAL", [x, number(f, 1)], "bool", ())], collatz)
    yield Case("collatz", m, [[np.array(n, np.int32), np.array(0, np.int32)] for n in (6, 27, 1)])
    m = Program()  # a variable that the body changes
    start = initialized(lambda f: assign(f, variable(f), number(f, 1, shape=(2,))))

    def doubled(f, i, n):
        h = variable(f)
        v = read(f, h, "int32", (2,), False)
        assign(f, h, add(f, v, v, "int32", (2,)))
        return [next_(f, i), n]

    loop(start, COUNT, below, doubled)
    read(start, variable(start), "int32", (2,))
    yield Case("variable", start, turns)
    m = Program()  # a handle carried along
    x = m.input("int32", (2,))
    h = variable(m)
    assign(m, h, x)
    operands = COUNT + [("resource", ())]

    def raised(f, i, n, h):
        assign(f, h, add(f, read(f, h, "int32", (2,), False), number(f, 3, shape=(2,)), "int32", (2,)))
        return [next_(f, i), n, h]

    c, b = branch(m, operands, below), branch(m, operands, raised)
    outs = [m.output("int32", ()), m.output("int32", ()), m.value("resource", ())]
    m.op("WHILE", [m.input("int32", ()), m.input("int32", ()), h], outs, options("While", condSubgraphIndex=c, bodySubgraphIndex=b))
    read(m, h, "int32", (2,))
    yield Case("handle", m, [[whole(rng, (2,))] + t for t in turns])
    m = Program()  # strings, beside what grows
    s = [("string", (2,)), ("int32", (1,))]
    loop(m, COUNT + s, below, lambda f, i, n, x, y: [next_(f, i), n, x, node(f, "CONCATENATION", [y, y], "int32", (2,))])
    yield Case("strings", m, [t + [sample(rng, "string", (2,)), np.int32([4])] for t in turns[:3]])
    m = Program()  # the condition's result is a vector
    loop(m, COUNT, lambda f, i, n: [node(f, "RESHAPE", [below(f, i, n)[0], constant(f, np.int32([1]))], "bool", (1,))], lambda f, i, n: [next_(f, i), n])
    yield Case("vector", m, turns)
    m = Program()  # constants and the same value twice
    loop(m, COUNT + [("int32", (2,)), ("int32", (2,))], below, lambda f, i, n, a, b: [next_(f, i), n, constant(f, np.int32([7, 8])), node(f, "ADD", [a, b], "int32", (2,))])
    yield Case("constants", m, [t + [whole(rng, (2,)), whole(rng, (2,))] for t in turns])
    m = Program()
    loop(m, COUNT + [("int32", (2,)), ("int32", (2,))], below, lambda f, i, n, a, b: [next_(f, i), n] + 2 * [node(f, "ADD", [a, b], "int32", (2,))])
    yield Case("twice", m, [t + [whole(rng, (2,)), whole(rng, (2,))] for t in turns])


    x = ("float32", (1, 2))  # a variable of the body is reset by each loop, and when a shape changes
    for i, grow in enumerate((False, True)):
        m = Program()
        loop(m, COUNT + [x, ("int32", (1,))], below, lambda f, i, n, a, y: [next_(f, i), n, remembering(f, constant(f, np.float32([[1, 2]]))),
             node(f, "CONCATENATION", [y, y], "int32", (2,)) if grow else y])
        yield Case(label("state", i), m, [t + [np.float32([[0, 0]]), np.int32([4])] for t in turns])
    # Operands that are passed on in other places, to where LiteRT has overwritten them too.
    for i, places in enumerate(((1, 0, 2), (1, 2, 0), (2, 0, 1), (0, 0, 1), (2, 2, 2))):
        for new in HOW:
            m = Program()

            def permuted(f, i, n, *a):
                first, *others = (a[k] for k in places)
                return [next_(f, i), n, node(f, "NEG", [first], "int32", (2,)) if new else first, *others]

            loop(m, COUNT + 3 * [("int32", (2,))], below, permuted)
            yield Case(label("new" if new else "permuted", i), m, [t + [whole(rng, (2,)) for _ in range(3)] for t in turns])
    m = Program()  # the count before the last one
    loop(m, COUNT + [("int32", ())], below, lambda f, i, n, last: [next_(f, i), n, i])
    yield Case("last", m, [t + [np.array(-1, np.int32)] for t in turns])


@operator("STABLEHLO_COMPOSITE")
def composite(rng):
    m = Program()  # the same subgraph twice: a variable of it is reset by each call
    s = (1, 2)
    n = branch(m, [("float32", s)], lambda f, a: [remembering(f, a), constant(f, np.int32([1, 2])), a])
    o = options("StableHLOComposite", name="test.state", decompositionSubgraphIndex=n, compositeAttributes=np.zeros(0, np.uint8))
    for _ in range(2):
        m.op("STABLEHLO_COMPOSITE", [m.input("float32", s)], [m.output("float32", s), m.output("int32", (2,)), m.output("float32", s)], o)
    yield Case("twice", m, [[np.float32([[1, 2]]), np.float32([[k, -1]])] for k in range(3)])


@operator("CALL_ONCE")
def call_once(rng):
    for dtype, declared in itertools.product(("float32", "int32"), ((3,), ())):
        x = np.array(sample(rng, dtype, (3,)))
        m = initialized(lambda f: assign(f, variable(f), node(f, "ADD", [constant(f, x), constant(f, x)], dtype, (3,))))
        v = read(m, variable(m), dtype, declared, False)
        m.op("ADD", [v, m.input(dtype, (3,))], [m.output(dtype, (3,))], options("Add"))
        yield Case(f"computed/{dtype}-{len(declared)}", m, [[sample(rng, dtype, (3,))] for _ in range(2)])
    for twice in HOW:  # two nodes, of the same subgraph or of another one
        m = initialized(lambda f: assign(f, variable(f), number(f, 1)))
        n = 1
        if not twice:
            n, f = m.function()
            assign(f, variable(f), number(f, 2))
        x = m.input("int32", ())
        h = variable(m)
        assign(m, h, x)
        m.op("CALL_ONCE", [], [], options("CallOnce", initSubgraphIndex=n))
        read(m, h, "int32", ())
        yield Case(f"two/{'same' if twice else 'other'}", m, [[np.array(k, np.int32)] for k in (5, 6, 7)])
    m = Program()  # inside a branch: the first time it is taken
    n, f = m.function()
    assign(f, variable(f), number(f, 10))
    s = [("int32", ())]

    def taken(f, x):
        f.op("CALL_ONCE", [], [], options("CallOnce", initSubgraphIndex=n))
        h = variable(f)
        v = read(f, h, "int32", (), False)
        assign(f, h, add(f, v, x, "int32", ()))
        return [v]

    branches = [branch(m, s, taken), branch(m, s, lambda f, x: [x])]
    c, x = m.input("bool", ()), m.input("int32", ())
    m.op("IF", [c, x], [m.output("int32", ())], options("If", thenSubgraphIndex=branches[0], elseSubgraphIndex=branches[1]))
    yield Case("branch", m, [[np.array(b), np.array(k, np.int32)] for k, b in enumerate((False, True, True, False, True))])
