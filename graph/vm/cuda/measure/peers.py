"""The trainer's work in PyTorch and JAX, for a comparison on one device.

The work: 784-50-10, sigmoid, with biases; half the squared error, its mean over
the mini-batch; plain gradient descent; float32 (without TF32 unless a row says
so); the images resident on the device. All programs begin at weights from the
same normal distribution and use the same learning rate for a batch size; the
accuracy after one epoch (with the full batch: after 50 epochs, a step each)
shows that they do the same job.

In favour of the peers: an epoch's images are brought into their order before
the clock starts, while the trainer gathers them within its time. The samples
that fill no whole mini-batch are left out (96 of 60,000 with 128).

    python3 peers.py --device cuda --data FOLDER --out peers.json

FOLDER has MNIST's four IDX files, plain or gzipped. Without it the images are
random, as sparse as MNIST's: times mean the same, accuracies nothing. The file
is written again after each row, so that a run cut short leaves what it has; a
second run goes on with what the file lacks.
"""
import argparse
import json
import os
import statistics
import sys
import time

import numpy as np

import check

LAYERS = (784, 50, 10)
BATCHES = (1, 10, 128, 1000, 60000)
RATES = {1: 0.3, 10: 1.0, 128: 3.0, 1000: 3.0, 60000: 1.0}
EPOCH = 60000  # the samples that an epoch's time is given for
DEVIATION = 0.05  # of the first weights
FULL = 50  # epochs of a step each, before the accuracy of the full batch
CHUNK = 500  # steps of a graph of many steps, at most


# --- the images ---------------------------------------------------------------


def images(folder, name):
    shape, content = check.read_idx(folder, name)
    return np.frombuffer(content, np.uint8).reshape(shape)


def load(folder, samples):
    """Returns (x, y) of training and of testing: x: n×784, y: labels."""
    if folder:
        sets = []
        for part in ("train", "t10k"):
            x = images(folder, part + "-images-idx3-ubyte")
            y = images(folder, part + "-labels-idx1-ubyte")
            sets.append(((x.reshape(len(x), -1) / 255).astype(np.float32), y.astype(np.int64)))
        if samples:
            sets = [(x[:samples], y[:samples]) for x, y in sets]
        return sets[0], sets[1], f"IDX files, {len(sets[0][0])} + {len(sets[1][0])} images"
    random = np.random.default_rng(1)
    sets = []
    for n in (samples or EPOCH, min(samples or 10000, 10000)):
        x = random.random((n, LAYERS[0]), np.float32)
        x[random.random((n, LAYERS[0]), np.float32) >= 0.19] = 0
        sets.append((x, random.integers(10, size=n)))
    return sets[0], sets[1], f"SYNTHETIC: {len(sets[0][0])} random images, 19% of their pixels not zero; accuracies mean nothing"


def first_weights():
    random = np.random.default_rng(1)
    w = [random.normal(0, DEVIATION, (a, b)).astype(np.float32) for a, b in zip(LAYERS, LAYERS[1:])]
    return w[0], np.zeros(LAYERS[1], np.float32), w[1], np.zeros(LAYERS[2], np.float32)


class Unavailable(Exception):
    """A variant that this device cannot run: it is missing, and did not fail."""


# --- PyTorch ------------------------------------------------------------------


