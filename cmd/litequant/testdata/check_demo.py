"""Let TensorFlow read what `litequant demo` wrote, and compare all of it on one batch.

usage: check_demo.py OUT MNIST_T10K_IMAGES_GZ
needs tensorflow-cpu 2.21, tf-keras, tensorflow-hub and ai-edge-litert (CONTRIBUTING.md).
"""
import gzip, os, pathlib, sys
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow as tf, tensorflow_hub as hub, tf_keras as keras
from ai_edge_litert.interpreter import Interpreter

out = pathlib.Path(sys.argv[1]).resolve()
images = np.frombuffer(gzip.open(sys.argv[2]).read(), np.uint8, offset=16)
x = images.reshape(-1, 28, 28, 1)[:200].astype(np.float32) / 255.0

layer = hub.KerasLayer(str(out / "hub_module"), trainable=True)
print("hub.KerasLayer:", len(layer.trainable_weights), "trainable weights, logits", layer(x).shape)

model = keras.models.load_model(out / "model.h5", custom_objects={"KerasLayer": hub.KerasLayer})
want = model.predict(x, verbose=0)
print("tf_keras model.h5: classes of the first images", want[:10].argmax(1))

saved = tf.saved_model.load(str(out / "saved_model"))
fn = saved.signatures["serving_default"]
got = list(fn(**{list(fn.structured_input_signature[1])[0]: tf.constant(x)}).values())[0].numpy()
print("SavedModel: largest difference to model.h5", np.abs(got - want).max())
converted = tf.lite.TFLiteConverter.from_saved_model(str(out / "saved_model")).convert()
print("TFLiteConverter on the SavedModel:", len(converted), "bytes")

for name in ["float", "dynamic", "float16", "int8", "uint8", "int16x8"]:
    it = Interpreter(model_path=str(out / f"{name}.tflite"))
    it.allocate_tensors()
    i, o = it.get_input_details()[0], it.get_output_details()[0]
    same = 0
    for k in range(len(x)):
        v = x[k : k + 1]
        if i["dtype"] != np.float32:
            scale, zero = i["quantization"]
            v = np.round(v / scale + zero).astype(i["dtype"])
        it.set_tensor(i["index"], v)
        it.invoke()
        same += it.get_tensor(o["index"])[0].argmax() == want[k].argmax()
    print(f"LiteRT {name}.tflite: {same} of {len(x)} classes as model.h5")
