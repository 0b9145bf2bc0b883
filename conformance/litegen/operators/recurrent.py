"""The recurrent operators. Every case has several steps: the states live on."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of
from ..model import NONE, RELU, RELU6, RELU_N1_TO_1, Model, Quant, options

TANH, SIGN_BIT = 4, 5
F, I, U = "float32", "int8", "uint8"
STEPS = 3


def weight(rng, m, kind, shape, spread=0.4):
    """A constant of weights: float, or int8 (hybrid) with one scale."""
    w = floats(rng, shape, spread)
    if kind == F:
        return m.const(w)
    scale = np.float32(np.abs(w).max() / 127)
    q = np.clip(np.round(w / scale), -127, 127).astype(np.int8)
    return m.const(q, Quant(scale))


def inputs(rng, *shapes):
    """Steps of float inputs, one of them all zero."""
    steps = [[floats(rng, s) for s in shapes] for _ in range(STEPS)]
    steps[1][0] = np.zeros(shapes[0], np.float32)
    return steps


def sequence(o):
    return [o["time"], o["batch"], o["in"]] if o["time_major"] else [o["batch"], o["time"], o["in"]]


# ---- float and hybrid LSTM


def cell(rng, m, kind, o, n_in, norm=True):
    """Operands 1..17 of an LSTM cell and, with norm, a list of the coefficients."""
    n, out = o["cell"], o["out"]
    gates = [None if o["cifg"] and g == 0 else g for g in range(4)]

    def each(f, skip=()):
        return [None if g is None or g in skip else f(g) for g in gates]

    ops = each(lambda g: weight(rng, m, kind, [n, n_in]))
    if o.get("diagonal"):
        ops += each(lambda g: weight(rng, m, F, [n]))
    else:
        ops += each(lambda g: weight(rng, m, kind, [n, out]))
    peephole = each(lambda g: weight(rng, m, kind, [n])) if o["peephole"] else [None] * 4
    ops += peephole[:2] + peephole[3:]
    ops += each(lambda g: m.const(floats(rng, [n], 0.3)))
    projected = o["projection"] != "none"
    ops.append(weight(rng, m, kind, [out, n]) if projected else None)
    ops.append(m.const(floats(rng, [out], 0.3)) if o["projection"] == "bias" else None)
    coefficients = each(lambda g: m.const(floats(rng, [n]) + 1)) if norm and o["norm"] else [None] * 4
    return ops, coefficients


def states(m, o, batch, dtype=F, cell_dtype=F, q=None, q_cell=None):
    return [
        m.value(dtype, [batch, o["out"]], q, variable=True),
        m.value(cell_dtype, [batch, o["cell"]], q_cell, variable=True),
    ]


def complete(o):
    """Makes options agree: without projection the output is the cell."""
    o = dict(o)
    o["out"] = 3 if o["projection"] != "none" else o["cell"]
    return o


FLOAT_AXES = dict(
    kind=["float", "hybrid", "hybrid-asymmetric"],
    cifg=[False, True],
    peephole=[False, True],
    projection=["none", "weights", "bias"],
    norm=[False, True],
    act=[TANH, RELU, RELU6, RELU_N1_TO_1, SIGN_BIT],
    cell_clip=[0.0, 0.7],
    proj_clip=[0.0, 0.3],
    batch=[1, 2],
    cell=[5, 18],
)


def float_lstm(rng, m, name, shape, o, opts, versions):
    kind = F if o["kind"] == "float" else I
    asymmetric = o["kind"] == "hybrid-asymmetric"
    x = m.input(F, shape)
    ops, norm = cell(rng, m, kind, o, shape[-1])
    operands = [x] + ops + states(m, o, o["batch"])
    if not o.get("old"):
        operands += norm
    y = m.output(F, list(shape[:-1]) + [o["out"]])
    opts.fusedActivationFunction, opts.cellClip, opts.projClip = o["act"], o["cell_clip"], o["proj_clip"]
    opts.asymmetricQuantizeInputs = asymmetric
    m.op(name, operands, [y], opts, versions[kind, asymmetric])


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_float(rng):
    axes = dict(FLOAT_AXES, time=[1, 4], time_major=[False, True])
    for i, o in enumerate(pairs(**axes)):
        o = complete(dict(o, **{"in": 4 if i % 2 else 33, "old": i % 5 == 0 and not o["norm"]}))
        m = Model()
        shape = sequence(o)
        opts = options("UnidirectionalSequenceLSTM", timeMajor=o["time_major"])
        float_lstm(rng, m, "UNIDIRECTIONAL_SEQUENCE_LSTM", shape, o, opts, {(F, False): 1, (I, False): 2, (I, True): 3})
        yield Case(label(o["kind"], i, cifg=o["cifg"], peephole=o["peephole"], proj=o["projection"], norm=o["norm"],
                         act=o["act"], tm=o["time_major"]), m, inputs(rng, shape))


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_diagonal(rng):
    for i, o in enumerate(pairs(kind=["float", "hybrid", "hybrid-asymmetric"], cifg=[False, True], time_major=[False, True])):
        o = complete(dict(o, projection="none", peephole=i % 2 == 1, norm=False, act=TANH, cell_clip=0.0, proj_clip=0.0,
                          batch=2, cell=6, time=3, diagonal=True, **{"in": 5}))
        m = Model()
        opts = options("UnidirectionalSequenceLSTM", timeMajor=o["time_major"], diagonalRecurrentTensors=True)
        versions = {(k, a): 4 for k in (F, I) for a in (False, True)}
        float_lstm(rng, m, "UNIDIRECTIONAL_SEQUENCE_LSTM", sequence(o), o, opts, versions)
        # the reference resolver stops at version 3
        yield Case(label("diagonal-" + o["kind"], i, cifg=o["cifg"], tm=o["time_major"]), m, inputs(rng, sequence(o)), "builtin")


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_old_hybrid(rng):
    """TensorFlow 1 called hybrid weights uint8."""
    for i, time_major in enumerate([False, True]):
        o = complete(dict(kind="hybrid", projection="bias", peephole=True, cifg=False, norm=False, act=TANH, cell_clip=0.0,
                          proj_clip=0.0, batch=2, cell=6, time=3, time_major=time_major, **{"in": 5}))
        m = Model()
        opts = options("UnidirectionalSequenceLSTM", timeMajor=time_major)
        float_lstm(rng, m, "UNIDIRECTIONAL_SEQUENCE_LSTM", sequence(o), o, opts, {(I, False): 2})
        as_uint8(m)
        yield Case(label("hybrid-uint8", i, tm=time_major), m, inputs(rng, sequence(o)))


def as_uint8(m):
    for t in m.sub.tensors:
        if t.type == 9:
            t.type = 3


@operator("LSTM")
def lstm_float(rng):
    for i, o in enumerate(pairs(**FLOAT_AXES)):
        o = complete(dict(o, **{"in": 4 if i % 2 else 33, "old": i % 5 == 0 and not o["norm"]}))
        m = Model()
        shape = [o["batch"], o["in"]]
        float_lstm(rng, m, "LSTM", shape, o, options("LSTM"), {(F, False): 1, (I, False): 3, (I, True): 4})
        yield Case(label(o["kind"], i, cifg=o["cifg"], peephole=o["peephole"], proj=o["projection"], norm=o["norm"],
                         act=o["act"]), m, inputs(rng, shape))


@operator("LSTM")
def lstm_shapes(rng):
    """Batches, cells and inputs that LiteRT multiplies in different orders."""
    for i, (batch, n, n_in) in enumerate([(1, 1, 21), (3, 1, 5), (2, 3, 9), (5, 13, 17), (4, 15, 6), (9, 4, 33)]):
        o = complete(dict(kind="float", projection="bias" if i % 2 else "none", peephole=False, cifg=False, norm=False, act=TANH,
                          cell_clip=0.0, proj_clip=0.0, batch=batch, cell=n, **{"in": n_in}))
        o["out"] = min(o["out"], n)
        m = Model()
        float_lstm(rng, m, "LSTM", [batch, n_in], o, options("LSTM"), {(F, False): 1})
        yield Case(label("float-shapes", i, batch=batch, cell=n), m, inputs(rng, [batch, n_in]))


@operator("LSTM")
def lstm_no_activation(rng):
    """A cell gate without activation keeps what lies in its memory."""
    for i, o in enumerate(pairs(kind=["float", "hybrid"], norm=[False, True], projection=["none", "weights"])):
        o = complete(dict(o, peephole=False, cifg=False, act=NONE, cell_clip=0.0, proj_clip=0.0, batch=2, cell=5, **{"in": 4}))
        m = Model()
        float_lstm(rng, m, "LSTM", [2, 4], o, options("LSTM"), {(F, False): 1, (I, False): 3})
        yield Case(label("no-act-" + o["kind"], i, norm=o["norm"], proj=o["projection"]), m, inputs(rng, [2, 4]))


@operator("LSTM")
def lstm_nan(rng):
    """NaN among zeros counts as zero in the first blocks of four."""
    for i, at in enumerate([1, 4]):
        o = complete(dict(kind="float", projection="none", peephole=False, cifg=False, norm=False, act=TANH, cell_clip=0.0,
                          proj_clip=0.0, batch=1, cell=4, **{"in": 5}))
        m = Model()
        float_lstm(rng, m, "LSTM", [1, 5], o, options("LSTM"), {(F, False): 1})
        x = np.zeros([1, 5], np.float32)
        x[0, at] = np.nan
        yield Case(label("float-nan", i), m, [x])


@operator("LSTM")
def lstm_old_hybrid(rng):
    o = complete(dict(kind="hybrid", projection="bias", peephole=True, cifg=False, norm=True, act=TANH, cell_clip=0.0,
                      proj_clip=0.0, batch=2, cell=6, **{"in": 5}))
    m = Model()
    float_lstm(rng, m, "LSTM", [2, 5], o, options("LSTM"), {(I, False): 3})
    as_uint8(m)
    yield Case("hybrid-uint8/000", m, inputs(rng, [2, 5]))


# ---- int8 LSTM


def int8(rng, shape):
    return np.maximum(ints(rng, "int8", shape), -127)


def integer_cell(rng, m, o, s_in, gates8=False):
    n, out, n_in = o["cell"], o["out"], o["in"]
    gates = [None if o["cifg"] and g == 0 else g for g in range(4)]
    s_w = [np.float32(rng.uniform(0.002, 0.006)) for _ in range(4)]
    s_n = [np.float32(rng.uniform(2e-5, 6e-5)) for _ in range(4)]

    def each(f):
        return [None if g is None else f(g) for g in gates]

    ops = each(lambda g: m.const(int8(rng, [n, n_in]), Quant(s_w[g])))
    ops += each(lambda g: m.const(int8(rng, [n, out]), Quant(np.float32(rng.uniform(0.002, 0.008)))))
    peephole = [None] * 4
    if o["peephole"]:
        peephole = each(lambda g: m.const(ints(rng, "int16", [n]), Quant(np.float32(rng.uniform(1e-5, 5e-5)))))
    ops += peephole[:2] + peephole[3:]

    def bias(g):
        scale = s_n[g] / 1024 if o["norm"] else s_in * s_w[g]
        real = rng.uniform(-0.5, 0.5, [n])
        return m.const(np.round(real / scale).astype(np.int32), Quant(scale))

    ops += each(bias)
    projected = o["projection"] != "none"
    ops.append(m.const(int8(rng, [out, n]), Quant(np.float32(rng.uniform(0.001, 0.004)))) if projected else None)
    ops.append(m.const(rng.integers(-3000, 3000, [out]).astype(np.int32), Quant(1e-5)) if o["projection"] == "bias" else None)
    norm = each(lambda g: m.const(ints(rng, "int16", [n]), Quant(s_n[g]))) if o["norm"] else [None] * 4
    return ops, norm


def integer_lstm(rng, m, name, shape, o, opts, intermediates):
    s_in, s_out = scale_of(rng, 0.01, 0.03), scale_of(rng, 0.006, 0.009)
    q_in = Quant(s_in, int(rng.integers(-20, 20)))
    q_out = Quant(s_out, int(rng.integers(-20, 20)))
    q_cell = Quant(np.float32(2.0 ** o["cell_exponent"]))
    x = m.input(I, shape, q_in)
    ops, norm = integer_cell(rng, m, o, s_in)
    operands = [x] + ops + states(m, o, o["batch"], I, "int16", q_out, q_cell) + norm
    inner = [m.value(*v) for v in intermediates(o, q_out)]
    y = m.output(I, list(shape[:-1]) + [o["out"]], q_out)
    opts.fusedActivationFunction, opts.cellClip, opts.projClip = TANH, o["cell_clip"], o["proj_clip"]
    m.op(name, operands, [y], opts, 1, inner)
    return [[ints(rng, "int8", shape)] for _ in range(STEPS)]


def five(o, q_out):
    """The intermediates of 8x8_16: the gates' sums, then the hidden state."""
    for g in range(4):
        yield ("int16", [1], Quant(np.float32(0.0003 + 0.0001 * g)) if o["norm"] else None)
    yield (I, [1], Quant(0.0071, 5) if o["projection"] != "none" else q_out)


