"""Writes tflite.json: outputs of single-operator models from LiteRT's
reference kernels (OpResolverType.BUILTIN_REF).

Each case holds the operator, its quantization parameters, the input rule and
the output: whole for 8-bit results, FNV-1a over little-endian bytes plus every
1024th value for int16 results. Run: python gen_tflite.py
"""
import json, os
import flatbuffers, numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {np.int8: schema.TensorType.INT8, np.uint8: schema.TensorType.UINT8, np.int16: schema.TensorType.INT16,
         np.int32: schema.TensorType.INT32, np.int64: schema.TensorType.INT64}

def tensor(model, shape, dtype, scale, zero, data=None):
    b = schema.BufferT()
    if data is not None:
        b.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
    model.buffers.append(b)
    t = schema.TensorT()
    t.shape, t.type, t.buffer = list(shape), TYPES[dtype], len(model.buffers) - 1
    t.name = "t%d" % len(model.subgraphs[0].tensors)
    q = schema.QuantizationParametersT()
    q.scale, q.zeroPoint = [scale], [zero]
    t.quantization = q
    model.subgraphs[0].tensors.append(t)
    return len(model.subgraphs[0].tensors) - 1

def run(code, version, options, x, s_in, z_in, out_type, s_out, z_out, constants=(), out_shape=None):
    """Runs one operator; constants are (data, scale, zero) operands after x."""
    m = schema.ModelT(); m.version = 3; m.buffers = [schema.BufferT()]
    g = schema.SubGraphT(); g.tensors = []; m.subgraphs = [g]
    c = schema.OperatorCodeT(); c.builtinCode = code; c.deprecatedBuiltinCode = min(code, 127); c.version = version
    m.operatorCodes = [c]
    i = tensor(m, x.shape, x.dtype.type, s_in, z_in)
    extra = [tensor(m, d.shape, d.dtype.type, s, z, d) for d, s, z in constants]
    o = tensor(m, out_shape or x.shape, out_type, s_out, z_out)
    op = schema.OperatorT(); op.inputs = [i] + extra; op.outputs = [o]
    if options is not None:
        op.builtinOptions = options
        op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
    g.inputs, g.outputs, g.operators = [i], [o], [op]
    b = flatbuffers.Builder(1024)
    b.Finish(m.Pack(b), b"TFL3")
    it = Interpreter(model_content=bytes(b.Output()), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    it.allocate_tensors()
    it.set_tensor(it.get_input_details()[0]["index"], x)
    it.invoke()
    return it.get_tensor(it.get_output_details()[0]["index"])

def fnv(a):
    h = 14695981039346656037
    for v in np.ascontiguousarray(a).tobytes():
        h = ((h ^ v) * 1099511628211) & (2**64 - 1)
    return "%016x" % h

cases = []
def case(op, s_in, z_in, s_out, z_out, out, **more):
    out = out.reshape(-1)
    c = dict(op=op, sIn=float(np.float32(s_in)), zIn=z_in, sOut=float(np.float32(s_out)), zOut=z_out, **more)
    if out.dtype == np.int16 and out.size > 1024:
        c.update(fnv=fnv(out), every1024=out[::1024].tolist())
    else:
        c.update(out=out.tolist())
    cases.append(c)

B = schema.BuiltinOperator
all8 = np.arange(-128, 128, dtype=np.int8).reshape(1, -1)
all16 = np.arange(-32768, 32768).astype(np.int16).reshape(1, -1)
rng = np.random.default_rng(1)

for s in [1 / 4096, 1 / 2048, 1 / 1024, 3e-4, 1e-3, 0.1, 1e-5, 2.5e-4, 1 / 4100]:
    case("LOGISTIC16", s, 0, 1 / 32768, 0, run(B.LOGISTIC, 3, None, all16, s, 0, np.int16, 1 / 32768, 0))
    case("TANH16", s, 0, 1 / 32768, 0, run(B.TANH, 3, None, all16, s, 0, np.int16, 1 / 32768, 0))

pairs = [(0.5, 0.25), (0.25, 0.5), (1.0, 1 / 3), (0.1, 0.3), (0.3, 0.1), (0.0123, 0.0456), (1.0, 1000.0), (7.0, 0.9)]
pairs += [(float(a), float(b)) for a, b in np.exp(rng.uniform(-5, 2, (24, 2)))]
for a, b in pairs:
    z1, z2 = int(rng.integers(-128, 128)), int(rng.integers(-128, 128))
    case("REQUANTIZE8", a, z1, b, z2, run(B.QUANTIZE, 2, schema.QuantizeOptionsT(), all8, a, z1, np.int8, b, z2))
for a, b in pairs[:12]:
    case("REQUANTIZE16", a, 0, b, 0, run(B.QUANTIZE, 2, schema.QuantizeOptionsT(), all16, a, 0, np.int16, b, 0))

for s in [0.05, 0.1, 1 / 16, 0.5]:
    case("LOGISTIC8", s, 3, 1 / 256, -128, run(B.LOGISTIC, 2, None, all8, s, 3, np.int8, 1 / 256, -128))
    case("TANH8", s, -5, 1 / 128, 0, run(B.TANH, 2, None, all8, s, -5, np.int8, 1 / 128, 0))
    case("EXP8", s, 127, 1 / 256, -128, run(B.EXP, 2, schema.ExpOptionsT(), all8, s, 127, np.int8, 1 / 256, -128))
    case("EXP16", s / 256, 0, 0.001, 0, run(B.EXP, 2, schema.ExpOptionsT(), all16, s / 256, 0, np.int16, 0.001, 0))
    case("RSQRT8", s, -128, 0.02, -128, run(B.RSQRT, 2, None, all8, s, -128, np.int8, 0.02, -128))
    rows = rng.integers(-128, 128, (8, 10)).astype(np.int8)
    rows[0] = -128; rows[1] = np.arange(10)
    so = schema.SoftmaxOptionsT(); so.beta = 1.0
    case("SOFTMAX8", s, 0, 1 / 256, -128, run(B.SOFTMAX, 2, so, rows, s, 0, np.int8, 1 / 256, -128), input=rows.reshape(-1).tolist(), depth=10)
    case("LOG_SOFTMAX8", s, 0, 16 / 256, 127, run(B.LOG_SOFTMAX, 2, None, rows, s, 0, np.int8, 16 / 256, 127), input=rows.reshape(-1).tolist(), depth=10)
    rows = rng.integers(-32768, 32768, (8, 10)).astype(np.int16)
    rows[1] = np.arange(10) * 300
    case("SOFTMAX16", s / 256, 0, 1 / 32768, 0, run(B.SOFTMAX, 3, so, rows, s / 256, 0, np.int16, 1 / 32768, 0), input=rows.reshape(-1).tolist(), depth=10)

for s, so in [(0.05, 0.04), (0.1, 0.1), (0.003, 0.003), (0.7, 1.5)]:
    case("HARD_SWISH8", s, 5, so, -20, run(B.HARD_SWISH, 1, schema.HardSwishOptionsT(), all8, s, 5, np.int8, so, -20))

# The int64 requantization: CONV_2D 1x1 with an int64 bias.
x = all16[:, ::64].reshape(-1, 1, 1, 1)
co = schema.Conv2DOptionsT(); co.strideW = co.strideH = co.dilationWFactor = co.dilationHFactor = 1
for w, sw, s_out in [(127, 0.011, 0.9), (-90, 0.3, 0.21), (55, 1.7, 70.0)]:
    bias = np.array([1234567], np.int64)
    out = run(B.CONV_2D, 3, co, x, 0.02, 0, np.int16, s_out, 0, constants=[(np.array([[[[w]]]], np.int8), sw, 0), (bias, 0.02 * sw, 0)])
    case("CONV_2D16", 0.02, 0, s_out, 0, out, weight=w, sWeight=float(np.float32(sw)), bias=int(bias[0]), input=x.reshape(-1).tolist(), depth=1)

# FULLY_CONNECTED's reference kernels scale in double: ties tell.
x8, fo = all8.reshape(-1, 1), schema.FullyConnectedOptionsT()
for w, sw, s_in, s_out in [(127, 0.011, 0.02, 0.9), (-90, 0.3, 0.02, 0.21), (1, 1.0, 0.5, 1.0), (3, 1.0, 0.25, 2.0)]:
    for op, v, x, t, bt in [("FULLY_CONNECTED8", 4, x8, np.int8, np.int32), ("FULLY_CONNECTED16", 4, all16[:, 16384:49152:64].reshape(-1, 1), np.int16, np.int64)]:
        bias = np.array([7], bt)
        out = run(B.FULLY_CONNECTED, v, fo, x, s_in, 0, t, s_out, 0, constants=[(np.array([[w]], np.int8), sw, 0), (bias, s_in * sw, 0)])
        case(op, s_in, 0, s_out, 0, out, weight=w, sWeight=float(np.float32(sw)), bias=int(bias[0]), input=x.reshape(-1).tolist(), depth=1)

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "tflite.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
