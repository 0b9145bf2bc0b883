"""Small networks as SavedModels, with TensorFlow's .tflite and outputs.

TF_USE_LEGACY_KERAS=1 python gen_nets.py [NET...]   (tensorflow-cpu 2.21, tf-keras 2.21)

nets/NAME/ is the SavedModel, nets/NAME.tflite the float conversion, and
nets/NAME.json an input and what TensorFlow computes from it.
"""
import json, os, shutil, sys
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np
import tensorflow as tf
import tf_keras as keras

L = keras.layers
HERE = os.path.dirname(os.path.abspath(__file__))
NETS = {}


def net(*shape, batch=None):
    """Registers a function from an input of that shape to a layer's output."""
    def register(build):
        NETS[build.__name__] = (shape, batch, build)
        return build
    return register


def rand(*shape, seed=3):
    return tf.constant(np.random.RandomState(seed).randn(*shape).astype(np.float32) * 0.5)


@net(8, 8, 3)
def conv(x):
    x = L.Conv2D(4, 3, strides=2, padding='same', activation='relu')(x)
    x = L.DepthwiseConv2D(3, padding='same', depth_multiplier=2, activation='relu6')(x)
    x = L.Conv2D(5, (2, 1), use_bias=False)(x)
    x = L.MaxPool2D(2)(x)
    return L.Conv2D(3, 1, dilation_rate=1)(x)