INTEGER_AXES = dict(
    cifg=[False, True],
    peephole=[False, True],
    projection=["none", "weights", "bias"],
    norm=[False, True],
    cell_clip=[0.0, 0.7],
    proj_clip=[0.0, 0.3],
    batch=[1, 2, 3],
    cell=[4, 5, 18],
    cell_exponent=[-15, -12, -11, -9],
)


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_int8(rng):
    axes = dict(INTEGER_AXES, time=[1, 5], time_major=[False, True])
    for i, o in enumerate(pairs(**axes)):
        o = complete(dict(o, **{"in": 4 if i % 2 else 33}))
        m = Model()
        opts = options("UnidirectionalSequenceLSTM", timeMajor=o["time_major"])
        steps = integer_lstm(rng, m, "UNIDIRECTIONAL_SEQUENCE_LSTM", sequence(o), o, opts, five)
        yield Case(label("int8", i, cifg=o["cifg"], peephole=o["peephole"], proj=o["projection"], norm=o["norm"],
                         cell=o["cell_exponent"], tm=o["time_major"]), m, steps)


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_int8_odd_cells(rng):
    """Cell states that LiteRT has no tanh for; converters write 2^-16."""
    for i, o in enumerate(pairs(cell_exponent=[-17, -16, -8, -7], projection=["none", "bias"], time_major=[False, True])):
        o = complete(dict(o, cifg=False, peephole=i % 3 == 0, norm=i % 2 == 0, cell_clip=0.0, proj_clip=0.0, batch=2, cell=6,
                          time=4, **{"in": 5}))
        m = Model()
        opts = options("UnidirectionalSequenceLSTM", timeMajor=o["time_major"])
        steps = integer_lstm(rng, m, "UNIDIRECTIONAL_SEQUENCE_LSTM", sequence(o), o, opts, five)
        yield Case(label("int8-odd", i, proj=o["projection"], cell=o["cell_exponent"], tm=o["time_major"]), m, steps)


