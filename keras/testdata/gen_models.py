"""Makes the models of this folder and what Keras predicts for them.

Usage: python gen_models.py keras2|keras3   (tf-keras 2.21 or keras 3 with tensorflow; each kind in a process of its own)

For each model: NAME.h5 or NAME.keras, and NAME.json: {"inputs": {name: {"shape", "values"}}, "outputs": {...}}."""
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
kind = sys.argv[1]
if kind == "keras2":
    import tf_keras as keras
else:
    import keras
L = keras.layers
rng = np.random.default_rng(7)
here = os.path.dirname(os.path.abspath(__file__))


def cnn():
    return keras.Sequential([
        L.Input((11, 9, 2)) if kind == "keras3" else L.InputLayer(input_shape=(11, 9, 2)),
        L.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        L.MaxPooling2D(2, strides=1, padding="same"),
        L.Conv2D(3, (2, 3), dilation_rate=1, use_bias=False),
        L.Dropout(0.25),
        L.AveragePooling2D((2, 2), strides=1),
        L.Flatten(),
        L.Dense(6, activation="relu"),
        L.Dense(4, activation="softmax"),
    ], name="cnn")


def mobile():
    return keras.Sequential([
        L.Input((8, 8, 3)) if kind == "keras3" else L.InputLayer(input_shape=(8, 8, 3)),
        L.ZeroPadding2D(((0, 1), (1, 0))),
        L.Conv2D(4, 3, strides=2, use_bias=False),
        L.BatchNormalization(),
        L.ReLU(6.0),
        L.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        L.BatchNormalization(epsilon=1e-2, center=False),
        L.Activation("tanh"),
        L.GlobalAveragePooling2D(),
        L.Dense(5),
        L.BatchNormalization(scale=False),
        L.Softmax(),
        L.Reshape((5, 1)),
    ], name="mobile")


def branches():
    a, b = L.Input((4,), name="b_in"), L.Input((6,), name="a_in")
    shared = L.Dense(6, activation="sigmoid", name="shared")
    inner = keras.Sequential([L.Input((6,)) if kind == "keras3" else L.InputLayer(input_shape=(6,)), L.Dense(3, activation="relu"), L.Dense(6)], name="inner")
    x = shared(L.Dense(6, name="first")(L.Concatenate()([a, b])))
    y = shared(b)
    z = inner(y)
    s = L.Add()([x, y, z])
    p = L.Multiply()([s, x])
    u = L.Reshape((2, 3))(p)
    u = L.Dense(4, activation="relu", name="rank3")(u)
    return keras.Model([a, b], [L.Flatten(name="z_out")(u), L.Dense(2, activation="elu", name="y_out")(s)], name="branches")


def activations(names, name):
    i = L.Input((5,))
    return keras.Model(i, L.Concatenate()([L.Dense(3, activation=f)(i) for f in names]), name=name)


COMMON = ["linear", "relu", "relu6", "sigmoid", "elu", "softplus", "softsign", "exponential", "tanh", "softmax"]
RARE = ["gelu", "selu"]
if kind == "keras3":
    COMMON += ["silu", "leaky_relu"]
    RARE += ["log_softmax"]
else:
    COMMON += ["swish"]


def describe(a):
    a = np.asarray(a, np.float32)
    return {"shape": list(a.shape), "values": [float(v) for v in a.ravel()]}


def save(name, m, suffixes):
    for v in m.weights:
        w = rng.uniform(-0.6, 0.6, v.shape)
        if "variance" in (v.name + getattr(v, "path", "")):
            w = rng.uniform(0.5, 2, v.shape)
        if "seed" not in v.name:
            v.assign(w.astype(np.float32))
    name_of = lambda i: i._keras_history[0].name
    ins = {name_of(i): rng.uniform(-1, 1, (3,) + tuple(i.shape[1:])).astype(np.float32) for i in m.inputs}
    outs = m(list(ins.values()) if len(ins) > 1 else next(iter(ins.values())), training=False)
    outs = outs if isinstance(outs, (list, tuple)) else [outs]
    names = [name_of(o) for o in m.outputs]
    for s in suffixes:
        m.save(os.path.join(here, f"{kind}_{name}{s}"))
    with open(os.path.join(here, f"{kind}_{name}.json"), "w") as f:
        json.dump({"inputs": {k: describe(v) for k, v in ins.items()}, "outputs": {k: describe(v) for k, v in zip(names, outs)}}, f)


both, own = [".keras", ".h5"], [".h5" if kind == "keras2" else ".keras"]  # a .h5 last: it takes the optimizer out of what Keras 3 writes next
for name, m, suffixes in [
    ("cnn", cnn(), both), ("mobile", mobile(), both), ("branches", branches(), both),
    ("activations", activations(COMMON, "activations"), own), ("rare", activations(RARE, "rare"), own),
]:
    if name == "cnn":
        m.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    save(name, m, suffixes)
