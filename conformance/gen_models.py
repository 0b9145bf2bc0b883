"""Writes a folder of whole models: gen_models.py FOLDER [KIND[/NAME] ...].

Networks, quantized networks, recurrent networks, layers, functions and edited files,
each converted in several ways by TensorFlow's converter. The weights are random but
seeded by the model's name. What the converter refuses is named and left out. Needs
tensorflow 2.21, tf-keras and tensorflow-model-optimization.
"""

import argparse
import copy
import fnmatch
import os
import tempfile
import zlib

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as fb

keras, L, lite = tf.keras, tf.keras.layers, tf.lite
OPS, DEFAULT, SPARSITY = lite.OpsSet, lite.Optimize.DEFAULT, lite.Optimize.EXPERIMENTAL_SPARSITY

# ---------------------------------------------------------------- conversion

INT8 = dict(optimizations=[DEFAULT], representative_dataset=True)
INT16 = INT8 | dict(ops=[OPS.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8])

# The ways to convert: attributes of the converter, "ops" and "types" of its target_spec.
WAYS = {
    "float": {},
    "dynamic": dict(optimizations=[DEFAULT]),
    "float16": dict(optimizations=[DEFAULT], types=[tf.float16]),
    "int8": INT8,
    "int8-only": INT8 | dict(ops=[OPS.TFLITE_BUILTINS_INT8]),
    "int8-io": INT8 | dict(inference_input_type=tf.int8, inference_output_type=tf.int8),
    "uint8-io": INT8 | dict(inference_input_type=tf.uint8, inference_output_type=tf.uint8),
    "int16x8": INT16,
    "int16x8-io": INT16 | dict(inference_input_type=tf.int16, inference_output_type=tf.int16),
    "int16x8-bias32": INT16 | dict(_experimental_full_integer_quantization_bias_type=tf.int32),
    "per-tensor": INT8 | dict(_experimental_disable_per_channel=True),
    "dynamic-per-tensor": dict(optimizations=[DEFAULT], _experimental_disable_per_channel=True),
    "old-quantizer": INT8 | dict(experimental_new_quantizer=False),
    "old-dynamic": dict(optimizations=[DEFAULT], experimental_new_dynamic_range_quantizer=False),
    "variables": INT8 | dict(_experimental_variable_quantization=True),
    "sparse": dict(optimizations=[SPARSITY]),
    "sparse-dynamic": dict(optimizations=[DEFAULT, SPARSITY]),
    "sparse-int8": INT8 | dict(optimizations=[DEFAULT, SPARSITY]),
    "sparse-float16": dict(optimizations=[DEFAULT, SPARSITY], types=[tf.float16]),
    "int4": dict(optimizations=[DEFAULT], _experimental_low_bit_qat=True),
    "qdq-dynamic": dict(_experimental_qdq_conversion_mode="DYNAMIC"),
    "qdq-static": dict(_experimental_qdq_conversion_mode="STATIC"),
    "offsets": dict(_experimental_use_buffer_offset=True),
    "bare": dict(exclude_conversion_metadata=True, unfold_batchmatmul=True),
    "tensor-lists": dict(_experimental_lower_tensor_list_ops=False, ops=[OPS.TFLITE_BUILTINS, OPS.SELECT_TF_OPS]),
    "resources": dict(experimental_enable_resource_variables=True),
    "custom": dict(allow_custom_ops=True),
    "select": dict(ops=[OPS.TFLITE_BUILTINS, OPS.SELECT_TF_OPS]),
    "slice-updates": dict(_experimental_enable_dynamic_update_slice=True),
}
MOST = ["float", "dynamic", "float16", "int8", "int8-io", "uint8-io", "int16x8", "per-tensor"]
SOME = ["float", "dynamic", "int8", "int16x8"]
FEW = ["float", "int8"]


def converter(model):
    """Of a Keras model, a function or a module and its signatures by name."""
    make = lite.TFLiteConverter
    if isinstance(model, keras.Model):
        return make.from_keras_model(model)
    if isinstance(model, tuple):
        folder = tempfile.mkdtemp()
        tf.saved_model.save(model[0], folder, model[1])
        return make.from_saved_model(folder, signature_keys=sorted(model[1]))
    return make.from_concrete_functions([model.get_concrete_function()], model)


def convert(model, way):
    c = converter(model)
    for name, value in WAYS[way].items():
        if name in ("ops", "types"):
            setattr(c.target_spec, "supported_" + name, value)
        else:
            setattr(c, name, samples(model) if name == "representative_dataset" else value)
    return c.convert()


def samples(model):
    """A representative data set: integers below 8, floats of [-2, 2)."""
    if isinstance(model, tuple):
        (name, f), = model[1].items()
        specs = f.get_concrete_function().structured_input_signature[1]
        return lambda: ((name, {k: sample(s) for k, s in specs.items()}) for _ in range(4))
    specs = model.inputs if isinstance(model, keras.Model) else model.input_signature
    return lambda: ([sample(s) for s in specs] for _ in range(4))


def sample(spec):
    shape = [n or 1 for n in spec.shape]
    if spec.dtype.is_floating:
        return np.random.uniform(-2, 2, shape).astype(spec.dtype.as_numpy_dtype)
    return np.random.randint(0, 2 if spec.dtype.is_bool else 8, shape).astype(spec.dtype.as_numpy_dtype)


# ---------------------------------------------------------------- kinds

KINDS = {}


def kind(f):
    """Registers a generator of (name, what builds the model, ways); without ways it builds the files by name."""
    KINDS[f.__name__] = f
    return f


def network(shape, *layers, batch=1, dtype=None):
    """A sequence of layers over one input."""
    x = first = L.Input(shape, batch_size=batch, dtype=dtype)
    for layer in layers:
        x = layer(x)
    return keras.Model(first, x)


def stirred(model):
    """The model with other values where Keras starts with zeros and ones."""
    values = [w if w.ndim > 1 else w + np.random.uniform(-0.1, 0.1, w.shape) for w in model.get_weights()]
    model.set_weights(values)
    return model


def application(name, size, classes=10):
    # Not all of them take the argument that leaves softmax out.
    make = getattr(keras.applications, name)
    options = dict(weights=None, input_shape=(size, size, 3), classes=classes)
    try:
        return stirred(make(classifier_activation=None, **options))
    except TypeError:
        return stirred(make(**options))


