"""Runs models in child processes: a kernel that aborts takes only its child along.

Every case runs in two children; the second has malloc fill what it returns with
a pattern, so that outputs which read uninitialised memory differ and are dropped.
"""

import multiprocessing
import os

from .archive import tensor_bytes

RESOLVERS = {"ref": "BUILTIN_REF", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "default": "AUTO"}


def _serve(conn):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LiteRT's log
    import ml_dtypes  # noqa: F401 (NumPy's names for int4 and bfloat16)
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from .model import TYPES, output_types

    def run(model, steps, oracle):
        it = Interpreter(
            model_content=model,
            experimental_op_resolver_type=OpResolverType[RESOLVERS[oracle]],
            num_threads=1,
        )
        results = []
        for inputs in steps:
            details = it.get_input_details()
            for d, x in zip(details, inputs):
                if list(d["shape"]) != list(x.shape):
                    it.resize_tensor_input(d["index"], x.shape, strict=False)
            it.allocate_tensors()
            for d, x in zip(details, inputs):
                it.set_tensor(d["index"], x.astype(np.int8) if x.dtype.name == "int4" else x)
            it.invoke()
            results.append([fetch(it, d, t) for d, t in zip(it.get_output_details(), output_types(model))])
        return results

    def fetch(it, d, tensor_type):
        if 0 in d["shape"]:  # get_tensor refuses dynamic tensors without elements
            x = np.zeros(d["shape"], d["dtype"])
        else:
            x = np.array(it.get_tensor(d["index"]))
        return x.astype("int4") if tensor_type == TYPES["int4"] else x

    conn.send("ready")
    while True:
        job = conn.recv()
        try:
            conn.send(("ok", run(*job)))
        except (RuntimeError, ValueError) as e:
            conn.send(("refused", str(e).strip().splitlines()[0]))


class Child:
    def __init__(self, perturb):
        self.perturb, self.proc = perturb, None

    def start(self):
        if self.perturb:
            os.environ["MALLOC_PERTURB_"] = "165"
        try:
            self.conn, theirs = multiprocessing.get_context("spawn").Pipe()
            self.proc = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
            self.proc.start()
            theirs.close()
            self.conn.recv()
        finally:
            os.environ.pop("MALLOC_PERTURB_", None)

    def run(self, *job):
        if self.proc is None:
            self.start()
        try:
            self.conn.send(job)
            if not self.conn.poll(60):
                self.proc.kill()
                self.proc = None
                return "hung", "no answer in 60 s"
            return self.conn.recv()
        except (EOFError, ConnectionError):
            self.proc.join()
            code, self.proc = self.proc.exitcode, None
            return "aborted", f"exit {code}"


class Oracle:
    def __init__(self):
        self.children = [Child(False), Child(True)]

    def run(self, case):
        """Returns ("ok", outputs by step) or (why not, text)."""
        answers = [c.run(case.model, case.steps, case.oracle) for c in self.children]
        for status, value in answers:
            if status != "ok":
                return status, value
        first, second = answers[0][1], answers[1][1]
        for a, b in zip(first, second):
            for x, y in zip(a, b):
                if x.dtype != y.dtype or x.shape != y.shape or tensor_bytes(x) != tensor_bytes(y):
                    return "unstable", "differs between two runs"
        return "ok", first
