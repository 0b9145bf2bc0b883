"""Converts the tutorial's SavedModel in every scheme with TensorFlow 2.21.

    TF_USE_LEGACY_KERAS=1 python gen_tutorial.py SAVED_MODEL TRAIN_IMAGES_IDX_GZ OUT

OUT is then a folder for LITEQUANT_TUTORIAL: float.tflite, calibration.json and the
quantized files, those of _experimental_disable_per_channel_quantization_for_dense_layers
(*_dense.tflite) among them; calibrated on training images 0..99.
"""
import gzip
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

saved, images, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
out.mkdir(parents=True, exist_ok=True)
x = np.frombuffer(gzip.open(images).read(), np.uint8, offset=16)[: 100 * 784]
x = x.reshape(100, 1, 28, 28, 1).astype(np.float32) / 255.0


def convert(name, ops=None, types=None, data=False, io=tf.float32, optimize=True, **attributes):
    c = tf.lite.TFLiteConverter.from_saved_model(saved)
    if optimize:
        c.optimizations = [tf.lite.Optimize.DEFAULT]
    if data:
        c.representative_dataset = lambda: ([i] for i in x)
    c.target_spec.supported_ops = ops or c.target_spec.supported_ops
    c.target_spec.supported_types = types or []
    c.inference_input_type = c.inference_output_type = io
    for k, v in attributes.items():
        setattr(c, k, v)
    b = c.convert()
    if name:
        (out / name).write_bytes(b)
    return b


INT16 = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
INT8 = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
dense = dict(_experimental_disable_per_channel_quantization_for_dense_layers=True)
convert("float.tflite", optimize=False)
convert("dynamic.tflite")
convert("dynamic_dense.tflite", **dense)
convert("float16.tflite", types=[tf.float16])
convert("int8.tflite", data=True)
convert("int8_dense.tflite", data=True, **dense)
convert("uint8.tflite", ops=INT8, data=True, io=tf.uint8)
convert("int16x8.tflite", ops=INT16, data=True)
convert("int16x8_dense.tflite", ops=INT16, data=True, **dense)
t = schema.ModelT.InitFromObj(schema.Model.GetRootAs(convert(None, data=True, _experimental_calibrate_only=True), 0))
q = {v.name.decode(): v.quantization for v in t.subgraphs[0].tensors}
q = {n: [float(v.min[0]), float(v.max[0])] for n, v in q.items() if v is not None and v.min is not None and len(v.min) == 1}
(out / "calibration.json").write_text(json.dumps(q, indent=1))
