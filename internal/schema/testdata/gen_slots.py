"""Writes slots.json: every table's fields, slots and defaults and every enum's
values, read from the Python binding that TensorFlow's own flatc generated.

    python gen_slots.py > slots.json     # ai-edge-litert 2.3.0
"""
import ast
import json

import ai_edge_litert.schema_py_generated as binding


def default(method):
    """The literal of an accessor's last return, or None for an offset."""
    last = method.body[-1]
    return ast.literal_eval(last.value) if isinstance(last, ast.Return) else None


def slot(method):
    """n of the method's self._tab.Offset(n), or 0."""
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Offset":
            return ast.literal_eval(node.args[0])
    return 0


tables, enums = {}, {}
for cls in ast.parse(open(binding.__file__).read()).body:
    if not isinstance(cls, ast.ClassDef) or cls.name.endswith("T") and hasattr(binding, cls.name[:-1]):
        continue
    methods = [m for m in cls.body if isinstance(m, ast.FunctionDef)]
    if not methods:
        enums[cls.name] = {a.targets[0].id: ast.literal_eval(a.value) for a in cls.body}
        continue
    fields = {}
    for m in methods:
        n = slot(m)
        if n and n not in fields:  # the accessor comes before …AsNumpy, …Length and …IsNone
            vector = len(m.args.args) > 1
            fields[n] = [m.name, n, None if vector else default(m)]
    tables[cls.name] = list(fields.values())
print(json.dumps({"tables": tables, "enums": enums}, sort_keys=True, separators=(",", ":")))