def without_factors(rng, name, kind):
    """Scales of the cell state that LiteRT refuses, without stopping for it."""
    for i, (exponent, projection) in enumerate([(-8, "none"), (-8, "bias"), (-10.5, "none"), (-10.5, "bias")]):
        o = complete(dict(projection=projection, cell_exponent=exponent, cifg=i == 2, peephole=False, norm=i == 1, cell_clip=0.0,
                          proj_clip=0.0, batch=2, cell=6, time=2, time_major=True, **{"in": 5}))
        m = Model()
        shape = [2, 5] if name == "LSTM" else sequence(o)
        steps = integer_lstm(rng, m, name, shape, o, options(kind), five)
        yield Case(label("int8-no-factors", i, proj=projection, cell=exponent), m, steps)


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_without_factors(rng):
    yield from without_factors(rng, "UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTM")


@operator("LSTM")
def lstm_without_factors(rng):
    yield from without_factors(rng, "LSTM", "LSTM")


@operator("LSTM")
def lstm_int8(rng):
    for i, o in enumerate(pairs(**INTEGER_AXES)):
        o = complete(dict(o, **{"in": 4 if i % 2 else 33}))
        m = Model()
        steps = integer_lstm(rng, m, "LSTM", [o["batch"], o["in"]], o, options("LSTM"), five)
        yield Case(label("int8", i, cifg=o["cifg"], peephole=o["peephole"], proj=o["projection"], norm=o["norm"],
                         cell=o["cell_exponent"]), m, steps)


