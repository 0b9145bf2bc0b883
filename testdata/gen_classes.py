"""Write the classes that TensorFlow's Keras predicts for MNIST's test images.

usage: gen_classes.py TUTORIAL MNIST
TUTORIAL holds tf2.21/model.h5 and hub_tf1/, MNIST the original idx.gz files.
Writes tutorial_classes.bin, a byte an image.
"""
import gzip, os, pathlib, sys, tempfile
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow_hub as hub
import tf_keras as keras

tutorial, mnist = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
here = pathlib.Path(__file__).resolve().parent
images = np.frombuffer(gzip.open(mnist / "t10k-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
x = images.reshape(-1, 28, 28, 1).astype(np.float32) / 255.0
with tempfile.TemporaryDirectory() as d:  # the file names its module seed/hub_tf1
    os.chdir(d)
    os.mkdir("seed")
    os.symlink(tutorial / "hub_tf1", "seed/hub_tf1")
    model = keras.models.load_model(tutorial / "tf2.21" / "model.h5", custom_objects={"KerasLayer": hub.KerasLayer})
    classes = model.predict(x, batch_size=100, verbose=0).argmax(1).astype(np.uint8)
(here / "tutorial_classes.bin").write_bytes(classes.tobytes())
