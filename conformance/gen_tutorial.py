"""Runs BUILTIN_REF over the tutorial's models and the first MNIST test images.

gen_tutorial.py FOLDER t10k-images-idx3-ubyte.gz: FOLDER holds tf2.21/int8.tflite
and its like. Images are divided by 255 for models with float input, and fed as
they are to models with uint8 input. Writes testdata/tutorial/outputs.json.gz:
by model, its SHA-256 and the bytes of its outputs, one image after the other.
"""

import base64
import gzip
import hashlib
import json
import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

IMAGES = 256
NAMES = ["float", "float16", "dynamic", "int8", "uint8", "int16x8"]


def outputs(path, images):
    it = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1)
    it.allocate_tensors()
    (inp,), (out,) = it.get_input_details(), it.get_output_details()
    result = b""
    for x in images:
        x = x if inp["dtype"] == np.uint8 else x.astype(np.float32) / np.float32(255)
        it.set_tensor(inp["index"], x.reshape(inp["shape"]))
        it.invoke()
        result += it.get_tensor(out["index"]).tobytes()
    return result


def main(folder, file):
    with gzip.open(file) as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784)[:IMAGES]
    models = {}
    for release in ("tf2.11", "tf2.21"):
        for name in NAMES:
            path = os.path.join(folder, release, name + ".tflite")
            if not os.path.exists(path):
                continue
            with open(path, "rb") as f:
                digest = hashlib.sha256(f.read()).hexdigest()
            raw = outputs(path, images)
            models[f"{release}/{name}.tflite"] = {"sha256": digest, "outputs": base64.b64encode(raw).decode()}
    text = json.dumps({"images": IMAGES, "models": models}, indent=1).encode()
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "testdata", "tutorial", "outputs.json.gz")
    with open(out, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
