"""Writes the small .tflite files beside it and, for each, a .json of what
TensorFlow's own binding reads from it (dump.py).

    TF_USE_LEGACY_KERAS=1 python gen_models.py     # tensorflow 2.21, ai-edge-litert 2.3.0
"""
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from dump import dump

here = pathlib.Path(__file__).parent


def write(name, file):
    (here / (name + ".tflite")).write_bytes(file)
    (here / (name + ".json")).write_text(dump(file) + "\n")


def conv_int8():
    """Convolution, pooling, dense; int8 with per-channel weights; dynamic batch; conversion metadata."""
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential([
        tf.keras.layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", input_shape=(8, 8, 2)),
        tf.keras.layers.MaxPool2D(),
        tf.keras.layers.Flatten(),
        tf.keras.layers.Dense(4, activation="softmax"),
    ])
    rng = np.random.default_rng(1)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.random((1, 8, 8, 2), np.float32)] for _ in range(4))
    return converter.convert()


def loop_and_variable():
    """Two signatures, WHILE with its subgraphs, a resource variable, CALL_ONCE."""

    class Module(tf.Module):
        def __init__(self):
            self.total = tf.Variable([0.0, 0.0], name="total")

        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32, name="x")])
        def add(self, x):
            return {"total": self.total.assign_add(x)}

        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32, name="x")])
        def double(self, x):
            _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y + y), (0, x))
            return {"y": y}

    m = Module()
    with tempfile.TemporaryDirectory() as d:
        tf.saved_model.save(m, d, signatures={"add": m.add, "double": m.double})
        converter = tf.lite.TFLiteConverter.from_saved_model(d, signature_keys=["add", "double"])
        converter.experimental_enable_resource_variables = True
        return converter.convert()


def lstm():
    """UNIDIRECTIONAL_SEQUENCE_LSTM with variables and intermediates, float."""
    tf.keras.utils.set_random_seed(2)
    model = tf.keras.Sequential([tf.keras.layers.LSTM(3, input_shape=(4, 2), batch_size=1)])
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


write("conv_int8", conv_int8())
write("loop_and_variable", loop_and_variable())
write("lstm", lstm())
