"""Networks of a layer or two."""

import tensorflow as tf

from .base import FEW, L, MOST, SOME, keras, kind, network, stirred


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