@net(8, 8, 3)
def batchnorm(x):
    x = L.Conv2D(4, 3, use_bias=False)(x)
    x = L.ReLU(6.)(L.BatchNormalization()(x))
    x = L.DepthwiseConv2D(3, use_bias=False)(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    x = L.Conv2D(6, 1)(x)
    x = L.BatchNormalization()(x)
    x = L.DepthwiseConv2D(2)(x)
    x = L.BatchNormalization()(x)
    x = L.MaxPool2D(2)(x)
    return L.BatchNormalization()(x)


@net(6)
def mlp(x):
    x = L.Dense(5, activation='relu')(x)
    x = L.Dense(4)(x)
    x = L.Dense(4, use_bias=False)(x)
    x = L.Dense(4, use_bias=False, activation='relu6')(x)
    x = L.Dense(3)(L.Dropout(.5)(x))
    x = L.BatchNormalization()(x)
    x = L.Dense(4)(x)
    x = L.BatchNormalization()(x)
    return L.Softmax()(L.Dense(2)(x))


@net(4, 4, 3)
def scalars(x):
    x = x * 2.0 - 1.0
    x = L.Conv2D(3, 1)(x)
    x = x / 3.0 + tf.constant([1., 2., 3.])
    x = L.Conv2D(3, 2)(x + 0.5)
    x = x + 1.5
    x = L.Conv2D(4, 2, padding='same')(x + 0.25)
    x = 1.0 - x
    x = L.DepthwiseConv2D(2)(x * 0.5)
    return x - tf.constant([[[[1., 2., 3., 4.]]]])


@net(5)
def dense_scalars(x):
    x = L.Dense(4)(x + 1.0)
    x = L.Dense(4, use_bias=False)(x * tf.constant([1., 2., 3., 4.]))
    x = L.Dense(3)(x + tf.constant([1., 2., 3., 5.]))
    x = x * tf.constant([3., 2., 1.])
    x = L.Dense(3)(x / 3.0)
    return x + tf.constant([[1., 2., 3.]])


@net(6, 6, 4)
def residual(x):
    y = L.Conv2D(4, 3, padding='same', activation='relu')(x)
    y = L.Conv2D(4, 3, padding='same')(y)
    x = L.ReLU()(L.Add()([x, y]))
    y = L.AveragePooling2D(2, padding='same')(x)
    y = L.Flatten()(y)
    z = L.Dense(3)(y)
    return tf.nn.relu(z) * z


@net(6, 6, 2)
def explicit(x):
    w = rand(3, 3, 2, 4)
    x = tf.nn.conv2d(x, w, strides=[1, 2, 2, 1], padding=[[0, 0], [1, 0], [0, 1], [0, 0]])
    x = tf.nn.conv2d(x, rand(3, 3, 4, 4, seed=4), strides=1, padding=[[0, 0], [1, 1], [1, 1], [0, 0]], dilations=1)
    x = tf.nn.bias_add(x, rand(4))
    return tf.nn.depthwise_conv2d(x, rand(2, 2, 4, 1), strides=[1, 1, 1, 1], padding='VALID')


@net(12)
def clamps(x):
    x = tf.reshape(x, [-1, 3, 4])
    x = tf.maximum(tf.minimum(x, 1.0), -1.0)
    x = tf.reshape(tf.maximum(x, 0.0), [-1, 12])
    x = L.Dense(4)(x)
    x = tf.minimum(tf.nn.relu(x), 6.0)
    return tf.nn.relu6(L.Dense(4)(tf.minimum(tf.maximum(x, 0.0), 1.0)))


@net(8, 8, 3)
def mobile(x):
    x = L.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = L.Conv2D(4, 3, strides=2, use_bias=False)(x)
    x = L.ReLU(6.)(L.BatchNormalization()(x))
    x = L.ZeroPadding2D(1)(x)
    x = L.DepthwiseConv2D(3)(x)
    x = L.GlobalAveragePooling2D(keepdims=True)(x)
    x = L.Reshape((4,))(x)
    return L.Dense(3, activation='softmax')(x)


@net(16)
def reshapes(x):
    x = L.Reshape((4, 4, 1))(x)
    x = L.Conv2D(2, 3, padding='same', activation='relu')(x)
    x = L.Permute((2, 1, 3))(x)
    x = L.Concatenate()([x, x])
    x = tf.squeeze(tf.expand_dims(x, 1), 1)
    x = L.Flatten()(x)
    a = L.Dense(3, activation='tanh')(x)
    return L.Dense(3, activation='sigmoid')(a)


@net(5, 6)
def sequence(x):
    x = L.Dense(4, activation='relu')(x)
    x = L.Conv1D(3, 2, activation='relu')(x)
    return L.Dense(2)(L.Flatten()(x))


@net(5, 6, batch=2)
def static(x):
    x = L.Dense(4, activation='relu')(x)
    x = L.Conv1D(3, 2, activation='relu')(x)
    x = L.Reshape((6, 2))(x)
    x = L.Dense(3)(L.Dense(4, use_bias=False)(x))
    return L.Dense(2)(L.Flatten()(x))


@net(4, 4, 3)
def shapes_of_relu(x):
    x = L.Conv2D(3, 1)(x)
    x = x * tf.nn.relu6(x + 3.) / 6.
    x = L.LeakyReLU()(L.BatchNormalization()(x))
    x = L.PReLU(shared_axes=[1, 2], alpha_initializer='ones')(x)
    x = tf.maximum(x * 0.1, x)
    return L.Dense(2)(tf.reduce_mean(x, [1, 2]))


def model(name):
    """A module of the network's variables with one signature, small on disk."""
    keras.backend.clear_session()
    tf.random.set_seed(0)
    shape, batch, build = NETS[name]
    i = keras.Input(shape, batch_size=batch)
    m = keras.Model(i, build(i), name='net')
    rng = np.random.RandomState(1)
    for v in m.variables:
        value = rng.randn(*v.shape) * 0.4
        v.assign(np.abs(value) + 0.1 if 'variance' in v.name else value)
    module = tf.Module()
    module.variables_ = list(m.variables)
    module.serve = tf.function(lambda x: {'y': m(x)}, input_signature=[tf.TensorSpec((batch,) + shape, tf.float32, name='x')])
    return module, shape


def prune(file):
    """Drops what saves and restores variables in TensorFlow, most of the file."""
    from tensorflow.core.protobuf import saved_model_pb2
    model = saved_model_pb2.SavedModel()
    with open(file, 'rb') as f:
        model.ParseFromString(f.read())
    meta = model.meta_graphs[0]
    saver = [f for f in meta.graph_def.library.function if 'traced_save' in f.signature.name or 'traced_restore' in f.signature.name]
    names = [f.signature.name for f in saver]
    for f in saver:
        meta.graph_def.library.function.remove(f)
    for n in [n for n in meta.graph_def.node if n.attr['f'].func.name in names or n.name.startswith('saver_')]:
        meta.graph_def.node.remove(n)
    for n in list(meta.graph_def.node) + [n for f in meta.graph_def.library.function for n in f.node_def]:
        n.ClearField('experimental_debug_info')
        for key in ('f', 'config_proto', '_XlaMustCompile', 'executor_type'):
            if key in n.attr and (key != 'f' or not n.attr['f'].func.name):
                del n.attr[key]
    meta.ClearField('saver_def')
    with open(file, 'wb') as f:
        f.write(model.SerializeToString())


def write(name):
    module, shape = model(name)
    path = os.path.join(HERE, 'nets', name)
    shutil.rmtree(path, ignore_errors=True)
    tf.saved_model.save(module, path, signatures={'serving_default': module.serve})
    for extra in ('assets', 'fingerprint.pb'):
        full = os.path.join(path, extra)
        shutil.rmtree(full) if os.path.isdir(full) else os.path.exists(full) and os.remove(full)
    with open(path + '.tflite', 'wb') as f:
        f.write(tf.lite.TFLiteConverter.from_saved_model(path).convert())
    prune(os.path.join(path, 'saved_model.pb'))
    x = np.random.RandomState(7).randn(2, *shape).astype(np.float32)
    y = module.serve(tf.constant(x))['y'].numpy()
    with open(path + '.json', 'w') as f:
        json.dump({'x': [float(v) for v in x.ravel()], 'y': [float(v) for v in y.ravel()], 'shape': list(y.shape)}, f)


if __name__ == '__main__':
    os.makedirs(os.path.join(HERE, 'nets'), exist_ok=True)
    for name in sys.argv[1:] or NETS:
        write(name)
