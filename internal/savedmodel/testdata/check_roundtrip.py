"""Runs models that were frozen and written again, and compares with what TensorFlow computed from the originals.

Usage: python check_roundtrip.py NAME=DIR...   (NAME: a model of expected.json; prints "ok")"""
import json, os, pathlib, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

want = json.loads((pathlib.Path(__file__).parent / "expected.json").read_text())
for arg in sys.argv[1:]:
    name, directory = arg.split("=")
    f = tf.saved_model.load(directory).signatures["serving_default"]
    key, spec = next(iter(f.structured_input_signature[1].items()))
    shape = [d or -1 for d in spec.shape.as_list()]
    got = f(**{key: tf.constant(np.array(want[name]["input"], np.float32).reshape(shape))})
    assert sorted(got) == sorted(want[name]["result"]), (name, list(got))
    for k, v in want[name]["result"].items():
        np.testing.assert_allclose(np.asarray(got[k]).ravel(), v, rtol=1e-6, err_msg=name)
print("ok")
