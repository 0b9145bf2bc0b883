"""Checks that Keras loads what this package saved and predicts the same.

Usage: python check_save.py keras2|keras3 DIR   (tf-keras with tensorflow-hub, or keras 3; save_test.go fills DIR and says what)

DIR holds check.json: a list of {"path", "how", "inputs", "outputs"}; prints "ok"."""
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
kind, where = sys.argv[1:3]
if kind == "keras2":
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow as tf
tf.get_logger().setLevel("ERROR")
os.chdir(where)  # handles of Hub layers may be relative to it


def array(d):
    return np.asarray(d["values"], np.float32).reshape(d["shape"])


def close(got, want, what):
    np.testing.assert_allclose(np.asarray(got), want, rtol=2e-5, atol=1e-5, err_msg=what)


def keras_model(m, ins, outs, what):
    """Compares a Keras model's predictions; several outputs come in the order of the model."""
    x = [ins[i._keras_history[0].name] for i in m.inputs]
    got = m(x if len(x) > 1 else x[0], training=False)
    got = got if isinstance(got, (list, tuple)) else [got]
    assert len(got) == len(outs), what
    for want in outs.values():
        assert any(g.shape == want.shape and np.allclose(np.asarray(g), want, rtol=2e-5, atol=1e-5) for g in got), what


def check(entry):
    path = os.path.join(where, entry["path"])
    ins = {k: array(v) for k, v in entry["inputs"].items()}
    outs = {k: array(v) for k, v in entry["outputs"].items()}
    how = entry["how"]
    if how == "keras2":
        import tf_keras, tensorflow_hub as hub
        m = tf_keras.models.load_model(path, custom_objects={"KerasLayer": hub.KerasLayer})
        keras_model(m, ins, outs, path)
        if entry.get("compiled"):
            assert m.optimizer is not None and type(m.optimizer).__name__ == "Adam", m.optimizer
            assert m.loss.get_config()["from_logits"] is True, m.loss
        if entry.get("resave"):
            again = path + ".again.h5"
            m.save(again)
            keras_model(tf_keras.models.load_model(again, custom_objects={"KerasLayer": hub.KerasLayer}), ins, outs, again)
    elif how == "keras3":
        import keras
        m = keras.models.load_model(path)
        keras_model(m, ins, outs, path)
        if entry.get("compiled"):
            assert type(m.optimizer).__name__ == "Adam" and m.loss.get_config()["from_logits"] is True, (m.optimizer, m.loss)
    elif how == "savedmodel":
        f = tf.saved_model.load(path).signatures["serving_default"]
        got = f(**{k: tf.constant(v) for k, v in ins.items()})
        for k, v in outs.items():
            close(got[k], v, path)
        it = tf.lite.Interpreter(model_content=tf.lite.TFLiteConverter.from_saved_model(path).convert())
        run = it.get_signature_runner("serving_default")
        rows = [run(**{k: v[i:i + 1] for k, v in ins.items()}) for i in range(len(next(iter(ins.values()))))]
        for k, v in outs.items():
            close(np.concatenate([r[k] for r in rows]), v, path + " as TFLite")
    elif how == "hub":
        import tf_keras, tensorflow_hub as hub
        x, want = next(iter(ins.values())), next(iter(outs.values()))
        loaded = hub.load(path)
        close(loaded(tf.constant(x)), want, path)
        close(loaded(tf.constant(x), training=True), want, path)
        layer = hub.KerasLayer(path, trainable=True)
        m = tf_keras.Sequential([tf_keras.layers.InputLayer(input_shape=x.shape[1:]), layer, tf_keras.layers.Flatten()])
        close(layer(tf.constant(x)), want, path)
        assert len(layer.trainable_weights) == entry["trainable"], (path, layer.trainable_weights)
        before = [w.numpy().copy() for w in layer.trainable_weights]
        m.compile("sgd", "mse")
        m.fit(x, np.full((len(x), int(np.prod(want.shape[1:]))), 9, np.float32), verbose=0)
        assert any((a != w.numpy()).any() for a, w in zip(before, layer.trainable_weights)), path
        own = os.path.join(where, "resaved.h5")
        m.save(own)
    else:
        raise ValueError(how)


failed = 0
for e in json.load(open(os.path.join(where, "check.json"))):
    if (e["how"] == "keras3") == (kind == "keras3"):
        try:
            check(e)
        except Exception as err:
            failed += 1
            print("FAILED", e["path"], e["how"], type(err).__name__, str(err)[:1500])
print("ok" if not failed else f"{failed} failed")
