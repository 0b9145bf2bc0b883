"""Writes verdicts.json: for single-byte changes of the small models, whether
FlatBuffers' C++ verifier inside LiteRT accepts the file.

    python gen_verdicts.py > verdicts.json     # ai-edge-litert 2.3.0, Linux

Each entry is [file, offset, byte, accepted]. Changed files may crash LiteRT
after it has verified them, so each is tried in a process of its own.
"""
import json
import os
import pathlib
import random

from ai_edge_litert.interpreter import Interpreter

here = pathlib.Path(__file__).parent


def accepted(file):
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            Interpreter(model_content=file)
        except Exception as e:
            os._exit(3 if "flatbuffer" in str(e).lower() else 0)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 3


random.seed(1)
out = []
for name in ["conv_int8", "loop_and_variable", "lstm"]:
    file = (here / (name + ".tflite")).read_bytes()
    for _ in range(700):
        at, byte = random.randrange(len(file)), random.choice([0, 1, 2, 3, 4, 8, 63, 127, 128, 200, 255])
        changed = file[:at] + bytes([byte]) + file[at + 1:]
        out.append([name, at, byte, accepted(changed)])
print(json.dumps(out, separators=(",", ":")))
