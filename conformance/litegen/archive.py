"""The archive of one operator: a .tar.gz, the same bytes for the same cases.

For each case CASE/model.tflite, CASE/case.json and CASE/data.bin: the tensors of
all steps one after the other, each step's inputs then its outputs, little-endian,
described in case.json as [element type, shape, bytes].
"""

import gzip
import io
import json
import struct
import tarfile

import numpy as np


def tensor_bytes(x):
    if x.dtype.kind in "SUO":  # TFLite's form of a string tensor
        parts = [p if isinstance(p, bytes) else str(p).encode() for p in x.reshape(-1)]
        at, offsets = 4 * (len(parts) + 2), []
        for p in parts:
            offsets.append(at)
            at += len(p)
        return struct.pack(f"<{len(parts) + 2}i", len(parts), *offsets, at) + b"".join(parts)
    if x.dtype.name == "int4":  # two to a byte, the first in the low bits
        flat = np.append(x.reshape(-1).astype(np.uint8) & 15, np.zeros(x.size % 2, np.uint8))
        return (flat[0::2] | flat[1::2] << 4).astype(np.uint8).tobytes()
    return np.ascontiguousarray(x).tobytes()


def _type(x):
    return "string" if x.dtype.kind in "SUO" else x.dtype.name


def write(path, cases):
    """cases: (Case, outputs by step) in order."""
    raw = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as z:
        with tarfile.open(fileobj=z, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for case, outputs in cases:
                data, steps = b"", []
                for ins, outs in zip(case.steps, outputs):
                    step = {}
                    for key, tensors in (("in", ins), ("out", outs)):
                        step[key] = []
                        for x in tensors:
                            b = tensor_bytes(x)
                            step[key].append([_type(x), list(x.shape), len(b)])
                            data += b
                    steps.append(step)
                head = json.dumps({"oracle": case.oracle, "steps": steps}, separators=(",", ":"))
                for name, content in (("model.tflite", case.model), ("case.json", head.encode()), ("data.bin", data)):
                    info = tarfile.TarInfo(f"{case.name}/{name}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    with open(path, "wb") as f:
        f.write(raw.getvalue())
