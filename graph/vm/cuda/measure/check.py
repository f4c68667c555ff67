"""Small jobs of report.sh; needs the standard library of Python only.

    check.py subset  --data FOLDER --train N --test M --out FOLDER
    check.py weights --runs FOLDER --batch B --steps T
    check.py stop    --limit SECONDS [--against FILE] [--log FILE] --run FOLDER -- COMMAND…
"""
import argparse
import array
import gzip
import json
import math
import os
import random
import signal
import struct
import subprocess
import sys
import time

MODEL = "model.safetensors"


def fail(text):
    sys.exit(f"check.py: {text}")


# --- subset: a small set in MNIST's format ------------------------------------


def subset(o):
    """Writes the first images of MNIST, or, without a folder, images of blobs
    whose place is their label."""
    os.makedirs(o.out, exist_ok=True)
    for part, n in (("train", o.train), ("t10k", o.test)):
        if o.data:
            pixels = read_idx(o.data, part + "-images-idx3-ubyte")[1][: 784 * n]
            labels = read_idx(o.data, part + "-labels-idx1-ubyte")[1][:n]
        else:
            r = random.Random(part)
            labels = bytes(r.randrange(10) for _ in range(n))
            pixels = b"".join(blob(r, label) for label in labels)
        n = len(labels)
        write(o.out, part + "-images-idx3-ubyte", struct.pack(">4I", 0x803, n, 28, 28) + pixels)
        write(o.out, part + "-labels-idx1-ubyte", struct.pack(">2I", 0x801, n) + labels)


def read_idx(folder, name):
    """Reads an IDX file of bytes, gzipped or not: its shape and its bytes."""
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.exists(path):
            with open(path, "rb") as f:
                raw = f.read()
            if raw[:2] == b"\x1f\x8b":
                raw = gzip.decompress(raw)
            header = 4 + 4 * raw[3]
            return struct.unpack(f">{raw[3]}I", raw[4:header]), raw[header:]
    return fail(f"{folder} has no {name} and no {name}.gz")


def blob(r, label):
    image = bytearray(784)
    y, x = 4 + 14 * (label // 5), 2 + 5 * (label % 5)
    for _ in range(100):
        image[28 * (y + r.randrange(-3, 9)) + x + r.randrange(-2, 5)] = r.randrange(1, 256)
    return bytes(image)


def write(folder, name, content):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content)


# --- weights: what an epoch gave on both devices ------------------------------


def tensors(path):
    """Reads a safetensors file: name → array of its values."""
    with open(path, "rb") as f:
        raw = f.read()
    (n,) = struct.unpack("<Q", raw[:8])
    found = {}
    for name, t in json.loads(raw[8 : 8 + n]).items():
        if name != "__metadata__":
            a = array.array({"F32": "f", "F64": "d"}[t["dtype"]])
            begin, end = t["data_offsets"]
            a.frombytes(raw[8 + n + begin : 8 + n + end])
            found[name] = a
    return found


def distance(a, b):
    """The largest difference; infinite if it is not a number."""
    if a.keys() != b.keys():
        fail(f"different tensors: {sorted(a)} and {sorted(b)}")
    most = 0.0
    for name in a:
        if len(a[name]) != len(b[name]):
            fail(f"{name} has {len(a[name])} and {len(b[name])} values")
        for x, y in zip(a[name], b[name]):
            d = abs(x - y)
            if not d <= most:
                most = d if d == d else math.inf
    return most


