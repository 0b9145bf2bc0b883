"""Writes fit/*.h5 and fit/*.npz: tiny networks with fixed weights, the batches they
are trained on, and what Keras makes of them.

Run with TensorFlow 2.21 and tf_keras 2.21:

    python gen_fit.py

A .h5 file is a network before training. A .npz file holds for each step i the batch
x{i} and y{i}, the loss{i} that train_on_batch reports, and w{i}/NAME, every weight
after the step; then val_loss, that of evaluate() on the first batch.
"""

import os
import pathlib

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tf_keras as keras

layers, losses, optimizers = keras.layers, keras.losses, keras.optimizers
here = pathlib.Path(__file__).parent / "fit"
STEPS, BATCH = 3, 8


def classes(n):
    return lambda rng: rng.integers(0, n, BATCH).astype(np.int32)


def one_hot(n):
    return lambda rng: np.eye(n, dtype=np.float32)[rng.integers(0, n, BATCH)]


def binary(rng):
    return rng.integers(0, 2, (BATCH, 1)).astype(np.float32)


def values(n):
    return lambda rng: (2 * rng.standard_normal((BATCH, n))).astype(np.float32)


def conv_norm():
    """Fused batch normalization; softmax."""
    return keras.Sequential([
        keras.Input((6, 6, 2)),
        layers.Conv2D(4, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(5, activation="softmax"),
    ])


def dense_norm():
    """Decomposed batch normalization without gamma; dropout of rate 0; logits."""
    return keras.Sequential([
        keras.Input((7,)),
        layers.Dense(6),
        layers.BatchNormalization(momentum=0.8, scale=False),
        layers.Activation("tanh"),
        layers.Dropout(0),
        layers.Dense(3),
    ])


def depthwise():
    """Depthwise convolutions, mean, sigmoid."""
    return keras.Sequential([
        keras.Input((6, 5, 3)),
        layers.DepthwiseConv2D(3, padding="same", activation="relu6"),
        layers.BatchNormalization(center=False),
        layers.ZeroPadding2D(((0, 1), (1, 2))),
        layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2),
        layers.GlobalAveragePooling2D(),
        layers.Dense(1, activation="sigmoid"),
    ])


def branches():
    """Branches, several activations; values."""
    x = keras.Input((5,))
    a = layers.Dense(4, activation="elu")(x)
    b = layers.Dense(4, activation="sigmoid")(x)
    y = layers.Concatenate()([layers.Add()([a, b]), layers.Multiply()([a, b]), x])
    y = layers.Dense(6, activation="softplus")(y)
    y = layers.Activation("silu")(y)
    return keras.Model(x, layers.Dense(2)(y))


def frozen_norm():
    """A frozen batch normalization stays as at inference."""
    m = keras.Sequential([
        keras.Input((6,)),
        layers.Dense(5),
        layers.BatchNormalization(),
        layers.Activation("softsign"),
        layers.Dense(2),
    ])
    m.layers[1].trainable = False
    return m


def sigmoid():
    """A sigmoid, which Keras takes the operand of whatever the cross-entropy."""
    return keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(4, activation="sigmoid")])


def probabilities():
    """Probabilities that are neither a softmax nor a sigmoid."""
    x = keras.Input((6,))
    a, b = layers.Dense(4, activation="sigmoid")(x), layers.Dense(4, activation="sigmoid")(x)
    return keras.Model(x, layers.Multiply()([a, b]))


NETS = [
    ("conv_norm", conv_norm, losses.SparseCategoricalCrossentropy(), optimizers.Adam(0.01), classes(5)),
    ("dense_norm", dense_norm, losses.CategoricalCrossentropy(from_logits=True), optimizers.SGD(0.05, momentum=0.9, nesterov=True), one_hot(3)),
    ("depthwise", depthwise, losses.BinaryCrossentropy(), optimizers.RMSprop(0.01, momentum=0.5), binary),
    ("branches", branches, losses.Huber(), optimizers.AdamW(0.02, weight_decay=0.1), values(2)),
    ("frozen_norm", frozen_norm, losses.MeanAbsoluteError(), optimizers.SGD(0.05, momentum=0.5), values(2)),
    ("sigmoid", sigmoid, losses.SparseCategoricalCrossentropy(), optimizers.SGD(0.1), classes(4)),
    ("sparse", probabilities, losses.SparseCategoricalCrossentropy(), optimizers.SGD(0.1), classes(4)),
    ("categorical", probabilities, losses.CategoricalCrossentropy(), optimizers.RMSprop(0.01), one_hot(4)),
    ("binary", probabilities, losses.BinaryCrossentropy(), optimizers.SGD(0.1), one_hot(4)),
    ("squares", probabilities, losses.MeanSquaredError(), optimizers.Adam(0.01), one_hot(4)),
]


def initialize(model):
    rng = np.random.default_rng(model.count_params())
    for w in model.weights:
        v = 0.4 * rng.standard_normal(w.shape)
        if "variance" in w.name or "gamma" in w.name:
            v = 1 + np.abs(v)
        w.assign(v.astype(np.float32))


def main():
    here.mkdir(exist_ok=True)
    for number, (name, make, loss, optimizer, labels) in enumerate(NETS):
        rng = np.random.default_rng(number)
        keras.backend.clear_session()
        model = make()
        initialize(model)
        model.save(here / f"{make.__name__}.h5", include_optimizer=False)
        model.compile(optimizer, loss)
        out = {}
        for i in range(STEPS):
            x = rng.standard_normal((BATCH, *model.input_shape[1:])).astype(np.float32)
            y = labels(rng)
            out[f"x{i}"], out[f"y{i}"] = x, y
            out[f"loss{i}"] = np.float32(model.train_on_batch(x, y, reset_metrics=True))
            for w in model.weights:
                out[f"w{i}/{w.name.removesuffix(':0')}"] = w.numpy()
        out["val_loss"] = np.float32(model.evaluate(out["x0"], out["y0"], verbose=0))
        np.savez_compressed(here / f"{name}.npz", **out)
        print(name, model.count_params(), out["loss0"], out["val_loss"])


if __name__ == "__main__":
    main()