def twelve(o, q_out):
    """The intermediates of 8x8_8: for each gate the sum and its two products."""
    for g in range(4):
        yield ("int16", [1], Quant(np.float32(0.0004 + 0.0001 * g)))
        yield (I, [1], Quant(np.float32(0.02 + 0.003 * g), 3 * g - 4))
        yield (I, [1], Quant(np.float32(0.015 + 0.002 * g), 7 - 2 * g))


@operator("LSTM")
def lstm_int8_gates(rng):
    """8x8_8: coupled gates, layer normalization and projection are taken for granted."""
    for i, o in enumerate(pairs(cell_clip=[0.0, 0.7], proj_clip=[0.0, 0.3], batch=[1, 2], cell=[4, 18])):
        o = complete(dict(o, cifg=True, peephole=False, projection="bias", norm=True, cell_exponent=-15, **{"in": 7}))
        m = Model()
        steps = integer_lstm(rng, m, "LSTM", [o["batch"], o["in"]], o, options("LSTM"), twelve)
        yield Case(label("int8-gates", i, cell=o["cell"], batch=o["batch"]), m, steps)


# ---- LSTM's BASIC kernel


@operator("LSTM")
def lstm_basic(rng):
    for i, (batch, depth, n_in) in enumerate([(1, 4, 3), (2, 5, 7), (3, 16, 1)]):
        m = Model()
        x = m.input(F, [batch, n_in])
        h = m.value(F, [batch, depth], variable=True)
        c = m.value(F, [batch, depth], variable=True)
        w, b = m.const(floats(rng, [4 * depth, n_in + depth], 0.4)), m.const(floats(rng, [4 * depth], 0.3))
        outs = [m.output(F, [batch, n]) for n in (depth, depth, n_in + depth, 4 * depth)]
        m.op("LSTM", [x, h, w, b, c], outs, options("LSTM", kernelType=1, fusedActivationFunction=TANH), 2)
        yield Case(label("basic-float", i, batch=batch), m, inputs(rng, [batch, n_in]))