@kind
def applications():
    for name, size in [("MobileNet", 96), ("MobileNetV2", 96), ("MobileNetV3Small", 96), ("EfficientNetB0", 64)]:
        yield name, lambda: application(name, size), MOST + ["sparse-dynamic", "old-quantizer"]
    for name, size in [("MobileNetV3Large", 64), ("EfficientNetV2B0", 64), ("NASNetMobile", 64), ("DenseNet121", 64),
                       ("RegNetX002", 64), ("RegNetY002", 64), ("ResNet50", 64), ("ResNet50V2", 64), ("InceptionV3", 96),
                       ("Xception", 80), ("ConvNeXtTiny", 64), ("ResNetRS50", 64)]:
        yield name, lambda: application(name, size), SOME


@kind
def large():
    yield "MobileNetV2", lambda: application("MobileNetV2", 224, 1000), ["float"]
    yield "ResNet50", lambda: application("ResNet50", 224, 1000), ["float"]
    yield "EfficientNetB0", lambda: application("EfficientNetB0", 224, 1000), ["int8"]


# ---------------------------------------------------------------- optimized networks


def classifier():
    return keras.Sequential([
        L.Input((16, 16, 3), batch_size=1),
        L.Conv2D(16, 3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(),
        L.DepthwiseConv2D(3, strides=2), L.ReLU(6.0), L.Conv2D(32, 3, activation="relu"),
        L.MaxPooling2D(), L.Flatten(), L.Dense(64, activation="relu"), L.Dense(10, activation="softmax"),
    ])


def residual(free=True):
    first = L.Input((16, 16, 4), batch_size=1)
    a = L.Conv2D(8, 3, padding="same", activation="relu")(first)
    b = L.SeparableConv2D(8, 3, padding="same")(L.UpSampling2D()(L.AveragePooling2D()(a)))
    c = L.Concatenate()([L.Add()([a, b]), L.Subtract()([a, b]) if free else a])
    return keras.Model(first, L.Dense(5)(L.GlobalAveragePooling2D()(L.LeakyReLU()(c))))


def trained(model):
    """A few steps, so that ranges of activations are known."""
    model.compile("sgd", "mse")
    x = np.random.uniform(-2, 2, (8, *model.input_shape[1:])).astype(np.float32)
    with np.errstate(all="ignore"):
        model.fit(x, np.zeros((8, *model.output_shape[1:])), batch_size=model.input_shape[0] or 8, verbose=0)
    return model


def pruned(model, block):
    """Nine in ten of the blocks of every kernel become zero."""
    weights = model.get_weights()
    for i, w in enumerate(weights):
        if w.ndim > 1:
            rows = np.moveaxis(w, -1, 0).reshape(w.shape[-1], -1)
            keep = np.random.rand(rows.shape[0] // block[0] + 1, rows.shape[1] // block[1] + 1) < 0.1
            rows = rows * np.kron(keep, np.ones(block))[: rows.shape[0], : rows.shape[1]]
            weights[i] = np.moveaxis(rows.reshape(w.shape[-1], *w.shape[:-1]), 0, -1)
    model.set_weights(weights)
    return model


def clustered(model, n):
    weights = model.get_weights()
    for i, w in enumerate(weights):
        if w.ndim > 1:
            levels = np.linspace(w.min(), w.max(), n)
            weights[i] = levels[np.abs(w[..., None] - levels).argmin(-1)]
    model.set_weights(weights)
    return model


def faked(bits, axis=None, narrow=True):
    """A dense and a convolution layer over weights of fewer bits."""
    w = tf.constant(np.random.uniform(-1, 1, (12, 8)), tf.float32)
    k = tf.constant(np.random.uniform(-1, 1, (3, 3, 4, 8)), tf.float32)

    def low(v):
        if axis is None:
            return tf.quantization.fake_quant_with_min_max_vars(v, -1.0, 1.0, bits, narrow)
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(v, [-1.0] * 8, [1.0 + i / 8 for i in range(8)], bits, narrow)

    @tf.function(input_signature=[tf.TensorSpec((1, 6, 6, 4)), tf.TensorSpec((2, 12))])
    def f(image, rows):
        image, rows = (tf.quantization.fake_quant_with_min_max_args(v, -2, 2, 8) for v in (image, rows))
        a = tf.quantization.fake_quant_with_min_max_args(tf.nn.conv2d(image, low(k), 1, "SAME"), -8, 8, 8)
        b = tf.quantization.fake_quant_with_min_max_args(tf.matmul(rows, low(w)), -4, 4, 8)
        return a, b

    return f


@kind
def optimized():
    import tensorflow_model_optimization as tfmot

    aware = ["float", "dynamic", "int8-io", "uint8-io", "per-tensor"]
    for name, make in [("classifier", classifier), ("residual", lambda: residual(False))]:
        yield f"aware-{name}", lambda: trained(tfmot.quantization.keras.quantize_model(make())), aware
        yield f"plain-{name}", make, list(WAYS)
        for block in [(1, 1), (1, 4), (1, 16), (4, 4), (16, 1)]:
            # LiteRT reads beyond other float16 constants in blocks.
            sparse = ["sparse", "sparse-dynamic", "sparse-int8"] + ["sparse-float16"] * (block == (1, 1))
            yield f"pruned{block[0]}x{block[1]}-{name}", lambda: pruned(make(), block), sparse
        yield f"clustered-{name}", lambda: clustered(make(), 16), ["dynamic", "int8", "sparse-int8"]
    yield "aware-mobile", lambda: trained(tfmot.quantization.keras.quantize_model(
        keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=5))), aware[:2]
    for bits in (2, 4, 8):
        for axis in (None, 1):
            yield f"fake{bits}-{'channel' if axis else 'tensor'}", lambda: faked(bits, axis), ["float", "int4", "dynamic", "qdq-dynamic", "qdq-static"]


# ---------------------------------------------------------------- recurrent networks


@kind
def recurrent():
    ways = SOME + ["float16", "old-quantizer", "old-dynamic", "variables"]
    options = {
        "plain": {}, "sequences": dict(return_sequences=True), "backwards": dict(go_backwards=True),
        "unrolled": dict(unroll=True), "stateful": dict(stateful=True), "state": dict(return_state=True),
        "unbiased": dict(use_bias=False), "relu": dict(activation="relu"), "major": dict(time_major=True),
    }
    for name, cell in [("lstm", L.LSTM), ("gru", L.GRU), ("rnn", L.SimpleRNN)]:
        for tag, o in options.items():
            yield f"{name}-{tag}", lambda: stirred(network((5, 4), cell(6, **o))), ways if tag in ("plain", "unrolled", "stateful") else SOME
        yield f"{name}-batches", lambda: network((5, 4), cell(6), batch=None), SOME
        yield f"{name}-batch3", lambda: network((5, 4), cell(6), batch=3), FEW
        yield f"{name}-steps", lambda: network((None, 4), cell(6)), SOME
        yield f"{name}-mask", lambda: network((5, 4), L.Masking(0.5), cell(6, return_sequences=True)), FEW
        yield f"{name}-stacked", lambda: network((5, 4), cell(6, return_sequences=True), cell(3), L.Dense(2)), ways
        yield f"{name}-text", lambda: network((7,), L.Embedding(8, 4, mask_zero=True), cell(6), dtype="int32"), SOME
        for mode in ("concat", "sum", "ave", "mul"):
            both = lambda: network((5, 4), L.Bidirectional(cell(6, return_sequences=mode != "ave"), merge_mode=mode))
            yield f"{name}-both-{mode}", both, ways if mode == "concat" else FEW
        yield f"{name}-distributed", lambda: network((3, 5, 4), L.TimeDistributed(cell(6))), FEW
    yield "gru-before", lambda: stirred(network((5, 4), L.GRU(6, reset_after=False))), SOME
    yield "lstm-hard", lambda: network((5, 4), L.LSTM(6, recurrent_activation="hard_sigmoid")), SOME
    yield "lstm-cells", lambda: network((5, 4), L.RNN([L.LSTMCell(6), L.LSTMCell(5)])), SOME
    yield "lstm-cells-unrolled", lambda: network((5, 4), L.RNN([L.LSTMCell(6), L.GRUCell(5)], unroll=True)), SOME
    yield "conv1d-lstm", lambda: network((4, 8, 2), L.ConvLSTM1D(3, 3)), SOME
    yield "conv2d-lstm", lambda: network((3, 6, 6, 2), L.ConvLSTM2D(3, 3, padding="same", return_sequences=True)), SOME
    yield "conv2d-lstm-both", lambda: network((3, 6, 6, 2), L.Bidirectional(L.ConvLSTM2D(2, 3))), FEW
    yield "conv3d-lstm", lambda: network((3, 4, 4, 4, 2), L.ConvLSTM3D(2, 3)), FEW


# ---------------------------------------------------------------- layers


def attention(**options):
    x = L.Input((5, 8), batch_size=1)
    return keras.Model(x, L.MultiHeadAttention(2, 4, **options)(x, x))


def transformer():
    x = first = L.Input((6,), batch_size=1, dtype="int32")
    x = L.Embedding(8, 8)(x) + L.Embedding(6, 8)(tf.range(6))
    for _ in range(2):
        x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
        x = L.LayerNormalization()(x + L.Dense(8)(L.Dense(16, activation="gelu")(x)))
    return keras.Model(first, L.Dense(8, activation="softmax")(x))


def merged(layer, *shapes, batch=1):
    inputs = [L.Input(s, batch_size=batch) for s in shapes]
    return keras.Model(inputs, layer(inputs))


@kind
def layers():
    image, volume, row, text = (8, 8, 3), (4, 6, 5, 2), (9, 4), dict(dtype="int32")
    convolutions = {
        "conv1d": (row, L.Conv1D(5, 3, padding="causal", dilation_rate=2)),
        "conv1d-strided": (row, L.Conv1D(5, 3, strides=2, activation="tanh")),
        "conv2d": (image, L.Conv2D(6, (3, 2), dilation_rate=2, padding="same", activation="sigmoid")),
        "conv2d-groups": ((8, 8, 4), L.Conv2D(8, 3, groups=2)),
        "conv3d": (volume, L.Conv3D(3, 3, strides=(1, 2, 1), padding="same")),
        "conv3d-dilated": (volume, L.Conv3D(3, 2, dilation_rate=2)),
        "transpose1d": (row, L.Conv1DTranspose(5, 3, strides=2)),
        "transpose2d": (image, L.Conv2DTranspose(6, 3, strides=2, padding="same")),
        "transpose2d-valid": (image, L.Conv2DTranspose(6, (2, 3), strides=(2, 3), activation="relu")),
        "transpose2d-dilated": (image, L.Conv2DTranspose(6, 3, dilation_rate=2)),
        "transpose3d": (volume, L.Conv3DTranspose(3, 2, strides=2)),
        "separable1d": (row, L.SeparableConv1D(5, 3, depth_multiplier=2)),
        "separable2d": (image, L.SeparableConv2D(5, 3, strides=2)),
        "depthwise1d": (row, L.DepthwiseConv1D(3)),
        "depthwise2d": (image, L.DepthwiseConv2D(3, depth_multiplier=3, dilation_rate=2)),
        "local1d": (row, L.LocallyConnected1D(2, 3)),
        "local2d": ((4, 4, 2), L.LocallyConnected2D(2, 3)),
        "dense": (row, L.Dense(7, activation="softmax")),
        "dense-einsum": (row, L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")),
    }
    for name, (shape, layer) in convolutions.items():
        yield name, lambda: stirred(network(shape, layer)), MOST + ["int16x8-bias32", "dynamic-per-tensor"]
        yield name + "-batches", lambda: network(shape, layer, batch=None), FEW
    others = {
        "layer-norm": (row, L.LayerNormalization()), "layer-norm-two": (row, L.LayerNormalization(axis=(1, 2))),
        "batch-norm": (image, L.BatchNormalization()), "group-norm": ((4, 4, 8), L.GroupNormalization(4)),
        "unit-norm": (row, L.UnitNormalization()), "normalization": (row, L.Normalization(mean=0.5, variance=2.0)),
        "upsampling1d": (row, L.UpSampling1D(3)), "upsampling2d": (image, L.UpSampling2D((2, 3))),
        "upsampling-bilinear": (image, L.UpSampling2D(2, interpolation="bilinear")),
        "upsampling-bicubic": (image, L.UpSampling2D(2, interpolation="bicubic")), "upsampling3d": (volume, L.UpSampling3D()),
        "resizing": (image, L.Resizing(5, 11)), "resizing-area": (image, L.Resizing(4, 4, interpolation="area")),
        "center-crop": (image, L.CenterCrop(5, 4)), "rescaling": (image, L.Rescaling(1 / 127.5, -1.0)),
        "cropping1d": (row, L.Cropping1D(2)), "cropping2d": (image, L.Cropping2D(((1, 2), (0, 3)))),
        "cropping3d": (volume, L.Cropping3D(1)), "padding1d": (row, L.ZeroPadding1D(2)),
        "padding2d": (image, L.ZeroPadding2D(((1, 0), (2, 3)))), "padding3d": (volume, L.ZeroPadding3D(1)),
        "max1d": (row, L.MaxPooling1D(2)), "max2d": (image, L.MaxPooling2D((3, 2), 2, "same")), "max3d": (volume, L.MaxPooling3D(2)),
        "average1d": (row, L.AveragePooling1D(2)), "average2d": (image, L.AveragePooling2D(3, 2, "same")),
        "average3d": (volume, L.AveragePooling3D(2, padding="same")), "global-max1d": (row, L.GlobalMaxPooling1D()),
        "global-max2d": (image, L.GlobalMaxPooling2D(keepdims=True)), "global-max3d": (volume, L.GlobalMaxPooling3D()),
        "global-average1d": (row, L.GlobalAveragePooling1D()), "global-average2d": (image, L.GlobalAveragePooling2D()),
        "global-average3d": (volume, L.GlobalAveragePooling3D()), "flatten": (image, L.Flatten()),
        "reshape": (image, L.Reshape((4, -1, 2))), "permute": (image, L.Permute((3, 1, 2))), "repeat": ((6,), L.RepeatVector(4)),
        "prelu": (image, L.PReLU()), "prelu-shared": (image, L.PReLU(shared_axes=[1, 2], alpha_initializer="normal")),
        "leaky": (image, L.LeakyReLU(0.2)), "elu": (row, L.ELU(0.7)), "thresholded": (row, L.ThresholdedReLU(0.3)),
        "softmax": (row, L.Softmax()), "softmax-axis": (image, L.Softmax(axis=1)), "relu": (row, L.ReLU(1.5, 0.1, 0.2)),
        "dropout": (row, L.Dropout(0.5)), "noise": (row, L.GaussianNoise(0.5)), "discretization": (row, L.Discretization([-1.0, 0.0, 1.0])),
        "fourier": (row[:1], L.experimental.RandomFourierFeatures(7) if hasattr(L.experimental, "RandomFourierFeatures") else L.Flatten()),
        "einsum": (row, L.Lambda(lambda x: tf.einsum("abc,adc->abd", x, x))), "norm": (row, L.Lambda(lambda x: tf.linalg.l2_normalize(x, -1))),
        "lrn": (image, L.Lambda(lambda x: tf.nn.lrn(x, 2))), "shuffle": ((4, 4, 8), L.Lambda(lambda x: tf.nn.depth_to_space(x, 2))),
        "unshuffle": (image, L.Lambda(lambda x: tf.nn.space_to_depth(x, 2))),
        "channels": ((4, 4, 6), L.Lambda(lambda x: tf.reshape(tf.transpose(tf.reshape(x, [-1, 4, 4, 2, 3]), [0, 1, 2, 4, 3]), [-1, 4, 4, 6]))),
        "variance": (image, L.Lambda(lambda x: tf.concat(tf.nn.moments(x, [1, 2]), -1))),
    }
    for name, (shape, layer) in others.items():
        yield name, lambda: stirred(network(shape, layer)), FEW + ["int16x8"]
        yield name + "-batches", lambda: network(shape, layer, batch=None), ["float"]
    for a in ("elu exponential gelu hard_sigmoid linear mish relu relu6 selu sigmoid softmax softplus softsign swish tanh log_softmax "
              "leaky_relu silu").split():
        yield f"activation-{a}", lambda: network((6, 5), L.Dense(4), L.Activation(getattr(tf.nn, a, a))), SOME
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        yield f"merge-{name}", lambda: merged(getattr(L, name)(), (5, 4), (5, 4)), SOME
    yield "merge-dot", lambda: merged(L.Dot(axes=2), (5, 4), (3, 4)), SOME
    yield "merge-cosine", lambda: merged(L.Dot(axes=1, normalize=True), (5,), (5,)), FEW
    yield "attention-dot", lambda: merged(L.Attention(use_scale=True), (5, 4), (3, 4)), SOME
    yield "attention-additive", lambda: merged(L.AdditiveAttention(), (5, 4), (3, 4)), SOME
    yield "attention", attention, MOST
    yield "attention-axes", lambda: attention(attention_axes=1, value_dim=3, output_shape=6), SOME
    yield "transformer", transformer, MOST + ["old-quantizer"]
    yield "embedding", lambda: network((7,), L.Embedding(8, 4), L.Dense(3), **text), MOST
    yield "embedding-mean", lambda: network((None,), L.Embedding(8, 4), L.GlobalAveragePooling1D(), batch=None, **text), SOME
    for mode in ("one_hot", "multi_hot", "count"):
        yield f"category-{mode}", lambda: network((7,), L.CategoryEncoding(8, mode), **text), FEW
    yield "hashing", lambda: network((4,), L.Hashing(8), **text), ["float", "select"]
    yield "lookup", lambda: network((4,), L.IntegerLookup(vocabulary=[1, 3, 5]), dtype="int64"), ["float", "select"]
    yield "text", lambda: network((), L.StringLookup(vocabulary=["a", "b"]), dtype="string"), ["float", "select"]


# ---------------------------------------------------------------- functions


def spec(dtype, *shape):
    return tf.TensorSpec(shape, dtype)


FLOAT, INT, LONG, BOOL, TEXT = tf.float32, tf.int32, tf.int64, tf.bool, tf.string


def collatz(n):
    steps = tf.constant(0)
    while n > 1 and steps < 200:
        if n % 2 == 0:
            n //= 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


def running(x):
    total = tf.zeros(x.shape[1:])
    for row in x:
        if tf.reduce_sum(row) > 1.0:
            continue
        total += row
        if tf.reduce_max(total) > 4.0:
            break
    return total


def collected(x):
    a = tf.TensorArray(FLOAT, 0, dynamic_size=True, element_shape=(3,))
    for i in tf.range(tf.shape(x)[0]):
        a = a.write(i, x[i] * tf.cast(i, FLOAT))
    return a.stack()


def power(x, n):
    return tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.linalg.matmul(y, x)), (0, tf.eye(3)))[1]


