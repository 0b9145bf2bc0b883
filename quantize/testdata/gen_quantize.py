"""Makes the golden files of package quantize with TensorFlow 2.21.

    TF_USE_LEGACY_KERAS=1 python gen_quantize.py [NAME...]

For each small network it writes NAME.zip with float.tflite, calibration.json
(the ranges of TensorFlow's calibrator, by tensor name), the calibration inputs
(in0.npy, in1.npy, ...; the first axis counts samples) and what TFLiteConverter
makes of the network in each scheme.
"""
import io
import json
import os
import pathlib
import sys
import zipfile

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import numpy as np
import tensorflow as tf
import tf_keras as keras
from ai_edge_litert import schema_py_generated as schema

L = keras.layers
HERE = pathlib.Path(__file__).parent
INT16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
SAMPLES = 12


def convnet():
    x = i = L.Input((12, 12, 1))
    x = L.Conv2D(4, 3, activation="relu")(x)
    x = L.MaxPool2D(2)(x)
    x = L.Conv2D(8, 3, padding="same")(x)
    x = L.AveragePooling2D(2, padding="same")(x)
    x = L.Flatten()(x)
    x = L.Dense(16, activation="relu")(x)
    return keras.Model(i, L.Dense(5, activation="softmax")(x))


def guards():
    """Channels of tiny and of zero weights, biases that overflow int32."""
    x = i = L.Input((6, 6, 2))
    conv, dense = L.Conv2D(6, 3, activation="relu6"), L.Dense(24)
    x = dense(L.Flatten()(conv(x)))
    m = keras.Model(i, L.Dense(3)(x))
    w, b = conv.get_weights()
    w[..., 0] = 0
    w[..., 1] *= 1e-7
    w[..., 2] = 5e-7
    w[..., 3] *= 1e-4
    conv.set_weights([w, np.array([0.5, -0.25, 3, -400, 1, 1e6], np.float32)])
    w, b = dense.get_weights()
    w[:, 4] *= 1e-5
    w[:, 5] = 0
    b[:] = np.linspace(-2, 2, 24)
    b[4], b[5], b[6] = 900, -7, 0
    dense.set_weights([w, b])
    return m


def depthwise():
    x = i = L.Input((8, 8, 4))
    x = L.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6")(x)
    x = L.Conv2D(8, 1, use_bias=False)(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = L.Reshape((8, 8))(x)
    return keras.Model(i, L.Softmax()(x))


def shared():
    """One Dense applied twice: shared weights, one bias guard."""
    d = L.Dense(32)
    a, b = L.Input((32,)), L.Input((32,))
    y = L.Dense(4)(L.Concatenate()([d(a), L.ReLU()(d(b))]))
    m = keras.Model([a, b], y)
    w, _ = d.get_weights()
    bias = np.linspace(-1, 1, 32).astype(np.float32)
    w[:, 3] *= 1e-6
    bias[3] = 50
    d.set_weights([w, bias])
    return m


def outputs():
    """Several outputs, one of which is read on."""
    i = L.Input((16,))
    a = L.Dense(12, activation="relu", name="a")(i)
    b = L.Softmax(name="b")(L.Dense(6, use_bias=False)(a))
    return keras.Model(i, [b, a, L.Reshape((3, 4), name="c")(a)])


def arith():
    """Constant operands, additions in place, results on another scale."""
    i = L.Input((5, 5, 3))
    a = L.Conv2D(3, 3, padding="same")(i)
    b = L.Conv2D(3, 1)(i)
    y = (a + b) * tf.constant([0.5, -2, 3.25])
    y = y - i + 0.75
    y = L.Concatenate()([y, a, tf.nn.relu(y)])
    y = tf.maximum(y, tf.constant(-0.5))
    return keras.Model(i, y)


def concat():
    """Concatenations that compete for one operand."""
    i = L.Input((6, 6, 2))
    a = L.Conv2D(2, 3, name="p")(i)
    b = L.Conv2D(2, 3, name="q")(i) * 3.0
    c = L.Conv2D(2, 3, name="r")(i) * 0.1
    x = L.Concatenate()([a, b])
    y = L.Concatenate()([a, c])
    z = L.MaxPool2D(2)(x)
    return keras.Model(i, [L.Dense(3)(L.Flatten()(z)), y])


def fallback():
    """An operator without an integer form in the middle."""
    i = L.Input((24,))
    x = L.Dense(40, activation="relu")(i)
    x = tf.math.sin(x)
    x = L.Dense(30)(x)
    return keras.Model(i, [tf.math.sigmoid(x), tf.math.tanh(x)])


def static():
    """A fixed batch of two, and padding."""
    i = L.Input((6, 6, 2), batch_size=2)
    x = tf.pad(i, [[0, 0], [1, 1], [2, 0], [0, 0]])
    x = L.Conv2D(4, 3, strides=2, activation="relu")(x)
    x = tf.reduce_mean(x, [1, 2])
    return keras.Model(i, L.Dense(7)(x))


def tangle():
    """Fixed ranges, same-scale chains and joins that meet."""
    i = L.Input((12,))
    x = L.Dense(8)(i)
    a, b = L.Softmax()(x), tf.math.sigmoid(x)
    c = L.Concatenate()([b, x])
    d = L.Concatenate()([c, a])
    e = tf.transpose(tf.reshape(a, [-1, 2, 4]), [0, 2, 1])
    return keras.Model(i, [d, e, tf.argmax(c, -1, output_type=tf.int32)])


def mixed():
    """Inputs that float operators read, float operators between integer ones."""
    i, k = L.Input((8,)), L.Input((8,))
    x = tf.math.sin(i) + L.Dense(8)(i)
    y = tf.math.cos(k)
    z = L.Concatenate()([tf.math.sin(x), x, y])
    return keras.Model([i, k], [z, tf.math.cos(x), L.Dense(3)(z)])


def stack():
    """Constants among operands of one scale, splits and packs."""
    i = L.Input((4, 6))
    x = L.Dense(6)(i)
    c = tf.constant(np.linspace(-3, 2, 24).reshape(1, 4, 6), tf.float32)
    p = tf.stack([x[0], x[0] * 2.0, c[0]])
    a, b = tf.split(x, 2, axis=2)
    m = tf.minimum(x, c) + tf.pad(b, [[0, 0], [0, 0], [3, 0]])
    return keras.Model(i, [p, a, m, x + x])


def prelu():
    i = L.Input((5, 5, 2))
    first = L.PReLU(shared_axes=[1, 2])
    second = L.PReLU(shared_axes=[1, 2])
    x = second(L.Conv2D(3, 2)(first(L.Conv2D(3, 2)(i))))
    m = keras.Model(i, tf.nn.leaky_relu(x))
    second.set_weights([np.array([[[0.25, -0.5, 1.5]]], np.float32)])
    return m


def matmul():
    """Products of activations and with a large constant, and an embedding."""
    i = L.Input((4, 16))
    t = L.Input((3,), dtype=tf.int32)
    q, k = L.Dense(8)(i), L.Dense(8)(i)
    s = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 0.35)
    y = tf.matmul(s, L.Dense(8)(i))
    e = L.Embedding(80, 16)(t)
    w = tf.constant(np.random.default_rng(7).normal(size=(1, 4, 8, 40)), tf.float32)
    return keras.Model([i, t], [tf.matmul(y[:, None, :, :] + tf.zeros([1, 4, 1, 1]), w), e * 2.0])


