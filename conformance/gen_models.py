"""Writes a folder of whole models: gen_models.py FOLDER [KIND[/NAME] ...].

Networks, quantized networks, recurrent networks, layers, functions and edited files,
each converted in several ways by TensorFlow's converter. The weights are random but
seeded by the model's name. What the converter refuses is named and left out. Needs
tensorflow 2.21, tf-keras and tensorflow-model-optimization.
"""

import argparse
import fnmatch
import os
import zlib

from modelgen import edited, functions, layers, networks, recurrent  # noqa: F401 (they register their kinds)
from modelgen.base import KINDS, convert, keras


def write(folder, name, build, way):
    """Builds one model and writes a conversion; without a way, the files it consists of."""
    keras.utils.set_random_seed(zlib.crc32(name.encode()))
    model = build()
    files = model if way is None else {f"{name}.{way}": convert(model, way)}
    for file, data in files.items():
        with open(os.path.join(folder, file + ".tflite"), "wb") as f:
            f.write(data)


def reason(e):
    """The line of a message that says most, not too long."""
    lines = [s.strip() for s in str(e).splitlines() if s.strip()] or [repr(e)]
    return next((s for s in lines if "error:" in s), lines[-1])[:150]


def apart(folder, name, build, way):
    """write in a child: the converter may abort, and its memory is given back."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            write(folder, name, build, way)
        except Exception as e:
            print(f"{name}.{way}: {reason(e)}", flush=True)
        os._exit(0)
    if status := os.waitpid(pid, 0)[1]:
        print(f"{name}.{way}: the converter aborts with {status}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder")
    p.add_argument("models", nargs="*", default=["*"], help="KIND or KIND/NAME, with wildcards")
    p.add_argument("--ways", default="*", help="only conversions of these names, with wildcards")
    a = p.parse_args()
    for kind, models in KINDS.items():
        folder = os.path.join(a.folder, kind)
        os.makedirs(folder, exist_ok=True)
        for name, build, ways in models():
            if any(fnmatch.fnmatch(f"{kind}/{name}", m) or fnmatch.fnmatch(kind, m) for m in a.models):
                for way in fnmatch.filter(ways, a.ways) if ways else [None]:
                    apart(folder, name, build, way)


if __name__ == "__main__":
    main()
