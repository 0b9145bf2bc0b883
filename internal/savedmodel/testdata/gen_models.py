"""Writes the models that this package's tests read, and expected.json with what TensorFlow says about them.

Usage: python gen_models.py   (tensorflow 2.21, tf-keras 2.21, numpy; writes beside itself)"""
import json, os, pathlib, shutil
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.training import py_checkpoint_reader

tf1 = tf.compat.v1
HERE = pathlib.Path(__file__).parent
EXPECTED = {}


def fresh(name):
    d = HERE / name
    shutil.rmtree(d, ignore_errors=True)
    return str(d)


def ops(graph_def):
    """The operations that compute something, sorted."""
    skip = {"Const", "Placeholder", "Identity", "NoOp", "IdentityN"}
    return sorted(n.op for n in graph_def.node if n.op not in skip)


def checkpoint(directory):
    r = py_checkpoint_reader.NewCheckpointReader(directory + "/variables/variables")
    return {k: np.asarray(r.get_tensor(k), np.float64).ravel().tolist()
            for k in sorted(r.get_variable_to_shape_map()) if k != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def record(name, x):
    """Notes a TF2 model's values, its frozen operations and one run."""
    model = tf.saved_model.load(str(HERE / name))  # holds the variables
    function = model.signatures["serving_default"]
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    x = np.asarray(x, np.float32)
    key = list(function.structured_input_signature[1])[0]
    out = function(**{key: tf.constant(x)})
    EXPECTED[name] = {"checkpoint": checkpoint(str(HERE / name)), "ops": ops(frozen.graph.as_graph_def()),
                      "outputs": sorted(out), "input": x.ravel().tolist(),
                      "result": {k: np.asarray(v).ravel().tolist() for k, v in out.items()}}


def hub_tf1():
    """A module in TF1 Hub's format: no tags, signature "default", a marker file."""
    d = fresh("hub_tf1")
    with tf.Graph().as_default() as g:
        tf1.set_random_seed(1)
        x = tf1.placeholder(tf.float32, [None, 4])
        with tf1.variable_scope("fc1"):
            w = tf1.get_variable("weights", [4, 3], initializer=tf1.random_normal_initializer(seed=1))
            b = tf1.get_variable("biases", [3], initializer=tf1.constant_initializer(.1), trainable=False)
            h = tf.nn.relu(tf.matmul(x, w) + b)
        with tf1.variable_scope("table", partitioner=tf1.fixed_size_partitioner(2)):
            t = tf1.get_variable("rows", [3, 2], initializer=tf1.random_normal_initializer(seed=2))
        with tf1.variable_scope("ref", use_resource=False):
            r = tf1.get_variable("scale", [2], initializer=tf1.constant_initializer(2.))
        y = tf.matmul(h, tf.convert_to_tensor(t)) * r
        with tf1.Session() as s:
            s.run(tf1.global_variables_initializer())
            xs = np.arange(8, dtype=np.float32).reshape(2, 4) / 8
            out = s.run(y, {x: xs})
            frozen = tf1.graph_util.convert_variables_to_constants(s, g.as_graph_def(), [y.op.name])
            b = tf1.saved_model.Builder(d)
            sig = tf1.saved_model.build_signature_def({"default": tf1.saved_model.build_tensor_info(x)},
                                                      {"default": tf1.saved_model.build_tensor_info(y)})
            b.add_meta_graph_and_variables(s, [], signature_def_map={"default": sig}, strip_default_attrs=True)
            b.save()
    (pathlib.Path(d) / "tfhub_module.pb").write_bytes(b"\x08\x03")
    (HERE / "frozen.pb").write_bytes(frozen.SerializeToString())
    EXPECTED["hub_tf1"] = {"checkpoint": checkpoint(d), "ops": ops(frozen), "outputs": ["default"],
                           "input": xs.ravel().tolist(), "result": {"default": out.ravel().tolist()}}


def keras2():
    tf_keras.utils.set_random_seed(0)
    i = tf_keras.Input((6, 6, 1), name="image")
    h = tf_keras.layers.Conv2D(2, 3, name="conv")(i)
    h = tf_keras.layers.BatchNormalization(name="bn")(h)
    h = tf_keras.layers.ReLU()(h)
    h = tf_keras.layers.Flatten()(h)
    h = tf_keras.layers.Dropout(.5)(h)
    m = tf_keras.Model(i, tf_keras.layers.Dense(3, activation="softmax", name="probs")(h))
    m.compile("adam", "mse")
    m.fit(np.random.rand(4, 6, 6, 1), np.random.rand(4, 3), verbose=0)
    d = fresh("keras2")
    m.save(d)
    (pathlib.Path(d) / "keras_metadata.pb").unlink()
    record("keras2", np.arange(36).reshape(1, 6, 6, 1) / 36)


def keras3():
    import keras
    keras.utils.set_random_seed(0)
    m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)])
    d = fresh("keras3")
    m.export(d, verbose=False)
    record("keras3", np.arange(4).reshape(1, 4) / 4)