NETS = [convnet, guards, depthwise, shared, outputs, arith, concat, fallback, static, tangle, mixed, stack, prelu, matmul]
# Not every network in every scheme: the files stay below a megabyte.
DENSE = {"convnet", "guards", "shared"}
INTEGER_IO = {"convnet", "outputs", "fallback", "mixed", "tangle"}
FLOAT_IO16 = {"fallback", "mixed", "tangle"}  # where float operators keep TensorFlow from int16 inputs or outputs


def inputs(m, rng):
    """One list of arrays a sample, in the model's input order, with batch axis."""
    shapes = [(d.shape[0] or 1,) + tuple(d.shape[1:]) for d in m.inputs]

    def draw(k, d, s):
        return rng.integers(0, 80, s).astype(np.int32) if d.dtype == tf.int32 else rng.uniform(-0.6 * k, 1, s).astype(np.float32)

    return [[draw(k, d, s) for k, (d, s) in enumerate(zip(m.inputs, shapes))] for _ in range(SAMPLES)]


def ranges(model):
    t = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    out = {}
    for g in t.subgraphs:
        for x in g.tensors:
            q = x.quantization
            if q is not None and q.min is not None and len(q.min) == 1:
                out[x.name.decode()] = [float(q.min[0]), float(q.max[0])]
    return out


def main():
    for n, net in enumerate(NETS):
        name = net.__name__
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        keras.backend.clear_session()
        keras.utils.set_random_seed(n)
        m = net()
        data = inputs(m, np.random.default_rng(n))
        files = {}

        def convert(file, set_up, **attributes):
            c = tf.lite.TFLiteConverter.from_keras_model(m)
            set_up(c)
            for k, v in attributes.items():
                setattr(c, k, v)
            files[file] = c.convert()

        def default(c):
            c.optimizations = [tf.lite.Optimize.DEFAULT]

        def half(c):
            default(c)
            c.target_spec.supported_types = [tf.float16]

        def full(c):
            default(c)
            c.representative_dataset = lambda: iter(data)

        def wide(c):
            full(c)
            c.target_spec.supported_ops = [INT16, tf.lite.OpsSet.TFLITE_BUILTINS]

        convert("float.tflite", lambda c: None)
        convert("calibrated", full, _experimental_calibrate_only=True)
        files["calibration.json"] = json.dumps(ranges(files.pop("calibrated")), indent=1)
        convert("dynamic.tflite", default)
        convert("float16.tflite", half)
        convert("int8.tflite", full)
        if name != "mixed":  # its float operators would read integers: TensorFlow's file does not load
            convert("int16x8.tflite", wide)
        if name in INTEGER_IO:
            convert("int8_io.tflite", full, inference_input_type=tf.int8, inference_output_type=tf.int8)
            convert("uint8_io.tflite", full, inference_input_type=tf.uint8, inference_output_type=tf.uint8)
            if name not in FLOAT_IO16:
                convert("int16_io.tflite", wide, inference_input_type=tf.int16, inference_output_type=tf.int16)
        if name in DENSE:
            flag = dict(_experimental_disable_per_channel_quantization_for_dense_layers=True)
            convert("dynamic_dense.tflite", default, **flag)
            convert("int8_dense.tflite", full, **flag)
            convert("int16x8_dense.tflite", wide, **flag)
        for k in range(len(data[0])):
            b = io.BytesIO()
            np.save(b, np.concatenate([s[k] for s in data]))
            files[f"in{k}.npy"] = b.getvalue()
        with zipfile.ZipFile(HERE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
            for f, b in files.items():
                z.writestr(zipfile.ZipInfo(f, (2026, 1, 1, 0, 0, 0)), b, zipfile.ZIP_DEFLATED, 9)
        print(name, {f: len(b) for f, b in files.items()}, flush=True)


main()