def nested(x):
    def outer(i, a):
        inner = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, b + tf.sin(b)), (0, a))
        return i + 1, tf.cond(tf.reduce_sum(inner[1]) > 0.0, lambda: inner[1] * 0.5, lambda: inner[1] - 1.0)

    return tf.while_loop(lambda i, a: i < 4, outer, (0, x))


def growing(x):
    grow = lambda i, a: (i + 1, tf.concat([a, x], 0))
    return tf.while_loop(lambda i, a: i < 3, grow, (0, x), (tf.TensorShape([]), tf.TensorShape([None, 2])))[1]


def mfcc(x):
    s = tf.raw_ops.AudioSpectrogram(input=x, window_size=64, stride=32, magnitude_squared=True)
    return tf.raw_ops.Mfcc(spectrogram=s, sample_rate=16000, upper_frequency_limit=4000.0, dct_coefficient_count=13)


def mel(x):
    s = tf.abs(tf.signal.stft(x, 64, 32, 64))
    m = tf.matmul(s, tf.signal.linear_to_mel_weight_matrix(20, 33, 16000))
    return tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(m + 1e-6))


def segments(x, ids):
    names = "sum mean max min prod".split()
    return [getattr(tf.math, "unsorted_segment_" + n)(x, ids, 4) for n in names if n != "mean"]