@operator("LSTM")
def lstm_basic_uint8(rng):
    for i, (batch, depth, n_in, s_w, z_w) in enumerate([(1, 4, 3, 0.02, 120), (2, 5, 7, 0.02, 127), (3, 16, 1, 0.02, 134),
                                                        (2, 4, 3, 0.1, 0), (2, 4, 3, 0.0013, 255)]):
        m = Model()
        q, q_state, s_w = Quant(1 / 128, 128), Quant(1 / 2048), np.float32(s_w)
        x = m.input(U, [batch, n_in], q)
        h = m.value(U, [batch, depth], q, variable=True)
        c = m.value("int16", [batch, depth], q_state, variable=True)
        w = m.const(ints(rng, U, [4 * depth, n_in + depth]), Quant(s_w, z_w))
        b = m.const(rng.integers(-4000, 4000, [4 * depth]).astype(np.int32), Quant(s_w / np.float32(128)))
        outs = [m.output(U, [batch, depth], q), m.output("int16", [batch, depth], q_state),
                m.output(U, [batch, n_in + depth], q), m.output("int16", [batch, 4 * depth], Quant(1 / 4096))]
        m.op("LSTM", [x, h, w, b, c], outs, options("LSTM", kernelType=1, fusedActivationFunction=TANH), 2)
        yield Case(label("basic-uint8", i, batch=batch), m, [[ints(rng, U, [batch, n_in])] for _ in range(STEPS)])


# ---- two directions


