"""Trains the networks of tests/bench/training.bench.ts in Keras or PyTorch, a few steps whenever it is asked to.

    python training.py keras|torch THREADS

Reads lines `JOB STEPS` and answers each with a line of JSON: for every step the milliseconds by the clock and those of the
processor, over all threads. The first steps of a job, in which it is built and compiled, are not measured. Jobs:
`small-cnn`, `mobilenet`, `mobilenet-cached`.
Packages: requirements.txt beside this file.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

FRAMEWORK, THREADS = sys.argv[1], int(sys.argv[2])
SMALL_BATCH, MOBILE_BATCH, CLASSES = 32, 16, 10


def keras_jobs():
    import keras
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    layers = keras.layers
    random = np.random.default_rng(1)

    def job(model, shape, batch, rate):
        # Compiled by XLA or not: whichever is faster here (see `fastest`).
        x = tf.constant(random.random((batch, *shape), dtype=np.float32))
        y = tf.constant(np.arange(batch) % CLASSES)

        def compiled(xla):
            model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=xla)
            return lambda: model.train_on_batch(x, y)

        return fastest(lambda: compiled(False), lambda: compiled(True))

    def small_cnn():
        stack = [keras.Input((64, 64, 3))]
        for filters in (32, 64, 128):
            stack += [
                layers.Conv2D(filters, 3, padding="same", use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.MaxPooling2D(),
            ]
        stack += [layers.GlobalAveragePooling2D(), layers.Dense(CLASSES, activation="softmax")]
        return job(keras.Sequential(stack), (64, 64, 3), SMALL_BATCH, 1e-3)

    def mobilenet(cached):
        base = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg")
        boundary = base.get_layer("block_11_add")
        learns = False
        for layer in base.layers:
            layer.trainable = learns and not isinstance(layer, layers.BatchNormalization)
            learns = learns or layer is boundary
        start, shape = (boundary.output, (14, 14, 96)) if cached else (base.input, (224, 224, 3))
        top = keras.Model(start, base.output)
        inputs = keras.Input(shape)
        # Batch normalisations use the statistics they have, as fine-tuning wants it.
        answers = layers.Dense(CLASSES, activation="softmax")(top(inputs, training=False))
        return job(keras.Model(inputs, answers), shape, MOBILE_BATCH, 1e-4)

    return {
        "small-cnn": small_cnn,
        "mobilenet": lambda: mobilenet(False),
        "mobilenet-cached": lambda: mobilenet(True),
    }


def torch_jobs():
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    last = torch.channels_last

    def job(forward, parameters, shape, batch, rate):
        x = torch.rand(batch, *shape).to(memory_format=last)
        y = torch.arange(batch) % CLASSES
        optimiser = torch.optim.Adam(parameters, rate)

        def step():
            optimiser.zero_grad()
            loss = F.cross_entropy(forward(x), y)
            loss.backward()
            optimiser.step()
            return loss.item()

        return step

    def small_cnn():
        stack, channels = [], 3
        for filters in (32, 64, 128):
            stack += [
                nn.Conv2d(channels, filters, 3, padding=1, bias=False),
                nn.BatchNorm2d(filters),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
            channels = filters
        model = nn.Sequential(*stack, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))
        model = model.to(memory_format=last)
        return job(model, model.parameters(), (3, 64, 64), SMALL_BATCH, 1e-3)

    def mobilenet(cached):
        """MobileNetV2 with batch normalisation folded into the convolutions: kernels learn, biases stay."""

        def conv(inputs, outputs, size=1, stride=1, groups=1, clip=True):
            layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups).to(memory_format=last)
            layer.bias.requires_grad_(False)
            return nn.Sequential(layer, nn.ReLU6(inplace=True)) if clip else layer

        class Block(nn.Module):
            def __init__(self, inputs, outputs, stride, factor):
                super().__init__()
                wide = inputs * factor
                stack = [] if factor == 1 else [conv(inputs, wide)]
                stack += [conv(wide, wide, 3, stride, wide), conv(wide, outputs, clip=False)]
                self.stack = nn.Sequential(*stack)
                self.residual = stride == 1 and inputs == outputs

            def forward(self, x):
                return x + self.stack(x) if self.residual else self.stack(x)

        blocks, channels = [conv(3, 32, 3, 2)], 32
        settings = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
        for factor, outputs, count, stride in settings:
            for at in range(count):
                blocks.append(Block(channels, outputs, stride if at == 0 else 1, factor))
                channels = outputs
        # The stem and blocks 0 to 11 are frozen.
        trunk, top = nn.Sequential(*blocks[:13]), nn.Sequential(*blocks[13:], conv(channels, 1280))
        head = nn.Linear(1280, CLASSES)
        for parameter in trunk.parameters():
            parameter.requires_grad_(False)

        def forward(x):
            if not cached:
                with torch.no_grad():
                    x = trunk(x)
            return head(top(x).mean((2, 3)))

        learning = [p for p in [*top.parameters(), *head.parameters()] if p.requires_grad]
        return job(forward, learning, (96, 14, 14) if cached else (3, 224, 224), MOBILE_BATCH, 1e-4)

    return {
        "small-cnn": small_cnn,
        "mobilenet": lambda: mobilenet(False),
        "mobilenet-cached": lambda: mobilenet(True),
    }


def measured(step):
    """Milliseconds by the clock and of the processor."""
    began, used = time.perf_counter(), time.process_time()
    step()
    return [(time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000]


def fastest(*makers):
    """Of several ways to run a step the one whose best of five is fastest. Each is built when it is tried: the last one
    built may have changed what those before it run."""
    ways = []
    for make in makers:
        try:
            step = make()
            for _ in range(2):
                step()
            ways.append((min(measured(step)[0] for _ in range(5)), make))
        except Exception as error:  # a way that a version of the framework lacks is no way
            print(f"left out: {error}", file=sys.stderr)
    return min(ways, key=lambda way: way[0])[1]()


def main():
    makers = {"keras": keras_jobs, "torch": torch_jobs}[FRAMEWORK]()
    steps = {}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        name, count = line.split()
        if name not in steps:
            steps[name] = makers[name]()
            for _ in range(3):
                steps[name]()
        print(json.dumps([measured(steps[name]) for _ in range(int(count))]), flush=True)


main()