def functions_by_name():
    image, square, row = spec(FLOAT, 1, 6, 7, 3), spec(FLOAT, 4, 4), spec(FLOAT, 8)
    complexes, ints, longs, bools = spec(tf.complex64, 2, 8), spec(INT, 3, 4), spec(LONG, 3, 4), spec(BOOL, 3, 4)
    m = tf.math
    return {
        "while": ([spec(INT)], collatz),
        "for": ([spec(FLOAT, 5, 3)], running),
        "for-rows": ([spec(FLOAT, None, 3)], running),
        "array": ([spec(FLOAT, 5, 3)], collected),
        "array-rows": ([spec(FLOAT, None, 3)], collected),
        "power": ([spec(FLOAT, 3, 3), spec(INT)], power),
        "nested": ([spec(FLOAT, 3)], nested),
        "growing": ([spec(FLOAT, 2, 2)], growing),
        "cond": ([row, spec(BOOL)], lambda x, b: tf.cond(b, lambda: x * 2, lambda: tf.reverse(x, [0]))),
        "map": ([spec(FLOAT, 4, 3)], lambda x: tf.map_fn(lambda r: tf.cumsum(r), x)),
        "map-rows": ([spec(FLOAT, None, 3)], lambda x: tf.map_fn(m.tanh, x)),
        "scan": ([spec(FLOAT, 4, 3)], lambda x: tf.scan(lambda a, r: a * 0.5 + r, x)),
        "fold": ([spec(FLOAT, 4, 3)], lambda x: tf.foldl(lambda a, r: a * 0.5 + r, x)),
        "vectorized": ([spec(FLOAT, 4, 3)], lambda x: tf.vectorized_map(lambda r: r * tf.reduce_sum(r), x)),
        "stft": ([spec(FLOAT, 256)], lambda x: tf.abs(tf.signal.stft(x, 64, 32))),
        "mfcc": ([spec(FLOAT, 256, 1)], mfcc),
        "mel": ([spec(FLOAT, 256)], mel),
        "stft-complex": ([spec(FLOAT, 2, 128)], lambda x: tf.signal.stft(x, 32, 16)),
        "frames": ([spec(FLOAT, None)], lambda x: tf.signal.frame(x, 4, 2)),
        "rfft": ([spec(FLOAT, 2, 16)], tf.signal.rfft),
        "rfft2d": ([spec(FLOAT, 2, 8, 8)], tf.signal.rfft2d),
        "fft": ([complexes], tf.signal.fft),
        "dct": ([spec(FLOAT, 2, 16)], tf.signal.dct),
        "spectrogram": ([spec(FLOAT, 256)], lambda x: m.log(tf.abs(tf.signal.stft(x, 64, 32)) + 1)),
        "complex": ([complexes], lambda x: (m.real(x), m.imag(x), tf.abs(x), m.conj(x) * x)),
        "complex-made": ([row, row], tf.complex),
        "resize": ([image], lambda x: [tf.image.resize(x, (9, 5), n) for n in ("bilinear", "nearest", "bicubic", "lanczos3", "area")]),
        "resize-legacy": ([image], lambda x: [f(x, (9, 5), align_corners=a) for a in (False, True) for f in (tf.compat.v1.image.resize_bilinear, tf.compat.v1.image.resize_nearest_neighbor)]),
        "resize-any": ([spec(FLOAT, 1, None, None, 3), spec(INT, 2)], lambda x, n: tf.image.resize(x, tf.clip_by_value(n, 1, 9))),
        "crop": ([image], lambda x: (tf.image.central_crop(x, 0.5), tf.image.crop_to_bounding_box(x, 1, 2, 3, 4), tf.image.pad_to_bounding_box(x, 1, 1, 9, 9))),
        "crop-resize": ([image, spec(FLOAT, 2, 4)], lambda x, b: tf.image.crop_and_resize(x, b, [0, 0], (4, 4))),
        "colours": ([image], lambda x: (tf.image.rgb_to_grayscale(x), tf.image.rgb_to_yuv(x), tf.image.per_image_standardization(x), tf.image.adjust_contrast(x, 2), tf.image.rgb_to_hsv(x))),
        "flips": ([image], lambda x: (tf.image.flip_left_right(x), tf.image.flip_up_down(x), tf.image.rot90(x), tf.image.transpose(x))),
        "sobel": ([image], tf.image.sobel_edges),
        "gradients": ([image], tf.image.image_gradients),
        "patches": ([image], lambda x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")),
        "ssim": ([spec(FLOAT, 1, 12, 12, 1)] * 2, lambda a, b: tf.image.ssim(a, b, 1.0)),
        "variation": ([image], tf.image.total_variation),
        "suppression": ([spec(FLOAT, 6, 4), spec(FLOAT, 6)], lambda b, s: tf.image.non_max_suppression(b, s, 3, 0.4)),
        "suppression-soft": ([spec(FLOAT, 6, 4), spec(FLOAT, 6)], lambda b, s: tf.image.non_max_suppression_with_scores(b, s, 4, soft_nms_sigma=0.5)),
        "suppression-padded": ([spec(FLOAT, 6, 4), spec(FLOAT, 6)], lambda b, s: tf.image.non_max_suppression_padded(b, s, 4, pad_to_max_output_size=True)),
        "random": ([row], lambda x: x + tf.random.uniform((8,), seed=3)),
        "random-normal": ([row], lambda x: x + tf.random.normal((8,), seed=3)),
        "random-stateless": ([spec(INT, 2)], lambda s: [f((5,), s) for f in (tf.random.stateless_uniform, tf.random.stateless_normal)]),
        "multinomial": ([spec(FLOAT, 2, 5)], lambda x: tf.random.categorical(x, 6, seed=4)),
        "segments": ([spec(FLOAT, 6, 2), spec(INT, 6)], segments),
        "segment-sum": ([spec(FLOAT, 6, 2)], lambda x: tf.math.segment_sum(x, [0, 0, 1, 3, 3, 3])),
        "gather": ([square, spec(INT, 3)], lambda x, i: (tf.gather(x, i % 4), tf.gather(x, i % 4, axis=1), tf.gather_nd(x, tf.stack([i % 4, i % 3], 1)))),
        "gather-batch": ([spec(FLOAT, 2, 5, 3), spec(INT, 2, 4)], lambda x, i: tf.gather(x, i % 5, batch_dims=1)),
        "scatter": ([spec(INT, 4, 1), spec(FLOAT, 4, 2)], lambda i, u: tf.scatter_nd(i % 6, u, (6, 2))),
        "scatter-update": ([spec(FLOAT, 6, 2), spec(INT, 3, 1), spec(FLOAT, 3, 2)], lambda x, i, u: (tf.tensor_scatter_nd_update(x, i % 6, u), tf.tensor_scatter_nd_add(x, i % 6, u))),
        "strings": ([spec(TEXT, None)], tf.identity),
        "strings-reshape": ([spec(TEXT, 2, 3)], lambda s: (tf.reshape(s, (3, 2)), s[1:], tf.expand_dims(s, 0))),
        "strings-equal": ([spec(TEXT, 3), spec(TEXT, 3)], lambda a, b: (a == b, a != b)),
        "strings-gather": ([spec(TEXT, 3), spec(INT, 2)], lambda s, i: (tf.gather(s, i % 3), tf.expand_dims(s, 0))),
        "logic": ([bools, bools], lambda a, b: (a & b, a | b, ~a, m.logical_xor(a, b), tf.reduce_all(a, 1), tf.reduce_any(b), tf.cast(a, INT), a == b, tf.where(a, b, ~b))),
        "ints": ([ints, ints], lambda a, b: (a + b, a - b, a * b, a // 7, a % 5, -a, abs(a), m.maximum(a, b), a > b, tf.bitwise.bitwise_xor(a, b), tf.bitwise.right_shift(a, 2), m.sign(a), m.squared_difference(a, b), a ** 2, tf.truncatemod(a, 5))),
        "longs": ([longs, longs], lambda a, b: (a + b, a - b, a * b, a // 7, a % 5, -a, abs(a), m.minimum(a, b), a <= b, tf.reduce_sum(a, 0), tf.reduce_max(b), tf.reduce_prod(a % 3, 1), tf.cast(a, FLOAT), m.sign(a), m.argmax(a, 1))),
        "bytes": ([spec(tf.uint8, 3, 4), spec(tf.int8, 3, 4), spec(tf.int16, 3, 4)], lambda a, b, c: (tf.cast(a, FLOAT), tf.cast(b, INT), tf.cast(c, LONG), tf.transpose(b), tf.concat([c, c], 0), tf.bitcast(a, tf.int8))),
        "doubles": ([spec(tf.float64, 3)], lambda x: (tf.cast(x, FLOAT), tf.reshape(x, (3, 1)))),
        "halves": ([spec(tf.float16, 4), spec(tf.float16, 4)], lambda a, b: (tf.cast(a, FLOAT) + tf.cast(b, FLOAT), tf.reshape(a, (2, 2)))),
        "brains": ([spec(FLOAT, 4)], lambda x: tf.cast(tf.cast(x, tf.bfloat16), FLOAT)),
        "unsigned": ([spec(tf.uint32, 4)], lambda x: (tf.cast(x, LONG), tf.reshape(x, (2, 2)), tf.bitwise.right_shift(x, 3), tf.cast(tf.cast(x, LONG) * 3, tf.uint32))),
        "casts": ([row], lambda x: [tf.cast(x * 9, t) for t in (tf.int8, tf.int16, INT, LONG, BOOL, tf.float16, tf.complex64)]),
        "casts-back": ([spec(tf.uint16, 4)], lambda x: (tf.cast(x, INT), tf.cast(x, FLOAT))),
        "cumulative": ([square], lambda x: (tf.cumsum(x), tf.cumsum(x, 1, exclusive=True, reverse=True))),
        "cumulative-ints": ([ints], lambda x: (tf.cumsum(x, 1), tf.cumsum(x, 0, reverse=True))),
        "sort": ([square], lambda x: (tf.sort(x), tf.argsort(x), tf.sort(x, direction="DESCENDING"), *m.top_k(x, 2))),
        "sort-ints": ([ints], lambda x: (*m.top_k(x, 2), m.argmin(x, 0, INT), m.argmax(x, 1))),
        "top-k": ([row, spec(INT)], lambda x, k: m.top_k(x, tf.clip_by_value(k, 0, 8))),
        "in-top-k": ([spec(INT, 2), spec(FLOAT, 2, 5)], lambda t, p: m.in_top_k(t % 5, p, 2)),
        "unique": ([spec(INT, 8)], lambda x: tf.unique(x % 4)),
        "unique-longs": ([spec(LONG, 8)], lambda x: tf.unique(x % 4, LONG)),
        "unique-floats": ([row], lambda x: tf.unique(tf.round(x))),
        "where": ([square], lambda x: (tf.where(x > 0.5), tf.where(x > 0.0, x, -x), tf.boolean_mask(x, tf.reduce_sum(x, 1) > 0))),
        "where-bool": ([spec(BOOL, None, 3)], tf.where),
        "bucketize": ([row], lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 0.5])),
        "one-hot": ([spec(INT, 5)], lambda i: (tf.one_hot(i % 6, 6), tf.one_hot(i % 6, 6, True, False, dtype=BOOL), tf.one_hot(i % 6, 4, 5, -5, axis=0, dtype=INT))),
        "bincount": ([spec(INT, 6)], lambda i: m.bincount(i % 5, minlength=5, maxlength=5)),
        "matrices": ([spec(FLOAT, 2, 3, 4), spec(FLOAT, 2, 4, 5)], lambda a, b: (a @ b, tf.matmul(b, a, transpose_a=True, transpose_b=True), tf.einsum("abc,acd->db", a, b), tf.tensordot(a, b, [[2], [1]]))),
        "matrices-wide": ([spec(FLOAT, 3, 1, 2, 4), spec(FLOAT, 5, 4, 2)], tf.matmul),
        "matrices-any": ([spec(FLOAT, None, 4), spec(FLOAT, 4, None)], tf.matmul),
        "diagonals": ([square], lambda x: (tf.linalg.diag_part(x), tf.linalg.diag(x), tf.linalg.set_diag(x, x[0]), tf.linalg.band_part(x, 1, 0), tf.linalg.trace(x))),
        "eye": ([spec(INT)], lambda n: tf.eye(tf.clip_by_value(n, 1, 4))),
        "solve": ([square, square], tf.linalg.solve),
        "cholesky": ([square], lambda x: tf.linalg.cholesky(tf.matmul(x, x, transpose_b=True) + tf.eye(4))),
        "cross": ([spec(FLOAT, 2, 3)] * 2, tf.linalg.cross),
        "norms": ([square], lambda x: (tf.norm(x), tf.norm(x, 1, 0), tf.norm(x, np.inf, 1))),
        "triangular": ([square], lambda x: (tf.linalg.band_part(x, -1, 0), tf.linalg.band_part(x, 0, -1))),
        "reductions": ([spec(FLOAT, 2, 3, 4)], lambda x: [f(x, a, k) for f in (tf.reduce_mean, tf.reduce_max, tf.reduce_min, tf.reduce_prod, tf.reduce_sum) for a, k in ((1, False), ([0, 2], True), (None, False))]),
        "statistics": ([square], lambda x: (m.reduce_std(x), m.reduce_variance(x, 1), m.reduce_logsumexp(x, 1), m.reduce_euclidean_norm(x), m.count_nonzero(x), m.zero_fraction(x))),
        "unary": ([row], lambda x: [f(x) for f in (m.abs, m.ceil, m.floor, m.round, m.rint, m.exp, m.expm1, m.sin, m.cos, m.tan, m.atan, m.sinh, m.cosh, m.asinh, m.erf, m.square, m.sign, m.negative, m.sigmoid, m.log_sigmoid, m.softplus, m.reciprocal, m.reciprocal_no_nan, m.is_nan, m.is_inf, m.is_finite)]),
        "roots": ([row], lambda x: [f(abs(x) + 0.1) for f in (m.sqrt, m.rsqrt, m.log, m.log1p, m.lgamma, m.digamma)]),
        "binary": ([row, row], lambda a, b: (a / b, m.floordiv(a, b), m.floormod(a, b), m.divide_no_nan(a, b), m.atan2(a, b), m.pow(abs(a), b), m.xlogy(abs(a), abs(b)))),
        "broadcasts": ([spec(FLOAT, 2, 1, 3), spec(FLOAT, 4, 1)], lambda a, b: (a + b, a * b, a - b, m.maximum(a, b), a < b, m.squared_difference(a, b), a / b, m.pow(abs(a), b))),
        "broadcasts-wide": ([spec(FLOAT, 2, 1, 3, 1, 2), spec(FLOAT, 4, 1, 5, 1)], lambda a, b: (a + b, a * b, a - b, a / b)),
        "clips": ([row], lambda x: (tf.clip_by_value(x, -0.5, 0.5), tf.clip_by_norm(x, 1.0), tf.nn.relu6(x), tf.nn.crelu(x), m.softsign(x), tf.nn.relu(x) - 1)),
        "polynomial": ([row], lambda x: m.polyval([tf.constant(1.0), tf.constant(-2.0), tf.constant(0.5)], x)),
        "bessel": ([row], lambda x: m.bessel_i0(x)),
        "add-n": ([row, row, row], lambda *x: tf.add_n(x)),
        "losses": ([spec(FLOAT, 3, 4), spec(INT, 3)], lambda x, y: (tf.nn.sparse_softmax_cross_entropy_with_logits(y % 4, x), tf.nn.l2_loss(x))),
        "shapes": ([spec(FLOAT, None, 3)], lambda x: (tf.shape(x), tf.size(x), tf.rank(x), tf.zeros_like(x), tf.ones_like(x), tf.fill(tf.shape(x), 2.5), tf.reshape(x, [-1]), tf.expand_dims(x, 1), tf.transpose(x), tf.tile(x, [2, 1]))),
        "slices": ([spec(FLOAT, 4, 5, 6)], lambda x: (x[1:3, ::-2, 2], x[..., tf.newaxis, 1:], tf.slice(x, [1, 0, 2], [2, -1, 3]), x[-1], tf.strided_slice(x, [0, 0, 0], [4, 5, 6], [2, 2, 2]))),
        "slices-any": ([spec(FLOAT, None, None), spec(INT)], lambda x, i: (x[i % 2:], x[:, :2], tf.slice(x, [0, i % 2], [1, 1]))),
        "splits": ([spec(FLOAT, 6, 4)], lambda x: (*tf.split(x, 3), *tf.split(x, [1, 3], 1), *tf.unstack(x, axis=1))),
        "joins": ([square, square], lambda a, b: (tf.concat([a, b, a], 1), tf.stack([a, b], 2))),
        "pads": ([square], lambda x: (tf.pad(x, [[1, 0], [2, 1]]), tf.pad(x, [[1, 2], [0, 1]], "REFLECT"), tf.pad(x, [[1, 2], [0, 1]], "SYMMETRIC"), tf.pad(x, [[1, 1], [0, 0]], constant_values=5.0))),
        "pads-any": ([square, spec(INT, 2, 2)], lambda x, p: tf.pad(x, p % 3)),
        "rolls": ([square], lambda x: (tf.roll(x, 1, 0), tf.roll(x, [1, -2], [0, 1]))),
        "reverses": ([square, spec(INT, 4)], lambda x, n: (tf.reverse(x, [1]), tf.reverse(x, [0, 1]), tf.reverse_sequence(x, n % 4 + 1, 1, 0))),
        "ranges": ([spec(INT)], lambda n: (tf.range(n), tf.range(0, n, 2), tf.cast(tf.range(n), FLOAT) * 0.5)),
        "linspace": ([spec(FLOAT)], lambda a: tf.linspace(a, a + 2, 5)),
        "mesh": ([spec(FLOAT, 3), spec(FLOAT, 2)], lambda a, b: tf.meshgrid(a, b)),
        "transposes": ([spec(FLOAT, 2, 3, 4, 5)], lambda x: (tf.transpose(x, [3, 1, 0, 2]), tf.transpose(x))),
        "transposes-wide": ([spec(FLOAT, 2, 1, 3, 2, 2, 2)], lambda x: tf.transpose(x, [5, 3, 1, 0, 2, 4])),
        "batches": ([spec(FLOAT, 4, 3, 3, 2)], lambda x: (tf.batch_to_space(x, [2, 2], [[0, 1], [1, 0]]), tf.space_to_batch(x, [2, 2], [[1, 0], [0, 1]]))),
        "broadcast-to": ([spec(FLOAT, 1, 3)], lambda x: tf.broadcast_to(x, (2, 4, 3))),
        "sequence-mask": ([spec(INT, 3)], lambda n: tf.sequence_mask(n % 5, 5)),
        "ensure": ([spec(FLOAT, None, 3)], lambda x: tf.ensure_shape(x, (2, 3)) if False else tf.identity(x) + 0),
        "repeat": ([square], lambda x: tf.repeat(x, 2, 0)),
        "empty": ([spec(FLOAT, 0, 3)], lambda x: (x + 1, tf.reduce_sum(x, 0), tf.concat([x, x], 0), tf.reduce_max(x, 1), tf.matmul(x, tf.ones((3, 2))))),
        "scalar": ([spec(FLOAT)], lambda x: (x * 2, tf.reshape(x, (1, 1)), tf.stack([x, x]), tf.exp(x))),
        "constant": ([row], lambda x: (tf.constant([1.0, 2.0]), x, tf.constant("text"), tf.constant([True]), tf.constant(3 + 4j, tf.complex64))),
        "same": ([row], lambda x: (x, x, x + 0)),
        "gradient": ([row], lambda x: tf.gradients(tf.reduce_sum(tf.nn.softmax(m.tanh(x)) ** 2), x)[0]),
        "convolutions-gradient": ([image], lambda x: tf.gradients(tf.reduce_sum(tf.nn.conv2d(x, np.ones((2, 2, 3, 4), np.float32) * 0.1, 1, "VALID") ** 2), x)[0]),
        "pool-indices": ([image], lambda x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")),
        "dilation": ([image], lambda x: tf.nn.dilation2d(x, np.ones((2, 2, 3), np.float32), [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1])),
        "dynamic-kernel": ([image, spec(FLOAT, 2, 2, 3, 4)], lambda x, k: tf.nn.conv2d(x, k, 1, "SAME")),
        "dynamic-weights": ([spec(FLOAT, 2, 5), spec(FLOAT, 5, 3)], lambda x, w: tf.nn.relu(x @ w)),
        "embedding-sparse": ([spec(INT, 4)], lambda i: tf.nn.embedding_lookup(np.arange(12, dtype=np.float32).reshape(6, 2), i % 6)),
        "quantize": ([row], lambda x: tf.quantization.fake_quant_with_min_max_args(x, -1, 1)),
    }


class Counter(tf.Module):
    """State that signatures share."""

    def __init__(self):
        self.total = tf.Variable(tf.zeros((2, 3)))
        self.calls = tf.Variable(0)

    @tf.function(input_signature=[spec(FLOAT, 2, 3)])
    def add(self, x):
        self.calls.assign_add(1)
        self.total.assign_add(x)
        return {"total": self.total.read_value(), "calls": self.calls.read_value()}

    @tf.function(input_signature=[])
    def reset(self):
        self.total.assign(tf.zeros((2, 3)))
        return {"total": self.total.read_value()}

    def signatures(self):
        return self, {"add": self.add, "reset": self.reset}


class Trainer(tf.Module):
    """TensorFlow's example of training on a device."""

    def __init__(self, optimizer):
        self.model = keras.Sequential([L.Input((6, 6, 1)), L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(8, activation="relu"), L.Dense(3)])
        self.model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))

    @tf.function(input_signature=[spec(FLOAT, 2, 6, 6, 1), spec(FLOAT, 2, 3)])
    def train(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.model.loss(y, self.model(x))
        variables = self.model.trainable_variables
        self.model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return {"loss": loss}

    @tf.function(input_signature=[spec(FLOAT, 2, 6, 6, 1)])
    def infer(self, x):
        logits = self.model(x)
        return {"output": tf.nn.softmax(logits), "logits": logits}

    @tf.function(input_signature=[spec(TEXT)])
    def save(self, path):
        names, values = [v.name for v in self.model.weights], [v.read_value() for v in self.model.weights]
        tf.raw_ops.Save(filename=path, tensor_names=names, data=values)
        return {"path": path}

    def signatures(self, *names):
        self.train(np.zeros((2, 6, 6, 1), np.float32), np.ones((2, 3), np.float32))
        return self, {n: getattr(self, n) for n in names}


class Table(tf.Module):
    def __init__(self, keys, values, default):
        initial = tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant(values))
        self.table = tf.lookup.StaticHashTable(initial, default)
        dtype = self.table.key_dtype
        self.lookup = tf.function(lambda keys: {"values": self.table.lookup(keys), "size": self.table.size()}, input_signature=[spec(dtype, 4)])

    def signatures(self):
        return self, {"lookup": self.lookup}


class Pair(tf.Module):
    """Two signatures over one weight."""

    def __init__(self):
        self.w = tf.Variable(np.random.randn(4, 3), dtype=FLOAT)

    @tf.function(input_signature=[spec(FLOAT, None, 4)])
    def encode(self, x):
        return {"code": tf.nn.relu(x @ self.w), "sum": tf.reduce_sum(x)}

    @tf.function(input_signature=[spec(FLOAT, None, 3)])
    def decode(self, code):
        return {"x": tf.matmul(code, self.w, transpose_b=True)}


@kind
def functions():
    for name, (specs, f) in functions_by_name().items():
        yield name, lambda: tf.function(f, input_signature=specs, autograph=f.__name__ != "<lambda>"), ["float", "dynamic", "int8", "select", "custom"]
    resources = ["resources", "select"]
    yield "counter", lambda: Counter().signatures(), resources
    for o in ("sgd", "adam", "rmsprop"):
        yield f"trainer-{o}", lambda: Trainer(o).signatures("train", "infer"), resources
    yield "trainer-save", lambda: Trainer("sgd").signatures("train", "infer", "save"), resources
    yield "table-text", lambda: Table(["a", "bc", "d"], [4, 5, 6], -1).signatures(), ["float"]
    yield "table-longs", lambda: Table(np.int64([1, 3, 5]), ["x", "y", "z"], "?").signatures(), ["float"]
    yield "table-keys", lambda: Table(["a", "b"], np.int64([4, 5]), -1).signatures(), ["float"]
    yield "pair", lambda: (m := Pair(), dict(encode=m.encode, decode=m.decode)), ["float", "dynamic", "offsets"]


# ---------------------------------------------------------------- edited files


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


# ---------------------------------------------------------------- main


def write(folder, name, build, way):
    """Builds one model and writes a conversion; without a way, the files it consists of."""
    keras.utils.set_random_seed(zlib.crc32(name.encode()))
    model = build()
    files = model if way is None else {f"{name}.{way}": convert(model, way)}
    for file, data in files.items():
        with open(os.path.join(folder, file + ".tflite"), "wb") as f:
            f.write(data)


def reason(e):
    """The line of a message that says most, not too long."""
    lines = [s.strip() for s in str(e).splitlines() if s.strip()] or [repr(e)]
    return next((s for s in lines if "error:" in s), lines[-1])[:150]


def apart(folder, name, build, way):
    """write in a child: the converter may abort, and its memory is given back."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            write(folder, name, build, way)
        except Exception as e:
            print(f"{name}.{way}: {reason(e)}", flush=True)
        os._exit(0)
    if status := os.waitpid(pid, 0)[1]:
        print(f"{name}.{way}: the converter aborts with {status}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder")
    p.add_argument("models", nargs="*", default=["*"], help="KIND or KIND/NAME, with wildcards")
    p.add_argument("--ways", default="*", help="only conversions of these names, with wildcards")
    a = p.parse_args()
    for kind, models in KINDS.items():
        folder = os.path.join(a.folder, kind)
        os.makedirs(folder, exist_ok=True)
        for name, build, ways in models():
            if any(fnmatch.fnmatch(f"{kind}/{name}", m) or fnmatch.fnmatch(kind, m) for m in a.models):
                for way in fnmatch.filter(ways, a.ways) if ways else [None]:
                    apart(folder, name, build, way)


if __name__ == "__main__":
    main()
