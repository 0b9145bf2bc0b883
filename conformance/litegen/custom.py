"""Custom operators: nodes named by a string, options in a FlexBuffer map."""

from ai_edge_litert import schema_py_generated as fb
from flatbuffers import flexbuffers
import numpy as np


def flexbuffer(fields):
    b = flexbuffers.Builder()
    with b.Map():
        for name, v in fields.items():
            if isinstance(v, bool):
                b.Bool(name, v)
            elif isinstance(v, int):
                b.Int(name, v)
            elif isinstance(v, float):
                b.Float(name, v)
            else:
                b.TypedVectorFromElements(name, v)
    return bytes(b.Finish())


def custom(model, name, inputs, outputs, **fields):
    """Adds a custom node to a model."""
    for i, c in enumerate(model.codes):
        if c.customCode == name:
            break
    else:
        c, i = fb.OperatorCodeT(), len(model.codes)
        c.builtinCode = c.deprecatedBuiltinCode = fb.BuiltinOperator.CUSTOM
        c.customCode, c.version = name, 1
        model.codes.append(c)
    o = fb.OperatorT()
    o.opcodeIndex, o.inputs, o.outputs = i, list(inputs), list(outputs)
    o.customOptions = np.frombuffer(flexbuffer(fields), np.uint8)
    model.sub.operators.append(o)