class Torch:
    """Makes programs: functions f(first, steps) that train steps mini-batches
    from mini-batch first on."""

    who = "PyTorch"

    def __init__(self, device, train, test):
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("this PyTorch finds no CUDA device")
        self.torch, self.device = torch, device
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.manual_seed(1)
        self.x = torch.from_numpy(train[0]).to(device)
        self.y = torch.eye(10)[torch.from_numpy(train[1])].to(device)
        self.test = torch.from_numpy(test[0]).to(device), torch.from_numpy(test[1]).to(device)
        self.version = torch.__version__
        self.where = torch.cuda.get_device_name() if device == "cuda" else "cpu"
        order = torch.randperm(len(self.x)).to(device)
        self.x, self.y = self.x[order].contiguous(), self.y[order].contiguous()

    def sync(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def reset(self):
        """Puts the first weights back, in place: captured graphs hold them."""
        with self.torch.no_grad():
            for p, w in zip(self.parameters, first_weights()):
                p.copy_(self.torch.from_numpy(w))
        self.sync()

    def accuracy(self):
        with self.torch.no_grad():
            w1, b1, w2, b2 = self.parameters
            x, y = self.test
            a = self.torch.sigmoid(self.torch.addmm(b2, self.torch.sigmoid(self.torch.addmm(b1, x, w1)), w2))
            return (a.argmax(1) == y).double().mean().item()

    def new_parameters(self, grad=False):
        self.parameters = [self.torch.from_numpy(w).to(self.device).requires_grad_(grad) for w in first_weights()]
        return self.parameters

    def batch(self, i, b):
        return self.x[i * b : (i + 1) * b], self.y[i * b : (i + 1) * b]

    def by_hand(self, b, rate):
        """A step in place, without autograd: twelve kernels. The gradients go
        straight into the weights."""
        torch = self.torch
        w1, b1, w2, b2 = self.new_parameters()
        ones = torch.ones(b, device=self.device)
        alpha = -rate / b
        slope = torch.ops.aten.sigmoid_backward.default  # (g, a) ↦ g a (1 − a)

        def step(x, y):
            a2 = torch.addmm(b1, x, w1).sigmoid_()
            a3 = torch.addmm(b2, a2, w2).sigmoid_()
            d3 = slope(a3 - y, a3)
            d2 = slope(d3 @ w2.t(), a2)
            w2.addmm_(a2.t(), d3, alpha=alpha)
            b2.addmv_(d3.t(), ones, alpha=alpha)
            w1.addmm_(x.t(), d2, alpha=alpha)
            b1.addmv_(d2.t(), ones, alpha=alpha)

        return step

    # The variants: each takes (batch, rate) and returns a program.

    def eager(self, b, rate):
        torch = self.torch
        w1, b1, w2, b2 = self.new_parameters(grad=True)
        try:
            optimizer = torch.optim.SGD(self.parameters, lr=rate, fused=self.device == "cuda")
        except (TypeError, RuntimeError):  # before 2.3
            optimizer = torch.optim.SGD(self.parameters, lr=rate)

        def program(first, steps):
            for i in range(first, first + steps):
                x, y = self.batch(i, b)
                a = torch.sigmoid(torch.addmm(b2, torch.sigmoid(torch.addmm(b1, x, w1)), w2))
                optimizer.zero_grad(set_to_none=True)
                (((a - y) ** 2).sum() * (0.5 / b)).backward()
                optimizer.step()

        return program

    def in_place(self, b, rate):
        step = self.by_hand(b, rate)

        def program(first, steps):
            with self.torch.no_grad():
                for i in range(first, first + steps):
                    step(*self.batch(i, b))

        return program

    def graph(self, b, rate, chunk=1, tf32=False):
        """A CUDA graph of chunk steps: on the resident images if it is a whole
        epoch, else on a buffer, into which the images of the next steps are
        copied before each replay."""
        torch = self.torch
        if self.device != "cuda":
            raise Unavailable("CUDA graphs need a CUDA device")
        step = self.by_hand(b, rate)
        x, y = self.x, self.y
        resident = chunk == len(x) // b
        if not resident:
            x, y = torch.zeros(chunk * b, LAYERS[0], device="cuda"), torch.zeros(chunk * b, LAYERS[2], device="cuda")

        def steps_of_graph():
            for i in range(chunk):
                step(x[i * b : (i + 1) * b], y[i * b : (i + 1) * b])

        torch.backends.cuda.matmul.allow_tf32 = tf32
        try:
            with torch.no_grad():
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    for _ in range(3):
                        step(x[:b], y[:b])
                torch.cuda.current_stream().wait_stream(side)
                g = torch.cuda.CUDAGraph()
                with torch.cuda.graph(g):
                    steps_of_graph()
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False
        rest = self.tail(step, b)

        def program(first, steps):
            with torch.no_grad():
                for i in range(first, first + steps - chunk + 1, chunk):
                    if not resident:
                        x.copy_(self.x[i * b : (i + chunk) * b])
                        y.copy_(self.y[i * b : (i + chunk) * b])
                    g.replay()
                rest(first + steps - steps % chunk, steps % chunk)

        program.chunk = chunk
        return program

    def tail(self, step, b):
        """What fills no whole graph; timed runs have none."""

        def run(first, steps):
            for i in range(first, first + steps):
                step(*self.batch(i, b))

        return run

    def many(self, b):
        return max(1, min(CHUNK, len(self.x) // b))

    def graph_many(self, b, rate):
        return self.graph(b, rate, self.many(b))

    def graph_many_tf32(self, b, rate):
        return self.graph(b, rate, self.many(b), tf32=True)

    def compiled(self, b, rate, chunk=1):
        torch = self.torch
        step = self.by_hand(b, rate)
        for p in self.parameters:  # or the update of an input keeps CUDA graphs away
            torch._dynamo.mark_static_address(p)

        def steps_of_graph(x, y):
            for i in range(chunk):
                step(x[i * b : (i + 1) * b], y[i * b : (i + 1) * b])

        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        f = torch.compile(steps_of_graph, mode="reduce-overhead", fullgraph=True, dynamic=False)
        rest = self.tail(step, b)

        def program(first, steps):
            with torch.no_grad():
                for i in range(first, first + steps - chunk + 1, chunk):
                    torch.compiler.cudagraph_mark_step_begin()
                    f(self.x[i * b : (i + chunk) * b], self.y[i * b : (i + chunk) * b])
                rest(first + steps - steps % chunk, steps % chunk)

        def note():  # the compiler may do without, and only warns
            skips = torch._dynamo.utils.counters["inductor"]["cudagraph_skips"]
            return " (ran WITHOUT CUDA graphs)" if skips or self.device != "cuda" else ""

        program.chunk, program.note = chunk, note
        return program

    def compiled_many(self, b, rate):
        if len(self.x) < 10 * b:
            raise RuntimeError("ten steps are more than an epoch: see the variant of one step")
        return self.compiled(b, rate, 10)

    def variants(self):
        return [
            ("CUDA graph of many steps", self.graph_many),
            ("CUDA graph of a step", self.graph),
            ("CUDA graph of many steps, TF32", self.graph_many_tf32),
            ("eager, in place by hand", self.in_place),
            ("eager, autograd and SGD", self.eager),
            # Last: its compiler takes long, and may take the time of all.
            ("torch.compile, reduce-overhead", self.compiled),
            ("torch.compile, reduce-overhead, 10 steps", self.compiled_many),
        ]


# --- JAX ----------------------------------------------------------------------


class Jax:
    who = "JAX"

    def __init__(self, device, train, test):
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        import jax

        # jax.devices("cuda") is an error where there is none.
        self.jax, self.at = jax, jax.devices(device)[0]
        self.version, self.where = jax.__version__, str(self.at.device_kind)
        jax.config.update("jax_default_matmul_precision", "highest")  # no TF32
        order = np.random.default_rng(1).permutation(len(train[0]))
        self.x = jax.device_put(train[0][order], self.at)
        self.y = jax.device_put(np.eye(10, dtype=np.float32)[train[1][order]], self.at)
        self.test = test

    def sync(self):
        self.jax.block_until_ready(self.parameters)

    def reset(self):
        self.parameters = tuple(self.jax.device_put(w, self.at) for w in first_weights())
        self.sync()

    def accuracy(self):
        w1, b1, w2, b2 = (np.asarray(p, np.float64) for p in self.parameters)
        sigmoid = lambda z: 1 / (1 + np.exp(-z))
        a = sigmoid(sigmoid(self.test[0] @ w1 + b1) @ w2 + b2)
        return float((a.argmax(1) == self.test[1]).mean())

    def scan(self, b, rate):
        jax, jnp, lax = self.jax, self.jax.numpy, self.jax.lax
        chunk = max(1, min(len(self.x) // b, 2000 if b < 100 else 400))
        self.reset()

        def step(p, xy):
            w1, b1, w2, b2 = p
            x, y = xy
            a2 = jax.nn.sigmoid(x @ w1 + b1)
            a3 = jax.nn.sigmoid(a2 @ w2 + b2)
            d3 = (a3 - y) * a3 * (1 - a3) * (rate / b)
            d2 = (d3 @ w2.T) * a2 * (1 - a2)
            return (w1 - x.T @ d2, b1 - d2.sum(0), w2 - a2.T @ d3, b2 - d3.sum(0)), None

        def train(p, x, y, first, count):
            x = lax.dynamic_slice_in_dim(x, first * b, count * b).reshape(count, b, -1)
            y = lax.dynamic_slice_in_dim(y, first * b, count * b).reshape(count, b, -1)
            return lax.scan(step, p, (x, y))[0]

        f = jax.jit(train, static_argnums=4, donate_argnums=0 if self.at.platform != "cpu" else ())

        def program(first, steps):
            end = first + steps
            while first < end:
                n = min(chunk, end - first)
                self.parameters = f(self.parameters, self.x, self.y, jnp.int32(first), n)
                first += n

        program.chunk = chunk
        return program

    def variants(self):
        return [("lax.scan, jitted", self.scan)]


# --- measuring ----------------------------------------------------------------


def timed(peer, program, steps, rounds=1):
    """Trains the first steps of an epoch, rounds times, in seconds."""
    peer.sync()
    start = time.perf_counter()
    for _ in range(rounds):
        program(0, steps)
    peer.sync()
    return time.perf_counter() - start


def measure(peer, name, make, b, samples, o):
    """Returns a row of the report."""
    program = make(b, RATES.get(b, 1.0))
    chunk, whole = getattr(program, "chunk", 1), samples // b
    timed(peer, program, min(chunk, whole))  # compiles
    warm = min(whole, max(chunk, 20))
    warm -= warm % chunk
    timed(peer, program, warm)
    guess = timed(peer, program, warm) / warm
    # What takes a repeat's time, in whole graphs: a part of an epoch, or whole
    # ones.
    steps = max(1, min(whole, int(o.seconds / guess), o.steps or whole))
    steps = max(chunk, steps - steps % chunk)
    rounds = max(1, int(o.seconds / (guess * steps))) if not o.steps else 1
    peer.reset()
    times = [timed(peer, program, steps, rounds) / (steps * rounds) for _ in range(o.repeats)]
    row = {
        "who": peer.who, "name": name, "variant": name + getattr(program, "note", str)(), "batch": b, "steps_timed": steps * rounds, "repeats": o.repeats,
        "step_us_min": min(times) * 1e6, "step_us_median": statistics.median(times) * 1e6,
        "epoch_seconds_min": min(times) * EPOCH / b, "rate": RATES.get(b, 1.0), "accuracy": None, "accuracy_note": "",
    }
    epochs = FULL if whole == 1 else 1
    if min(times) * whole * epochs > o.accuracy_seconds:
        row["accuracy_note"] = f"not run: it takes {min(times) * whole * epochs:.0f} s"
    else:
        peer.reset()
        row["epoch_seconds_whole"] = timed(peer, program, whole, epochs) / epochs
        row["accuracy_epochs"] = epochs
        row["accuracy"] = peer.accuracy()
    return row


def main():
    p = argparse.ArgumentParser(description="PyTorch and JAX on the trainer's work")
    p.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    p.add_argument("--data", default="", help="folder with MNIST's IDX files; without it, synthetic images")
    p.add_argument("--out", default="-", help="file for the JSON; -: standard output")
    p.add_argument("--batches", default=",".join(map(str, BATCHES)))
    p.add_argument("--only", default="torch,jax", help="which of torch and jax")
    p.add_argument("--variants", default="", help="only variants whose name contains this")
    p.add_argument("--samples", type=int, default=0, help="use only so many images")
    p.add_argument("--steps", type=int, default=0, help="time so many steps at most")
    p.add_argument("--seconds", type=float, default=0.3, help="length of a repeat")
    p.add_argument("--repeats", type=int, default=7)
    p.add_argument("--accuracy-seconds", type=float, default=60, help="run the epoch for the accuracy if it is not longer")
    o = p.parse_args()
    train, test, data = load(o.data, o.samples)
    report = {"device": o.device, "data": data, "network": "784-50-10 sigmoid, with bias, float32", "packages": {}, "rows": [], "skipped": []}

    # What the file has of an earlier run of the same work.
    seen, failed = set(), False
    try:
        with open(o.out, encoding="utf-8") as f:
            earlier = json.load(f)
        if all(earlier[k] == report[k] for k in ("device", "data", "network")):
            report["rows"] = earlier["rows"]
            report["skipped"] = [s for s in earlier["skipped"] if s["batch"]]
            seen = {(r["who"], r["name"], r["batch"]) for r in report["rows"]}
            seen |= {(s["who"], s["variant"], s["batch"]) for s in report["skipped"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or cut off

    def save():
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        if o.out == "-":
            return text
        with open(o.out + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(o.out + ".new", o.out)
        return ""

    def skip(who, variant, b, why):
        nonlocal failed
        failed = failed or not isinstance(why, (ImportError, Unavailable))
        why = str(why).strip().splitlines()[0][:300] if str(why).strip() else type(why).__name__
        report["skipped"].append({"who": who, "variant": variant, "batch": b, "why": why})
        print(f"skipped: {who}, {variant}, batch {b}: {why}", file=sys.stderr, flush=True)

    for kind, key in ((Jax, "jax"), (Torch, "torch")):
        if key not in o.only.split(","):
            continue
        try:
            peer = kind(o.device, train, test)
        except ImportError as e:
            skip(kind.who, "all", 0, ImportError(f"not installed: {e}"))
            continue
        except Exception as e:  # whatever a package does, the others run
            skip(kind.who, "all", 0, e)
            continue
        report["packages"][kind.who] = {"version": peer.version, "device": peer.where}
        for name, make in peer.variants():
            if o.variants not in name:
                continue
            for b in map(int, o.batches.split(",")):
                if (kind.who, name, b) in seen:
                    continue
                if b > len(train[0]):
                    skip(kind.who, name, b, f"only {len(train[0])} images")
                    continue
                try:
                    row = measure(peer, name, make, b, len(train[0]), o)
                except Exception as e:
                    skip(kind.who, name, b, e)
                    continue
                report["rows"].append(row)
                accuracy = row["accuracy_note"] if row["accuracy"] is None else f"accuracy {row['accuracy']:.4f}"
                print(f"{kind.who}, {name}, batch {b}: {row['step_us_min']:.2f} us a step, {accuracy}", file=sys.stderr, flush=True)
                save()
        del peer  # its memory on the device
    print(save(), end="")
    if not report["rows"]:
        print("no peer ran", file=sys.stderr)
        sys.exit(1 if failed else 77)  # 77: missing


main()
