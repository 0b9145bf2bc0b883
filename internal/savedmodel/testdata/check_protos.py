"""Checks pb/*.proto against TensorFlow's own descriptors: every field that both know has the same number, wire
type and label in both. Enums that pb declares as int32 have the same wire form.

Usage: python check_protos.py DESCRIPTORS   (tensorflow; DESCRIPTORS as protoc's --descriptor_set_out writes it)"""
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow
from google.protobuf import descriptor_pb2, descriptor_pool
from tensorflow.core.protobuf import saved_model_pb2, tensor_bundle_pb2, saved_object_graph_pb2
from tensorflow.core.framework import variable_pb2

NESTED = {  # messages that TensorFlow nests elsewhere
    "ObjectReference": "TrackableObjectGraph.TrackableObject.ObjectReference",
    "SlotVariableReference": "TrackableObjectGraph.TrackableObject.SlotVariableReference",
    "DtypeAndShape": "ResourceHandleProto.DtypeAndShape",
}
pool = descriptor_pool.Default()
ours = descriptor_pb2.FileDescriptorSet.FromString(open(sys.argv[1], "rb").read())
F = descriptor_pb2.FieldDescriptorProto
checked = 0


def find(name):
    if name == "BoolValue":
        return pool.FindMessageTypeByName("google.protobuf.BoolValue")
    return pool.FindMessageTypeByName("tensorflow." + NESTED.get(name, name))


def check(message, name):
    global checked
    theirs = find(name).fields_by_name
    for f in message.field:
        t = theirs[f.name]
        kind = F.TYPE_ENUM if t.type == F.TYPE_ENUM and f.type == F.TYPE_INT32 else f.type
        label = 3 if t.is_repeated else 1
        assert (f.number, kind, f.label) == (t.number, t.type, label), (name, f.name, f.number, t.number)
        checked += 1
    for n in message.nested_type:
        if not n.options.map_entry:
            check(n, name + "." + n.name)


for file in ours.file:
    for m in file.message_type:
        check(m, m.name)
    for e in file.enum_type:
        theirs = pool.FindEnumTypeByName("tensorflow." + e.name).values_by_name
        assert all(theirs[v.name].number == v.number for v in e.value), e.name
print("ok:", checked, "fields")
