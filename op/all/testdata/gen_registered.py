"""Asks LiteRT which operators and versions its resolvers know: registered.json.

    pip install ai-edge-litert==2.3.0 flatbuffers
    python gen_registered.py > registered.json

A model that lists an operator code is refused where no resolver knows the code and
version, before anything else is looked at. Custom operators that nothing resolves
are refused when memory is planned.
"""

import json
import os
import re

import flatbuffers
from ai_edge_litert import schema_py_generated as fb
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RESOLVERS = {"ref": OpResolverType.BUILTIN_REF, "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
NEWEST = 20  # no operator has as many versions
CUSTOM = [  # names that LiteRT's sources register, and some that they do not
    "NumericVerify", "Mfcc", "AudioSpectrogram", "TFLite_Detection_PostProcess", "aeq.hadamard_rotation",
    "Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Rfft2d", "no such operator",
]


def model(builtin, version, custom=None):
    m, s, c = fb.ModelT(), fb.SubGraphT(), fb.OperatorCodeT()
    c.builtinCode, c.deprecatedBuiltinCode, c.version, c.customCode = builtin, min(builtin, 127), version, custom
    s.tensors, s.inputs, s.outputs, s.operators = [], [], [], []
    if custom is not None:
        o = fb.OperatorT()
        o.inputs, o.outputs = [], []
        s.operators = [o]
    m.version, m.subgraphs, m.operatorCodes, m.buffers = 3, [s], [c], [fb.BufferT()]
    b = flatbuffers.Builder(256)
    b.Finish(m.Pack(b), b"TFL3")
    return bytes(b.Output())


def error(content, resolver, plan):
    try:
        it = Interpreter(model_content=content, experimental_op_resolver_type=RESOLVERS[resolver])
        if plan:
            it.allocate_tensors()
    except (ValueError, RuntimeError) as e:
        return str(e)
    return ""


def versions(builtin, resolver):
    known = [v for v in range(1, NEWEST + 1) if "Didn't find op for builtin opcode" not in error(model(builtin, v), resolver, False)]
    assert known == list(range(known[0], known[-1] + 1)) and known[-1] < NEWEST if known else True, (builtin, known)
    return [known[0], known[-1]] if known else None


def resolves(name, resolver):
    """Kernels may crash without operands: a child tries."""
    pid = os.fork()
    if pid == 0:
        os._exit(1 if "unresolved custom op" in error(model(fb.BuiltinOperator.CUSTOM, 1, name), resolver, True) else 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 1


def main():
    names = {v: n for n, v in vars(fb.BuiltinOperator).items() if isinstance(v, int) and n not in ("CUSTOM", "PLACEHOLDER_FOR_GREATER_OP_CODES")}
    out = {}
    for resolver in RESOLVERS:
        found = {names[c]: versions(c, resolver) for c in sorted(names)}
        out[resolver] = {"operators": {n: v for n, v in found.items() if v}, "custom": [n for n in CUSTOM if resolves(n, resolver)]}
    print(re.sub(r"\[\s*(\d+),\s*(\d+)\s*\]", r"[\1, \2]", json.dumps(out, indent=1)))


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LiteRT's log
    main()
