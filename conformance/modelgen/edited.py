"""Converted models, edited or damaged."""

import copy

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as fb

from .base import L, convert, kind, network
from .functions import FLOAT, nested, spec


def small():
    return network((6, 6, 2), L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(3), L.Softmax())


def looping():
    return tf.function(nested, input_signature=[spec(FLOAT, 3)])


def pack(model):
    import flatbuffers

    b = flatbuffers.Builder(1024)
    b.Finish(model.Pack(b), b"TFL3")
    return bytes(b.Output())


def edits(base, make, way):
    """The files that the changes make of a model, by name."""
    data, files = convert(make(), way), {}
    for name, change in EDITS.items():
        m = fb.ModelT.InitFromObj(fb.Model.GetRootAs(data))
        change(m, m.subgraphs[0])
        files[f"{name}-{base}"] = pack(m)
    for n in (0, 4, 8, 100, 1000, -4):
        files[f"cut{n}-{base}"] = data[:n]
    return files | {f"padded-{base}": data + bytes(64), f"other-identifier-{base}": data[:4] + b"TFL2" + data[8:]}


def new_tensor(g, dtype=fb.TensorType.FLOAT32, shape=(2,), buffer=0, name="more"):
    t = fb.TensorT()
    t.type, t.shape, t.buffer, t.name = dtype, list(shape), buffer, name
    g.tensors.append(t)
    return len(g.tensors) - 1


def constants(m, g):
    return [i for i, t in enumerate(g.tensors) if m.buffers[t.buffer].data is not None]


EDITS = {}


def change(f):
    EDITS[f.__name__.replace("_", "-")] = f
    return f


def unsigned(m):
    """Signatures gone: the main subgraph's inputs and outputs may change."""
    m.signatureDefs = []


@change
def output_is_input(m, g):
    unsigned(m)
    g.outputs = [*g.outputs, *g.inputs]


@change
def output_is_only_input(m, g):
    unsigned(m)
    g.outputs, g.operators = g.inputs, []


@change
def output_twice(m, g):
    unsigned(m)
    g.outputs = [*g.outputs, *g.outputs]


@change
def output_is_constant(m, g):
    unsigned(m)
    g.outputs = [*g.outputs, *constants(m, g)]


@change
def outputs_are_all(m, g):
    unsigned(m)
    g.outputs = list(range(len(g.tensors)))


@change
def no_outputs(m, g):
    unsigned(m)
    g.outputs = []


@change
def no_operators(m, g):
    unsigned(m)
    g.operators = []


@change
def input_twice(m, g):
    unsigned(m)
    g.inputs = [*g.inputs, *g.inputs]


@change
def input_is_constant(m, g):
    unsigned(m)
    g.inputs = [*g.inputs, constants(m, g)[0]]


@change
def input_is_optional(m, g):
    unsigned(m)
    g.inputs = [*g.inputs, -1]


@change
def input_unused(m, g):
    unsigned(m)
    g.inputs = [*g.inputs, new_tensor(g)]


@change
def no_options(m, g):
    for o in g.operators:
        o.builtinOptionsType, o.builtinOptions = 0, None


@change
def no_bias(m, g):
    for o in g.operators:
        if len(o.inputs) == 3:
            o.inputs = [*o.inputs[:2], -1]


@change
def no_bias_at_all(m, g):
    for o in g.operators:
        if len(o.inputs) == 3:
            o.inputs = o.inputs[:2]


@change
def no_input(m, g):
    g.operators[0].inputs = [-1, *g.operators[0].inputs[1:]]


@change
def no_names(m, g):
    for t in g.tensors:
        t.name = None
    g.name = m.description = None


@change
def same_names(m, g):
    for t in g.tensors:
        t.name = "x"


@change
def no_signatures(m, g):
    m.signatureDefs = None


@change
def no_metadata(m, g):
    m.metadata = m.metadataBuffer = m.description = None


@change
def no_shape_signatures(m, g):
    for t in g.tensors:
        t.shapeSignature = None


@change
def batches(m, g):
    for t in g.tensors:
        if t.buffer and m.buffers[t.buffer].data is None and len(t.shape):
            t.shapeSignature = [-1, *t.shape[1:]]


@change
def no_shapes(m, g):
    for i, t in enumerate(g.tensors):
        if m.buffers[t.buffer].data is None and i not in g.inputs:
            t.shape = t.shapeSignature = None


@change
def no_rank(m, g):
    for t in g.tensors:
        t.hasRank = False


@change
def wrong_shapes(m, g):
    for i, t in enumerate(g.tensors):
        if m.buffers[t.buffer].data is None and i not in g.inputs:
            t.shape = [7]


@change
def empty_batch(m, g):
    for t in g.tensors:
        if m.buffers[t.buffer].data is None and t.shape is not None and len(t.shape):
            t.shape = [0, *t.shape[1:]]


@change
def unused_tensors(m, g):
    for t in vars(fb.TensorType).items():
        if not t[0].startswith("_"):
            new_tensor(g, t[1], (1 << 10, 1 << 10), name=t[0])


@change
def unused_subgraph(m, g):
    m.subgraphs.append(copy.deepcopy(g))


@change
def unused_codes(m, g):
    for code in (fb.BuiltinOperator.SVDF, 32767, fb.BuiltinOperator.CUSTOM):
        c = fb.OperatorCodeT()
        c.builtinCode, c.deprecatedBuiltinCode, c.version, c.customCode = code, min(code, 127), 1, "Unknown"
        m.operatorCodes.append(c)


