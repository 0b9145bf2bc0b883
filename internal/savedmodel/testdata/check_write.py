"""Checks that TensorFlow loads, runs and trains what this package wrote (write_test.go makes the model).

Usage: python check_write.py DIR_HUB DIR_PLAIN   (tensorflow, tensorflow-hub, tf-keras; prints "ok")"""
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras


def value(seed, *shape):
    """The value that write_test.go gives a variable."""
    i = np.arange(np.prod(shape, dtype=np.int64))
    return (((i * 7 + seed) % 11 - 5) / 8).astype(np.float32).reshape(shape)


SHAPES = {"conv/kernel": (1, 3, 3, 1, 2), "conv/bias": (2, 2), "dense/kernel": (3, 18, 3), "dense/bias": (4, 3)}
V = {name: value(*s) for name, s in SHAPES.items()}
x = value(5, 2, 6, 6, 1)


def expected(x):
    """The network in NumPy: convolution, bias, relu, pool, dense, softmax."""
    p = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros((len(x), 6, 6, 2))
    for i in range(6):
        for j in range(6):
            y[:, i, j] = np.einsum("nhwc,hwcf->nf", p[:, i:i + 3, j:j + 3], V["conv/kernel"])
    y = np.maximum(y + V["conv/bias"], 0).reshape(len(x), 3, 2, 3, 2, 2).max((2, 4)).reshape(-1, 18)
    y = np.exp(y @ V["dense/kernel"] + V["dense/bias"])
    return y / y.sum(1, keepdims=True)


want = expected(x)


def close(got):
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


module_dir, plain_dir = sys.argv[1:3]

m = tf.saved_model.load(module_dir)
close(m(tf.constant(x)))
close(m(tf.constant(x), training=True))
close(m(tf.constant(x), training=False))
close(m.signatures["serving_default"](image=tf.constant(x))["probs"])
assert [v.name for v in m.variables] == ["conv/kernel:0", "conv/bias:0", "dense/kernel:0", "dense/bias:0", "step:0"], m.variables
assert [v.name for v in m.trainable_variables] == ["conv/kernel:0", "conv/bias:0", "dense/kernel:0"]
assert [v.trainable for v in m.variables] == [True, True, True, False, False]
assert m.regularization_losses == []
for v in m.variables[:4]:
    np.testing.assert_array_equal(v.numpy(), V[v.name[:-2]])
assert m.variables[4].numpy() == 42 and m.conv.kernel is m.variables[0]

layer = hub.KerasLayer(module_dir, trainable=True)
model = tf_keras.Sequential([tf_keras.layers.InputLayer(input_shape=(6, 6, 1)), layer, tf_keras.layers.Dense(2)])
assert len(layer.trainable_weights) == 3 and len(layer.weights) == 5, layer.weights
close(layer(tf.constant(x)))
before = [w.numpy().copy() for w in layer.trainable_weights]
model.compile("sgd", "mse")
model.fit(x, np.ones((2, 2), np.float32), verbose=0)
assert all((a != w.numpy()).any() for a, w in zip(before, layer.trainable_weights)), "training changed nothing"

for d in sys.argv[1:3]:
    p = tf.saved_model.load(d)
    close(p.signatures["serving_default"](image=tf.constant(x))["probs"])
    converter = tf.lite.TFLiteConverter.from_saved_model(d)
    it = tf.lite.Interpreter(model_content=converter.convert())
    run = it.get_signature_runner("serving_default")
    close(np.concatenate([run(image=x[i:i + 1])["probs"] for i in range(2)]))
    print([t["name"] for t in it.get_tensor_details()])
    with tf.Graph().as_default(), tf.compat.v1.Session() as s:  # sessions restore and save through the saver's nodes
        meta = tf.compat.v1.saved_model.load(s, ["serve"], d)
        sig = meta.signature_def["serving_default"]
        close(s.run(sig.outputs["probs"].name, {sig.inputs["image"].name: x}))
        prefix = os.path.join(d, "resaved")
        s.run(meta.saver_def.save_tensor_name, {meta.saver_def.filename_tensor_name: prefix})
    for name, _ in tf.train.list_variables(os.path.join(d, "variables", "variables")):
        a = tf.train.load_variable(os.path.join(d, "variables", "variables"), name)
        b = tf.train.load_variable(prefix, name)
        assert np.array_equal(a, b), name
    copied = os.path.join(d, "copy")
    tf.saved_model.save(p, copied, signatures=p.signatures)  # TensorFlow can save it again
    close(tf.saved_model.load(copied).signatures["serving_default"](image=tf.constant(x))["probs"])
print("ok")