class Module(tf.Module):
    """Nested and repeated calls, equal variable names, gather, several outputs, loop, branch, captured constant."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        self.a = tf.Variable(rng.normal(size=(3, 3)).astype(np.float32), name="w")
        self.b = tf.Variable(rng.normal(size=(3, 3)).astype(np.float32), name="w")
        self.table = tf.Variable(rng.normal(size=(5, 3)).astype(np.float32), name="table", trainable=False)
        self.list = [tf.Variable(1.5, name="one"), {"k": tf.Variable(2.5, name="two")}]
        self.shift = tf.constant([1., 2., 3.])

    @tf.function
    def layer(self, x, w):
        return tf.nn.relu(tf.matmul(x, w))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def serve(self, x):
        y = self.layer(self.layer(x, self.a), self.b) + self.shift
        y = y + tf.gather(self.table, tf.constant([1]))
        top = tf.math.top_k(y, 2)
        first, second, third = tf.split(y, 3, axis=1)
        _, n = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.matmul(v, self.a)), [0, y])
        c = tf.cond(tf.reduce_sum(x) > 0, lambda: third * self.list[0], lambda: first * self.list[1]["k"])
        return {"values": top.values, "indices": top.indices, "loop": n, "branch": c + second}

    @tf.function
    def __call__(self, x, training=False):
        return self.layer(x, self.a) * (2. if training else 1.)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def count(self, x):
        self.list[0].assign_add(x)
        return {"count": self.list[0] + 0.}


def module():
    d = fresh("module")
    m = Module()
    spec = tf.TensorSpec([None, 3], tf.float32, name="x")
    m.__call__.get_concrete_function(spec, training=False)
    m.__call__.get_concrete_function(spec, training=True)
    tf.saved_model.save(m, d, signatures={"serving_default": m.serve, "count": m.count})
    record("module", [[1, -2, 3]])


def dtypes():
    """A bare checkpoint with a tensor of each type."""
    d = fresh("dtypes")
    os.makedirs(d)
    v, want = {}, {}
    for t in ["float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32",
              "int64", "uint64", "bool", "complex64", "complex128", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"]:
        x = tf.cast(tf.constant([0, 1, 3], tf.int8 if t.endswith("int4") else tf.float32), tf.as_dtype(t))
        v[t] = x
        want[t] = [0., 1., 1.] if t == "bool" else [0., 1., 3.]
    v["qint8"] = tf.quantization.quantize(tf.constant([0., 1., -1.]), -1., 1., tf.qint8, mode="SCALED").output
    want["qint8"] = np.asarray(tf.bitcast(v["qint8"], tf.int8)).astype(float).tolist()
    v["string"] = tf.constant([["", "a"], ["bc", "x" * 300]])
    v["scalar"], want["scalar"] = tf.constant(7.), [7.]
    v["empty"], want["empty"] = tf.zeros([0, 3]), []
    tf.raw_ops.SaveV2(prefix=d + "/ckpt", tensor_names=list(v), shape_and_slices=[""] * len(v), tensors=list(v.values()))
    EXPECTED["dtypes"] = want
    # Slices of partitioned tensors, to see how their names encode numbers of several lengths.
    starts = [0, 1, 62, 63, 64, 255, 8191, 8192, 65536, 1048575, 1048576, 134217728, 1073741824]
    tf.raw_ops.SaveV2(prefix=d + "/slices", tensor_names=[f"s{i}" for i in range(len(starts))],
                      shape_and_slices=[f"{s + 2} 3 {s},2:-" for s in starts],
                      tensors=[tf.zeros([2, 3], tf.int8)] * len(starts))


if __name__ == "__main__":
    for f in [keras2, keras3, module, dtypes, hub_tf1]:
        f()
    for p in HERE.rglob("fingerprint.pb"):
        p.unlink()
    for p in HERE.glob("*/assets"):
        p.rmdir()
    (HERE / "expected.json").write_text(json.dumps(EXPECTED, indent=None, sort_keys=True))