@operator("BIDIRECTIONAL_SEQUENCE_LSTM")
def bidirectional_lstm(rng):
    axes = dict(
        kind=["float", "hybrid", "hybrid-asymmetric"],
        cifg=[False, True],
        peephole=[False, True],
        projection=["none", "weights", "bias"],
        act=[TANH, RELU],
        cell_clip=[0.0, 0.7],
        merge=[False, True],
        aux=["none", "weights", "input"],
        batch=[1, 2],
        time=[1, 4],
        time_major=[False, True],
    )
    whole = dict(cifg=False, peephole=True, projection="bias", act=TANH, cell_clip=0.0, merge=False, aux="weights",
                 batch=2, time=3, time_major=True)
    swept = list(pairs(**axes)) + list(pairs(**axes, again=[0]))
    for i, o in enumerate(swept + [dict(whole, kind=k) for k in axes["kind"] + ["hybrid"]]):
        o = complete(dict(o, cell=6, norm=False, proj_clip=0.3 * (i % 2), **{"in": 5}))
        if o["merge"] and o["batch"] > 1 and not o["time_major"]:
            o["batch"] = 1  # LiteRT reads past the states
        kind = F if o["kind"] == "float" else I
        asymmetric = o["kind"] == "hybrid-asymmetric"
        shape = sequence(o)
        aux_shape = shape[:2] + [7 if o["aux"] == "weights" else o["in"]]
        m = Model()
        x = m.input(F, shape)
        aux = m.input(F, aux_shape) if o["aux"] != "none" else None
        fw, bw = cell(rng, m, kind, o, o["in"], False)[0], cell(rng, m, kind, o, o["in"], False)[0]
        aux_weights = [None] * 8
        if o["aux"] == "weights":
            aux_weights = [None if o["cifg"] and g % 4 == 0 else weight(rng, m, kind, [o["cell"], 7]) for g in range(8)]
        operands = [x] + fw + bw + states(m, o, o["batch"]) + states(m, o, o["batch"]) + [aux] + aux_weights
        last = [2 * o["out"]] if o["merge"] else [o["out"]] * 2
        outs = [m.output(F, shape[:2] + [n]) for n in last]
        m.op("BIDIRECTIONAL_SEQUENCE_LSTM", operands, outs,
             options("BidirectionalSequenceLSTM", fusedActivationFunction=o["act"], cellClip=o["cell_clip"],
                     projClip=o["proj_clip"], mergeOutputs=o["merge"], timeMajor=o["time_major"],
                     asymmetricQuantizeInputs=asymmetric), 1 if kind == F else 3 if asymmetric else 2)
        shapes = [shape] if aux is None else [shape, aux_shape]
        if i % 7 == 0 or i == len(swept) + 3:
            as_uint8(m)
        yield Case(label(o["kind"], i, cifg=o["cifg"], proj=o["projection"], merge=o["merge"], aux=o["aux"],
                         tm=o["time_major"]), m, inputs(rng, *shapes))


# ---- plain cells

RNN_AXES = dict(
    kind=["float", "hybrid", "hybrid-asymmetric"],
    act=[NONE, TANH, RELU, RELU6, RELU_N1_TO_1, SIGN_BIT],
    batch=[1, 2],
    units=[4, 19],
)


def rnn_version(o):
    return {"float": 1, "hybrid": 2, "hybrid-asymmetric": 3}[o["kind"]]


def plain(rng, m, kind, units, n_in, batch):
    return [weight(rng, m, kind, [units, n_in]), weight(rng, m, kind, [units, units], 0.2),
            m.const(floats(rng, [units], 0.3)), m.value(F, [batch, units], variable=True)]


@operator("RNN")
def rnn(rng):
    for i, o in enumerate(pairs(**RNN_AXES)):
        m = Model()
        shape = [o["batch"], 9]
        kind = F if o["kind"] == "float" else I
        operands = [m.input(F, shape)] + plain(rng, m, kind, o["units"], 9, o["batch"])
        m.op("RNN", operands, [m.output(F, [o["batch"], o["units"]])],
             options("RNN", fusedActivationFunction=o["act"], asymmetricQuantizeInputs=o["kind"] == "hybrid-asymmetric"), rnn_version(o))
        if i % 7 == 1:
            as_uint8(m)
        yield Case(label(o["kind"], i, act=o["act"]), m, inputs(rng, shape))


@operator("UNIDIRECTIONAL_SEQUENCE_RNN")
def unidirectional_rnn(rng):
    for i, o in enumerate(pairs(**RNN_AXES, time=[1, 4], time_major=[False, True])):
        m = Model()
        shape = sequence(dict(o, **{"in": 9}))
        kind = F if o["kind"] == "float" else I
        operands = [m.input(F, shape)] + plain(rng, m, kind, o["units"], 9, o["batch"])
        m.op("UNIDIRECTIONAL_SEQUENCE_RNN", operands, [m.output(F, shape[:2] + [o["units"]])],
             options("SequenceRNN", timeMajor=o["time_major"], fusedActivationFunction=o["act"],
                     asymmetricQuantizeInputs=o["kind"] == "hybrid-asymmetric"), rnn_version(o))
        if i % 7 == 1:
            as_uint8(m)
        yield Case(label(o["kind"], i, act=o["act"], tm=o["time_major"]), m, inputs(rng, shape))