@change
def unused_buffers(m, g):
    b = fb.BufferT()
    b.data = np.arange(5, dtype=np.uint8)
    m.buffers += [b, fb.BufferT()]


@change
def first_buffer_used(m, g):
    m.buffers[0].data = np.arange(8, dtype=np.uint8)


@change
def shared_buffers(m, g):
    first = {}
    for t in g.tensors:
        data = m.buffers[t.buffer].data
        if data is not None:
            t.buffer = first.setdefault(bytes(data), t.buffer)


@change
def shared_by_types(m, g):
    unsigned(m)
    for i in constants(m, g):
        t = g.tensors[i]
        size = m.buffers[t.buffer].data.size
        g.outputs = [*g.outputs, new_tensor(g, fb.TensorType.UINT8, (size,), t.buffer), new_tensor(g, fb.TensorType.INT8, (1, size), t.buffer)]


@change
def long_buffers(m, g):
    for i in constants(m, g):
        b = m.buffers[g.tensors[i].buffer]
        b.data = np.concatenate([b.data, np.zeros(4, np.uint8)])


@change
def short_buffers(m, g):
    for i in constants(m, g):
        b = m.buffers[g.tensors[i].buffer]
        b.data = b.data[:-1]


@change
def no_buffers(m, g):
    for b in m.buffers:
        b.data = None


@change
def variable(m, g):
    unsigned(m)
    i = new_tensor(g)
    g.tensors[i].isVariable = True
    g.outputs = [*g.outputs, i]


@change
def intermediates(m, g):
    g.operators[0].intermediates = [new_tensor(g)]


@change
def old_codes(m, g):
    for c in m.operatorCodes:
        c.deprecatedBuiltinCode, c.builtinCode = c.builtinCode, 0


@change
def new_codes(m, g):
    for c in m.operatorCodes:
        c.deprecatedBuiltinCode = 0


@change
def version_zero(m, g):
    for c in m.operatorCodes:
        c.version = 0


@change
def version_high(m, g):
    for c in m.operatorCodes:
        c.version = 99


@change
def schema_version(m, g):
    m.version = 2


@change
def own_operator(m, g):
    c = m.operatorCodes[g.operators[-1].opcodeIndex]
    c.builtinCode = c.deprecatedBuiltinCode = fb.BuiltinOperator.CUSTOM
    c.customCode = "Unheard"


@change
def operator_in_place(m, g):
    unsigned(m)
    o = g.operators[-1]
    o.outputs = g.outputs = o.inputs[:1]


@change
def writes_constant(m, g):
    g.operators[0].outputs = [constants(m, g)[0]]


@change
def tensor_out_of_range(m, g):
    g.operators[0].inputs = [len(g.tensors), *g.operators[0].inputs[1:]]


@change
def buffer_out_of_range(m, g):
    g.tensors[0].buffer = len(m.buffers)


@change
def code_out_of_range(m, g):
    g.operators[0].opcodeIndex = len(m.operatorCodes)


@change
def calls_itself(m, g):
    for o in g.operators:
        if isinstance(o.builtinOptions, fb.WhileOptionsT):
            o.builtinOptions.bodySubgraphIndex = 0


@change
def calls_nothing(m, g):
    for o in g.operators:
        if isinstance(o.builtinOptions, fb.WhileOptionsT):
            o.builtinOptions.condSubgraphIndex = 99


@change
def negative_dimension(m, g):
    g.tensors[g.inputs[0]].shape = [-1, *g.tensors[g.inputs[0]].shape[1:]]


@change
def huge_input(m, g):
    g.tensors[g.inputs[0]].shape = [1 << 30, 1 << 20, *g.tensors[g.inputs[0]].shape[1:]]


@change
def no_subgraphs(m, g):
    m.subgraphs = m.signatureDefs = None


@change
def signature_without_key(m, g):
    for s in m.signatureDefs:
        s.signatureKey = None


@change
def signature_names_one_tensor_twice(m, g):
    for s in m.signatureDefs:
        for maps in (s.inputs, s.outputs):
            maps.append(copy.deepcopy(maps[0]))
            maps[-1].name += b"_more"


@change
def signature_repeated(m, g):
    m.signatureDefs += [copy.deepcopy(s) for s in m.signatureDefs]


@change
def zero_scale(m, g):
    for t in g.tensors:
        if t.quantization is not None and t.quantization.scale is not None:
            t.quantization.scale = t.quantization.scale * 0


@change
def no_quantization(m, g):
    for t in g.tensors:
        t.quantization = None


@change
def no_zero_points(m, g):
    for t in g.tensors:
        if t.quantization is not None:
            t.quantization.zeroPoint = None


@change
def empty_quantization(m, g):
    for t in g.tensors:
        t.quantization = t.quantization or fb.QuantizationParametersT()


@change
def ranges(m, g):
    for t in g.tensors:
        t.quantization = t.quantization or fb.QuantizationParametersT()
        t.quantization.min, t.quantization.max = [-1.0], [1.0]


@kind
def edited():
    yield "small", lambda: edits("small", small, "float"), None
    yield "small-int8", lambda: edits("small-int8", small, "int8-io"), None
    yield "loop", lambda: edits("loop", looping, "float"), None
