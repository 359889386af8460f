"""Keras reading picture files with tf.data: the peer of features.bench.ts. Needs tensorflow (2.16 or later, with Keras 3).

Talks in lines of JSON. In: first {"model": FILE, "width": W, "height": H, "files": [..]}, then one "run" for each round.
Out: first {"versions": ..}, then for each run {"seconds": .., "cpu": processor seconds, "first": [features of the first file]}.
"""

import json
import sys
import time

import keras
import numpy as np
import tensorflow as tf

BATCH = 32


def answer(value):
    print(json.dumps(value), flush=True)


def read(path, width, height):
    """What Kestrel's preprocessing does too: whole picture, stretched, antialiased bilinear, x / 127.5 - 1."""
    picture = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
    resized = tf.image.resize(picture, (height, width), method="bilinear", antialias=True)
    return resized / 127.5 - 1.0


def features_of(model):
    """The network up to its last global pooling."""
    pooled = [layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D)][-1]
    flat = keras.layers.Flatten()(pooled.output)
    return keras.Model(model.inputs, flat)


def main():
    order = json.loads(sys.stdin.readline())
    model = features_of(keras.models.load_model(order["model"], compile=False))

    def dataset(files):
        return (
            tf.data.Dataset.from_tensor_slices(files)
            .map(lambda path: read(path, order["width"], order["height"]), num_parallel_calls=tf.data.AUTOTUNE)
            .batch(BATCH)
            .prefetch(tf.data.AUTOTUNE)
        )

    files = order["files"]
    # Traced and compiled before the first round, for the full batch and for the rest.
    model.predict(dataset(files[: BATCH + len(files) % BATCH]), verbose=0)
    answer({"versions": f"TensorFlow {tf.__version__}, Keras {keras.__version__}"})
    for line in sys.stdin:
        if line.strip() != "run":
            continue
        began, worked = time.perf_counter(), time.process_time()
        features = model.predict(dataset(files), verbose=0)
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        answer({"seconds": seconds, "cpu": cpu, "first": np.asarray(features[0], dtype=float).tolist()})


main()
