"""Writes golden files of package hdf5 with Keras: weights and whole models of tf_keras (Keras 2) and Keras 3.

Usage: python gen_keras.py    (in this directory; tensorflow 2.21, tf_keras 2.21, keras 3.15)

Beside each is a JSON file of the form that gen_golden.py describes. It holds the weights as the model in memory has
them, under the paths that they have in the file. The file of a .keras archive is its model.weights.h5.
"""

import io
import os
import tempfile
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import gzip
import json

import keras
import numpy as np
import tf_keras

from gen_golden import describe


def build(k):
    k.utils.set_random_seed(7)
    m = k.Sequential(
        [
            k.layers.Input((6, 6, 1), name="image"),
            k.layers.Conv2D(2, 3, activation="relu", name="conv"),
            k.layers.BatchNormalization(name="norm"),
            k.layers.Flatten(name="flat"),
            k.layers.Dense(3, activation="softmax", name="probs"),
        ],
        name="tiny",
    )
    m.compile("adam", "sparse_categorical_crossentropy")
    x = np.arange(72, dtype="f4").reshape(2, 6, 6, 1) / 72
    m.fit(x, np.array([0, 2]), epochs=1, verbose=0)
    return m


def save(name, data, weights, attrs):
    want = {"objects": {}, "attrs": {}, "errors": {}}
    for path, value in weights.items():
        want["objects"][path] = {"kind": "dataset", **describe(value)}
    for path, values in attrs.items():
        want["attrs"][path] = {n: describe(v) for n, v in values.items()}
    with open(name + ".h5.gz", "wb") as f:
        f.write(gzip.compress(data, 9, mtime=0))
    with open(name + ".json.gz", "wb") as f:
        f.write(gzip.compress(json.dumps(want, sort_keys=True).encode(), 9, mtime=0))


def written(write, suffix):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "m" + suffix)
        write(path)
        with open(path, "rb") as f:
            return f.read()


def names(values):
    return np.array([v.encode() for v in values]) if values else np.zeros(0)


def legacy(m, prefix):
    """Where the legacy HDF5 format has weights and lists of names."""
    weights, attrs = {}, {}
    for layer in m.layers:
        for v in layer.weights:
            weights[prefix + layer.name + "/" + path_of(v, layer)] = v.numpy()
        order = layer.trainable_weights + layer.non_trainable_weights
        attrs[prefix + layer.name] = {"weight_names": names([path_of(v, layer) for v in order])}
    attrs[prefix.rstrip("/") or "/"] = {"layer_names": names([x.name for x in m.layers])}
    return weights, attrs


def path_of(v, layer):
    return v.path if hasattr(v, "path") else v.name


if __name__ == "__main__":
    m2, m3 = build(tf_keras), build(keras)

    weights, attrs = legacy(m2, "/model_weights/")
    save("keras2_model", written(lambda p: m2.save(p), ".h5"), weights, attrs)
    weights, attrs = legacy(m2, "/")
    save("keras2_weights", written(lambda p: m2.save_weights(p), ".h5"), weights, attrs)
    weights, attrs = legacy(m3, "/model_weights/")
    save("keras3_model", written(lambda p: m3.save(p), ".h5"), weights, attrs)

    for name, m in ("keras2_archive", m2), ("keras3_archive", m3):
        z = zipfile.ZipFile(io.BytesIO(written(lambda p: m.save(p), ".keras")))
        folders = {"conv": "conv2d", "norm": "batch_normalization", "probs": "dense"}
        weights = {}
        for layer in m.layers:
            for i, v in enumerate(layer.weights):
                weights[f"/layers/{folders[layer.name]}/vars/{i}"] = v.numpy()
        save(name, z.read("model.weights.h5"), weights, {})
