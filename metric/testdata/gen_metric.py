"""Makes metric.json: values of tf_keras metrics and of a stable descending sort
on random predictions with many ties."""
import json, os, pathlib
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import numpy as np
import tf_keras as keras

rng = np.random.default_rng(4)
q = rng.integers(-4, 4, (200, 7)).astype(np.int8)
y = rng.integers(0, 7, 200)
onehot = np.eye(7, dtype=np.float32)[y]
f = rng.random((200, 7)).astype(np.float32)
b = rng.random((200, 1)).astype(np.float32)
b[:20] = 0.5
yb = rng.integers(0, 2, (200, 1)).astype(np.float32)
seg, yseg = rng.integers(0, 5, (6, 4, 3, 5)).astype(np.float32), rng.integers(0, 5, (6, 4, 3))

def value(m, y, p):
    m.update_state(y, p)
    return float(m.result())

order = np.argsort(-q.astype(int), axis=1, kind='stable')
out = {
    'int8': q.ravel().tolist(), 'labels': y.tolist(), 'float': f.ravel().tolist(),
    'binary': b.ravel().tolist(), 'binary_labels': yb.ravel().tolist(),
    'seg': seg.ravel().tolist(), 'seg_labels': yseg.ravel().tolist(),
    'sparse': value(keras.metrics.SparseCategoricalAccuracy(), y, q.astype(np.float32)),
    'numpy_argmax': float((q.argmax(1) == y).mean()),
    'categorical': value(keras.metrics.CategoricalAccuracy(), onehot, f),
    'binary_accuracy': value(keras.metrics.BinaryAccuracy(), yb, b),
    'segmentation': value(keras.metrics.SparseCategoricalAccuracy(), yseg, seg),
    'top3_stable': float((order[:, :3] == y[:, None]).any(1).mean()),
    'top3_float': value(keras.metrics.SparseTopKCategoricalAccuracy(3), y, f),
    'mse': value(keras.metrics.MeanSquaredError(), onehot, f),
    'mae': value(keras.metrics.MeanAbsoluteError(), onehot, f),
}
pathlib.Path(__file__).with_name('metric.json').write_text(json.dumps(out) + '\n')
