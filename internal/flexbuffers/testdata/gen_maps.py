"""Writes maps.json: FlexBuffers and what they hold. pip install flatbuffers"""

import base64
import json
import os

from flatbuffers import flexbuffers


def build(fill):
    b = flexbuffers.Builder()
    with b.Map():
        fill(b)
    return bytes(b.Finish())


def indirect(b):
    b.IndirectInt("a", -70000)
    b.IndirectUInt("b", 200)
    b.IndirectFloat("c", 0.125)


def vectors(b):
    b.TypedVectorFromElements("ints", [1, -1, 300])
    b.TypedVectorFromElements("floats", [1.5, -2.5, 3.0])
    with b.Vector("mixed"):
        b.Int(-5)
        b.Float(2.0)
        b.Bool(True)
        b.Null()
    with b.Vector("empty"):
        pass


def wide(b):
    b.Int("large", 1 << 40)
    b.Int("small", -3)
    b.Bool("yes", True)


def mixed(b):
    b.String("text", "hello")
    b.Null("nothing")
    b.Float("x", 0.6)
    b.UInt("u", 255)
    with b.Map("nested"):
        b.Int("inner", 1)


def detection(b):
    b.Int("max_detections", 10)
    b.Int("max_classes_per_detection", 1)
    b.Bool("use_regular_nms", False)
    b.Float("nms_iou_threshold", 0.5)
    b.Float("y_scale", 10.0, byte_width=4)


cases = [
    (indirect, {"a": -70000, "b": 200, "c": 0.125}),
    (vectors, {"ints": [1, -1, 300], "floats": [1, -2, 3], "mixed": [-5, 2, 1, 0], "empty": []}),
    (wide, {"large": 1 << 40, "small": -3, "yes": True}),
    (mixed, {"text": None, "nothing": None, "x": 0.6, "u": 255, "nested": None, "inner": None}),
    (detection, {"max_detections": 10, "max_classes_per_detection": 1, "use_regular_nms": False, "nms_iou_threshold": 0.5, "y_scale": 10.0}),
    (lambda b: None, {}),
]
out = [{"Buffer": base64.b64encode(build(f)).decode(), "Holds": holds} for f, holds in cases]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "maps.json"), "w") as f:
    json.dump(out, f, indent=1)