def metrics(run):
    with open(os.path.join(run, "metrics.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def weights(o):
    """Compares the runs cpu-float32-B, cpu-float64-B, cuda-float32-B and
    cuda-float64-B of one epoch: same first weights, same order.

    All differ by rounding only, which is chaotic in detail but has a size: e,
    the distance of the CPU's float32 weights from its float64 weights, but not
    less than what T steps leave when each rounds the weights by u·max|W| and
    the errors add up as a random walk, √T·u·max|W|, u = 2⁻²⁴. The bounds:

      float32: the CUDA weights are at most 8·e from the CPU's float64 weights;
      float64: at most 8·e·2⁻²⁹ (rounding errors are 2²⁹ times smaller).

    The 8 is for another order of summation. A wrong term in one step is far
    outside of the second bound. In float64 both machines also have to
    recognize the same number of images.
    """
    runs = {k: os.path.join(o.runs, f"{k}-{o.batch}") for k in ("cpu-float32", "cpu-float64", "cuda-float32", "cuda-float64")}
    w = {k: tensors(os.path.join(run, MODEL)) for k, run in runs.items()}
    m = {k: metrics(run)[-1] for k, run in runs.items()}
    steps = o.steps
    largest = max(abs(x) for t in w["cpu-float64"].values() for x in t)
    measured, walk = distance(w["cpu-float32"], w["cpu-float64"]), math.sqrt(steps) * 2**-24 * largest
    e = max(measured, walk)
    report = {
        "batch": o.batch, "steps": steps, "cpu_float32_to_cpu_float64": measured, "random_walk": walk, "largest_weight": largest,
        "checks": [
            check("float32 weights, CUDA to the CPU's in float64", distance(w["cuda-float32"], w["cpu-float64"]), 8 * e),
            check("float64 weights, CUDA to the CPU's", distance(w["cuda-float64"], w["cpu-float64"]), 8 * e * 2**-29),
            check("float64 test accuracy, difference", abs(m["cuda-float64"]["test_accuracy"] - m["cpu-float64"]["test_accuracy"]), 0),
        ],
        "test_accuracy": {k: v["test_accuracy"] for k, v in m.items()},
        "train_cost": {k: v["train_cost"] for k, v in m.items()},
    }
    print(json.dumps(report, indent=1))
    return all(c["ok"] for c in report["checks"])


def check(what, value, bound):
    return {"what": what, "value": value, "bound": bound, "ok": value <= bound}


# --- stop: from Ctrl-C to the exit --------------------------------------------


def stop(o):
    """Starts a training, sends SIGINT after its first epochs, and times the
    exit. What the CPU takes for the same (--against: its file) is allowed in
    addition: it is saving."""
    began = time.time()
    with open(os.devnull, "rb") as null, open(o.log, "wb") as log:
        p = subprocess.Popen(o.command, stdin=null, stdout=log, stderr=log)
    lines = os.path.join(o.run, "metrics.jsonl")
    while not (os.path.exists(lines) and os.path.getsize(lines) > 0):
        if p.poll() is not None:
            fail(f"the training ended by itself with exit code {p.returncode}")
        if time.time() - began > 60:
            p.kill()
            fail("no epoch in 60 seconds")
        time.sleep(0.01)
    time.sleep(o.wait)  # into an epoch
    sent = time.time()
    p.send_signal(signal.SIGINT)
    try:
        code = p.wait(60)
    except subprocess.TimeoutExpired:
        p.kill()
        fail("still running 60 seconds after SIGINT")
    seconds = time.time() - sent
    limit = o.limit
    if o.against:
        with open(o.against, encoding="utf-8") as f:
            limit += json.load(f)["seconds"]
    values = sum(len(t) for t in tensors(os.path.join(o.run, MODEL)).values())
    ok = code == 130 and values > 0 and seconds <= limit
    print(json.dumps({"seconds": seconds, "limit": limit, "exit_code": code, "wanted_exit_code": 130, "values_saved": values, "ok": ok}, indent=1))
    return ok


def main():
    p = argparse.ArgumentParser()
    jobs = p.add_subparsers(dest="job", required=True)
    j = jobs.add_parser("subset")
    j.add_argument("--data", default="")
    j.add_argument("--train", type=int, required=True)
    j.add_argument("--test", type=int, required=True)
    j.add_argument("--out", required=True)
    j.set_defaults(do=subset)
    j = jobs.add_parser("weights")
    j.add_argument("--runs", required=True)
    j.add_argument("--batch", type=int, required=True)
    j.add_argument("--steps", type=int, required=True)
    j.set_defaults(do=weights)
    j = jobs.add_parser("stop")
    j.add_argument("--limit", type=float, required=True)
    j.add_argument("--against", default="")
    j.add_argument("--wait", type=float, default=0.3)
    j.add_argument("--run", required=True)
    j.add_argument("--log", default=os.devnull)
    j.add_argument("command", nargs="+")
    j.set_defaults(do=stop)
    o = p.parse_args()
    sys.exit(1 if o.do(o) is False else 0)


if __name__ == "__main__":
    main()