@operator("BIDIRECTIONAL_SEQUENCE_RNN")
def bidirectional_rnn(rng):
    axes = dict(RNN_AXES, time=[1, 4], time_major=[False, True], merge=[False, True], aux=["none", "weights", "input"])
    for i, o in enumerate(pairs(**axes)):
        m = Model()
        shape = sequence(dict(o, **{"in": 9}))
        kind = F if o["kind"] == "float" else I
        x = m.input(F, shape)
        # another size than the input's puts LiteRT's auxiliary rows out of step, a
        # smaller one beyond the end
        aux_shape = shape[:2] + [9 if o["aux"] != "weights" or i % 2 else 12]
        aux = m.input(F, aux_shape) if o["aux"] != "none" else None
        sizes = [o["units"], 6]
        operands = [x] + plain(rng, m, kind, sizes[0], 9, o["batch"]) + plain(rng, m, kind, sizes[1], 9, o["batch"]) + [aux]
        operands += [weight(rng, m, kind, [n, aux_shape[2]]) for n in sizes] if o["aux"] == "weights" else [None, None]
        outs = [m.output(F, shape[:2] + [n]) for n in ([sum(sizes)] if o["merge"] else sizes)]
        m.op("BIDIRECTIONAL_SEQUENCE_RNN", operands, outs,
             options("BidirectionalSequenceRNN", timeMajor=o["time_major"], fusedActivationFunction=o["act"],
                     mergeOutputs=o["merge"], asymmetricQuantizeInputs=o["kind"] == "hybrid-asymmetric"), rnn_version(o))
        if i % 7 == 1 or i == 9:
            as_uint8(m)
        yield Case(label(o["kind"], i, act=o["act"], merge=o["merge"], aux=o["aux"], tm=o["time_major"]), m,
                   inputs(rng, *([shape] if aux is None else [shape, aux_shape])))


# ---- SVDF


@operator("SVDF")
def svdf_float(rng):
    axes = dict(RNN_AXES, rank=[1, 3], memory=[1, 5], bias=[False, True])
    for i, o in enumerate(pairs(**axes)):
        m = Model()
        kind, filters, shape = F if o["kind"] == "float" else I, o["units"] * o["rank"], [o["batch"], 9]
        x = m.input(F, shape)
        w, t = weight(rng, m, kind, [filters, 9]), weight(rng, m, kind, [filters, o["memory"]])
        b = m.const(floats(rng, [o["units"]])) if o["bias"] else None
        s = m.value(F, [o["batch"], filters * o["memory"]], variable=True)
        asymmetric = o["kind"] == "hybrid-asymmetric"
        m.op("SVDF", [x, w, t, b, s], [m.output(F, [o["batch"], o["units"]])],
             options("SVDF", rank=o["rank"], fusedActivationFunction=o["act"], asymmetricQuantizeInputs=asymmetric),
             1 if kind == F else 4 if asymmetric else 2)
        if i % 7 == 1:
            as_uint8(m)
        yield Case(label(o["kind"], i, act=o["act"], rank=o["rank"], memory=o["memory"]), m, inputs(rng, shape) + inputs(rng, shape))


@operator("SVDF")
def svdf_int8(rng):
    for i, o in enumerate(pairs(batch=[1, 2], units=[4, 19], rank=[1, 3], memory=[1, 5], bias=[False, True])):
        m = Model()
        filters, shape = o["units"] * o["rank"], [o["batch"], 9]
        q = Quant(scale_of(rng, 0.01, 0.03), int(rng.integers(-20, 20)))
        s_w, s_t, s_state = np.float32([0.01, 0.002, 0.001]) * np.float32(rng.uniform(0.6, 1.5, 3))
        x = m.input(I, shape, q)
        w = m.const(int8(rng, [filters, 9]), Quant(s_w))
        t = m.const(rng.integers(-511, 512, [filters, o["memory"]]).astype(np.int16), Quant(s_t))
        b = m.const(rng.integers(-300000, 300000, [o["units"]]).astype(np.int32), Quant(s_t * s_state)) if o["bias"] else None
        s = m.value("int16", [o["batch"], filters * o["memory"]], Quant(s_state), variable=True)
        y = m.output(I, [o["batch"], o["units"]], Quant(scale_of(rng, 0.01, 0.05), int(rng.integers(-128, 20))))
        m.op("SVDF", [x, w, t, b, s], [y], options("SVDF", rank=o["rank"], fusedActivationFunction=RELU), 3)
        yield Case(label("int8", i, rank=o["rank"], memory=o["memory"]), m, [[ints(rng, "int8", shape)] for _ in range(2 * STEPS)])
