"""Applications of Keras, and networks trained for, or changed by, optimization."""

import numpy as np
import tensorflow as tf

from .base import L, MOST, SOME, WAYS, keras, kind, stirred


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
