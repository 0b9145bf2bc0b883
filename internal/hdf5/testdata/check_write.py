"""Checks with h5py (and Keras) what package hdf5 wrote; run by its tests.

Usage: python check_write.py values FILE       FILE holds what TestWriteH5py wrote
       python check_write.py same ORIGINAL COPY    both hold equal groups, values and attributes
       python check_write.py keras ORIGINAL COPY   tf_keras loads both as models that predict the same
"""

import sys

import h5py
import numpy as np


def text(v):
    return v.decode() if isinstance(v, bytes) else v


def equal(where, a, b):
    if isinstance(a, h5py.Empty) or isinstance(b, h5py.Empty):
        a, b = [np.zeros(0) if isinstance(v, h5py.Empty) else v for v in (a, b)]
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, (where, a.shape, b.shape)
    if a.dtype.kind in "OSU":
        assert list(map(text, a.ravel().tolist())) == list(map(text, b.ravel().tolist())), where
    elif a.size:
        assert a.dtype.newbyteorder("=") == b.dtype.newbyteorder("="), (where, a.dtype, b.dtype)
        assert a.astype(a.dtype.newbyteorder("=")).tobytes() == b.astype(b.dtype.newbyteorder("=")).tobytes(), where


def same(a, b):
    assert sorted(a.attrs) == sorted(b.attrs), (a.name, sorted(a.attrs), sorted(b.attrs))
    for k in a.attrs:
        equal(a.name + "@" + k, a.attrs[k], b.attrs[k])
    if isinstance(a, h5py.Dataset):
        return equal(a.name, a[()], b[()])
    assert sorted(a) == sorted(b), a.name
    for k in a:
        same(a[k], b[k])


def values(f):
    def check(path, dtype, want):
        got = f[path][()]
        assert f[path].dtype == dtype, (path, f[path].dtype)
        equal(path, got, np.asarray(want).astype(dtype))

    for kind in "f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split():
        check("numbers/" + kind, np.dtype(kind), np.arange(24).reshape(2, 3, 4) - (0 if kind[0] == "u" else 5))
    check("numbers/f2", np.dtype("f2"), [1, -2, np.inf])
    check("numbers/bool", np.dtype(bool), [[True, False]])
    check("numbers/bf16", np.dtype("V2"), np.array([0x3F80, 0xC020], "<u2").view("V2"))
    check("scalar", np.dtype("i8"), -3)
    check("scalar_f4", np.dtype("f4"), 0.5)
    check("empty", np.dtype("f4"), np.zeros((0, 3)))
    assert f["text"][()] == "naïve ü".encode() and f["text"].shape == ()
    assert [*f["strings"]] == [b"", b"a", "ü".encode()]
    assert f["large"][()].tobytes() == np.arange(300000, dtype="f4").tobytes()
    many = f["many"]
    assert len(many) == 3000 and [*many] == sorted(f"layer_{i}" for i in range(3000))
    for i in 0, 1234, 2999:
        assert many[f"layer_{i}"].attrs["i"] == i
    assert "layer_3000" not in many and "a" not in many and "z" not in many
    assert [*f["名前"]] == ["ü x"] and len(f["none"]) == 0
    for path in "/", "/many", "/numbers/f4":
        a = f[path].attrs
        assert a["text"] == "héllo" and a["empty_text"] == ""
        assert a["config"] == "0123456789" * 20000
        assert [*a["names"]] == [b"kernel:0", b"bias:0"] and a["names"].dtype == "S8"
        assert a["no_names"].shape == (0,)
        assert a["int"] == 7 and a["int"].dtype == "i8" and a["int"].shape == ()
        assert [*a["ints"]] == [1, -2, 3] and [*a["floats"]] == [0.5, 2]
        assert a["bool"] and a["bool"].dtype == bool
        assert a["long"].tobytes() == np.arange(8000).tobytes()
        assert a["ünï"] == 1
    for i in range(200):
        assert f["many_attrs"].attrs[f"a{i:03d}"] == f"text {i}"


def predictions(path):
    import tf_keras

    m = tf_keras.models.load_model(path)
    x = np.linspace(-1, 1, 2 * int(np.prod(m.input_shape[1:])), dtype="f4").reshape(2, *m.input_shape[1:])
    state = m.optimizer.variables  # a method of the optimizers of Keras before 2.11
    state = state() if callable(state) else state
    return [m.predict(x, verbose=0), *(v.numpy() for v in state)]


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    if command == "values":
        with h5py.File(paths[0]) as f:
            values(f)
        with h5py.File(paths[0], "r+") as f:  # libhdf5 can go on writing
            f["many/new"] = f["many/layer_5"]
            f["many_attrs"].attrs["new"] = "x" * 5000
            f.create_dataset("added/d", data=[1, 2])
            assert f["many/new"].attrs["i"] == 5 and len(f["many"]) == 3001
            del f["many/new"], f["many_attrs"].attrs["new"], f["added"]
            values(f)
    elif command == "same":
        with h5py.File(paths[0]) as a, h5py.File(paths[1]) as b:
            same(a, b)
    else:
        for a, b in zip(*map(predictions, paths), strict=True):
            equal(paths, a, b)
    print("ok")
