"""A small builder of .tflite files over the flatbuffer object API."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

TYPES = {
    "float32": fb.TensorType.FLOAT32, "float16": fb.TensorType.FLOAT16, "int32": fb.TensorType.INT32,
    "uint8": fb.TensorType.UINT8, "int64": fb.TensorType.INT64, "string": fb.TensorType.STRING,
    "bool": fb.TensorType.BOOL, "int16": fb.TensorType.INT16, "complex64": fb.TensorType.COMPLEX64,
    "int8": fb.TensorType.INT8, "complex128": fb.TensorType.COMPLEX128, "float64": fb.TensorType.FLOAT64, "uint64": fb.TensorType.UINT64,
    "uint32": fb.TensorType.UINT32, "uint16": fb.TensorType.UINT16, "resource": fb.TensorType.RESOURCE,
    "int4": fb.TensorType.INT4, "bfloat16": fb.TensorType.BFLOAT16, "int2": fb.TensorType.INT2, "uint4": fb.TensorType.UINT4,
}

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME, VALID = 0, 1


class Quant:
    """Scales and zero points, one of each or one for each index of an axis."""

    def __init__(self, scale, zero=0, axis=0):
        self.scale = np.atleast_1d(np.float32(scale))
        self.zero = np.broadcast_to(np.atleast_1d(np.int64(zero)), self.scale.shape).copy()
        self.axis = axis


class Model:
    """One subgraph. Values are numbered in the order they are declared."""

    def __init__(self):
        self.sub = fb.SubGraphT()
        self.sub.tensors, self.sub.inputs, self.sub.outputs, self.sub.operators = [], [], [], []
        self.codes, self.buffers = [], [fb.BufferT()]

    def value(self, dtype, shape, quant=None, data=None, signature=None, variable=False):
        t = fb.TensorT()
        t.name = f"t{len(self.sub.tensors)}"
        t.type, t.shape, t.hasRank, t.isVariable = TYPES[dtype], list(shape), True, variable
        if signature is not None:
            t.shapeSignature = list(signature)
        if quant is not None:
            t.quantization = fb.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = quant.scale, quant.zero
            t.quantization.quantizedDimension = quant.axis
        if data is not None:
            b = fb.BufferT()
            b.data = np.frombuffer(data, np.uint8)
            t.buffer = len(self.buffers)
            self.buffers.append(b)
        self.sub.tensors.append(t)
        return len(self.sub.tensors) - 1

    def input(self, dtype, shape, quant=None, signature=None):
        v = self.value(dtype, shape, quant, signature=signature)
        self.sub.inputs.append(v)
        return v

    def const(self, array, quant=None, dtype=None):
        """A constant; dtype where numpy has no such type (array holds its bytes then)."""
        array = np.ascontiguousarray(array)
        return self.value(dtype or array.dtype.name, array.shape, quant, array.tobytes())

    def packed(self, array, bits, quant=None):
        """A constant of integers of 2 or 4 bits; unsigned where array is."""
        dtype = {2: "int2", 4: "uint4" if array.dtype.kind == "u" else "int4"}[bits]
        return self.value(dtype, array.shape, quant, pack_bits(array, bits).tobytes())

    def sparse(self, array, quant=None, **how):
        """A constant that is stored sparsely; how as in sparsity()."""
        array = np.ascontiguousarray(array)
        values, parameters = sparsity(array, **how)
        v = self.value(array.dtype.name, array.shape, quant, values.tobytes())
        self.sub.tensors[v].sparsity = parameters
        return v

    def blockwise(self, array, bits, scales, block):
        """A matrix of 2 or 4 bits with a float16 scale for each block of a row."""
        s = self.const(np.float16(scales))
        v = self.packed(array, bits)
        q = self.sub.tensors[v].quantization = fb.QuantizationParametersT()
        q.detailsType, q.details = fb.QuantizationDetails.BlockwiseQuantization, fb.BlockwiseQuantizationT()
        q.details.scales, q.details.zeroPoints, q.details.blockSize = s, -1, block
        return v

    def output(self, dtype, shape, quant=None):
        v = self.value(dtype, shape, quant)
        self.sub.outputs.append(v)
        return v

    def op(self, name, inputs, outputs, options=None, version=1, intermediates=()):
        """Adds a node. None among the inputs stands for an absent operand."""
        o = fb.OperatorT()
        o.opcodeIndex = self._code(getattr(fb.BuiltinOperator, name), version)
        o.inputs = [-1 if v is None else v for v in inputs]
        o.outputs = list(outputs)
        if intermediates:
            o.intermediates = list(intermediates)
        if options is not None:
            union = type(options).__name__.removesuffix("T")
            if hasattr(fb.BuiltinOptions, union):
                o.builtinOptionsType, o.builtinOptions = getattr(fb.BuiltinOptions, union), options
            else:
                o.builtinOptions2Type, o.builtinOptions2 = getattr(fb.BuiltinOptions2, union), options
        self.sub.operators.append(o)

    def custom(self, name, inputs, outputs, options=b""):
        """Adds a node of a custom operator; options are its bytes."""
        c = fb.OperatorCodeT()
        c.builtinCode = c.deprecatedBuiltinCode = fb.BuiltinOperator.CUSTOM
        c.customCode, c.version = name, 1
        self.codes.append(c)
        o = fb.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = len(self.codes) - 1, list(inputs), list(outputs)
        o.customOptions = np.frombuffer(options, np.uint8)
        self.sub.operators.append(o)

    def _code(self, builtin, version):
        for i, c in enumerate(self.codes):
            if c.builtinCode == builtin and c.version == version:
                return i
        c = fb.OperatorCodeT()
        c.builtinCode, c.deprecatedBuiltinCode, c.version = builtin, min(builtin, 127), version
        self.codes.append(c)
        return len(self.codes) - 1

    def pack(self):
        m = fb.ModelT()
        m.version, m.subgraphs, m.operatorCodes, m.buffers = 3, [self.sub], self.codes, self.buffers
        b = flatbuffers.Builder(1024)
        b.Finish(m.Pack(b), b"TFL3")
        return bytes(b.Output())


def pack_bits(array, bits):
    """Integers of 2 or 4 bits, the first in the low bits of a byte."""
    per = 8 // bits
    flat = np.ascontiguousarray(array).reshape(-1).astype(np.uint8) & (1 << bits) - 1
    flat = np.append(flat, np.zeros(-len(flat) % per, np.uint8)).reshape(-1, per)
    return (flat << (np.arange(per) * bits).astype(np.uint8)).sum(1).astype(np.uint8)


def sparsity(dense, order, formats, block_map=(), blocks=(), bits=32):
    """The stored elements of a sparse constant and its SparsityParameters: levels in
    order (dimensions, then blocks), "d"ense or "s"parse each, indices of bits bits."""
    shape = []
    for i, n in enumerate(dense.shape):
        b = blocks[block_map.index(i)] if i in block_map else 1
        shape += [n // b, b]
    rank = dense.ndim
    x = dense.reshape(shape)
    names = [2 * d if d < rank else 2 * block_map[d - rank] + 1 for d in order]
    x = x.transpose(names + [i for i in range(2 * rank) if i not in names]).reshape([shape[i] for i in names])
    p = fb.SparsityParametersT()
    p.traversalOrder, p.blockMap, p.dimMetadata = list(order), list(block_map), []
    nodes = [x]
    for level, form in enumerate(formats):
        d = fb.DimensionMetadataT()
        if form == "d":
            d.format, d.denseSize = fb.DimensionType.DENSE, x.shape[level]
            nodes = [n[i] for n in nodes for i in range(x.shape[level])]
        else:
            d.format = fb.DimensionType.SPARSE_CSR
            kept = [[i for i in range(x.shape[level]) if np.any(n[i])] for n in nodes]
            segments = np.cumsum([0] + [len(k) for k in kept])
            d.arraySegmentsType, d.arraySegments = _vector(segments, bits)
            d.arrayIndicesType, d.arrayIndices = _vector([i for k in kept for i in k], bits)
            nodes = [n[i] for n, k in zip(nodes, kept) for i in k]
        p.dimMetadata.append(d)
    return np.array(nodes, dense.dtype).reshape(-1), p


def _vector(values, bits):
    name, dtype = {32: ("Int32Vector", np.int32), 16: ("Uint16Vector", np.uint16), 8: ("Uint8Vector", np.uint8)}[bits]
    v = getattr(fb, name + "T")()
    v.values = np.array(values, dtype)
    return getattr(fb.SparseIndexVector, name), v


def output_types(packed):
    """The element types of a file's outputs; LiteRT's Python calls int4 int8."""
    sub = fb.Model.GetRootAs(packed).Subgraphs(0)
    return [sub.Tensors(sub.Outputs(i)).Type() for i in range(sub.OutputsLength())]


def options(kind, **fields):
    """options("Conv2D", strideH=2) is a Conv2DOptionsT."""
    o = getattr(fb, kind + "OptionsT")()
    for k, v in fields.items():
        assert hasattr(o, k), k
        setattr(o, k, v)
    return o
