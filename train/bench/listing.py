"""The textbook's algorithm in NumPy, which `trainer bench -peer` measures.

It has the network and the update order of the listing (784-50-10, sigmoid, no
bias, float64, one sample per step). The images are as dense as those of MNIST: 150
of 784 pixels are not zero. It prints the nanoseconds per sample of the fastest
round, and the version of NumPy.

    python3 listing.py [ROUNDS]
"""
import sys
import time

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def main(rounds):
    random = np.random.default_rng(1)
    samples = 1000
    x = np.where(random.random((samples, 784)) < 0.19, random.random((samples, 784)), 0)
    y = np.eye(10)[random.integers(10, size=samples)]
    wih = random.normal(0, 50**-0.5, (50, 784))
    who = random.normal(0, 50**-0.5, (10, 50))
    rate = 0.1
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for i in range(samples):
            inputs = x[i][:, None]
            hidden = sigmoid(wih @ inputs)
            final = sigmoid(who @ hidden)
            delta = (y[i][:, None] - final) * final * (1 - final)
            who += rate * delta @ hidden.T
            wih += rate * ((who.T @ delta) * hidden * (1 - hidden)) @ inputs.T
        best = min(best, time.perf_counter() - start)
    print(f"{best / samples * 1e9:.0f} {np.__version__}")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
