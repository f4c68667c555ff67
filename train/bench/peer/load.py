"""What the Python peers of `trainer bench -peer` share. bench puts it before each.

    python3 - LAYERS BATCH SAMPLES RATE PASSES FILE

LAYERS is "784,50,10". FILE has, in order: the input for each of the 256 values of a
pixel, the two values of a target, and the weights (by rows) and biases of each layer,
all as float32; then a byte for each label, and the pixels of each image.
"""
import sys
import time

import numpy as np

layers = [int(n) for n in sys.argv[1].split(",")]
batch, samples, rate, passes = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])


def load():
    """Returns the inputs, the targets, and the weights and biases of each layer."""
    data = np.fromfile(sys.argv[6], np.uint8)
    at = 0

    def floats(n):
        nonlocal at
        at += 4 * n
        return data[at - 4 * n : at].view("<f4").copy()

    values, (low, high) = floats(256), floats(2)
    parameters = [(floats(n * m).reshape(n, m), floats(n)) for m, n in zip(layers, layers[1:])]
    labels = data[at : at + samples]
    inputs = values[data[at + samples :].reshape(samples, layers[0])]
    targets = np.where(np.arange(layers[-1]) == labels[:, None], high, low).astype(np.float32)
    return inputs, targets, parameters


def measure(one_pass, cost, version):
    """Prints the fastest pass, in nanoseconds per sample, the cost after the first, and the version."""
    best = after = float("inf")
    for k in range(passes):
        start = time.perf_counter()
        one_pass()
        best = min(best, time.perf_counter() - start)
        if k == 0:
            after = cost()
    print(f"{best / samples * 1e9:.0f} {after:.9g} {version}")
