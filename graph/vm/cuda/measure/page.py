"""Makes a page of what report.sh left in a folder: report.md and report.json.

    python3 page.py FOLDER

Every number is from the folder's files; what is not there is called missing.
Needs the standard library of Python only.
"""
import csv
import json
import os
import sys

MISSING = "missing"
EPOCH = 60000
BATCHES = (1, 10, 128, 1000, 60000)
PARTS = ("facts", "smoke", "core", "correctness", "timing", "peers", "sanitizer", "eager", "profile")
RESULTS = (("pass", "passed"), ("FAIL", "failed"), ("timeout", "out of time"), ("missing", "missing"), ("skip", "not for a GPU"), ("left", "left"))


# --- reading ------------------------------------------------------------------


class Results:
    """The files of a folder. What is missing or broken reads as None."""

    def __init__(self, folder):
        self.folder = folder

    def text(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return None

    def json(self, name):
        try:
            return json.loads(self.text(name) or "")
        except ValueError:
            return None

    def run(self, name):
        """The metrics of a run folder, a dict for each epoch; with several runs, those of the best."""
        text = self.text(os.path.join("runs", name, "metrics.jsonl")) or ""
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()] or None
        except ValueError:
            return None

    def steps(self):
        rows = []
        for line in (self.text("steps.tsv") or "").splitlines():
            name, part, result, seconds, remark, gpu = (line.split("\t") + [""] * 6)[:6]
            rows.append({"name": name, "part": part, "result": result, "seconds": float(seconds or 0), "remark": remark, "gpu": gpu})
        return rows


def get(value, *keys):
    """value[k0][k1]…, or None where something is missing."""
    for k in keys:
        try:
            value = value[k]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def divide(a, b):
    return a / b if a is not None and b else None


def least(run, key):
    """The least of a key over the epochs of a run."""
    values = [m[key] for m in run or () if m.get(key) is not None]
    return min(values) if values else None


def collect(folder):
    """Returns the report as a dict: what report.json has."""
    r = Results(folder)
    steps = r.steps()
    passed = {s["name"]: s for s in steps if s["result"] == "pass"}

    def wall(name):
        return get(passed, name, "seconds")

    def run(name):
        return r.run(name) if name in passed else None

    def file(name, step):
        return r.json(name) if step in passed else None

    bench = {"rows": []}
    for name in passed:
        b = file(name + ".json", name) if name.startswith("bench-") else None
        if (get(b, "machine") or "").startswith("cuda"):  # or whatever it measured, it was not this
            bench = dict(b, rows=bench["rows"] + (b["rows"] or []))
    peers = None
    for name in ("peers-jax", "peers-graphs", "peers-eager", "peers-compile"):
        p = r.json(name + ".json")  # of one that ran out of time, the rows that were done
        if p:
            both = peers or {"packages": {}, "rows": [], "skipped": []}
            peers = dict(p, packages=both["packages"] | p["packages"], rows=both["rows"] + p["rows"], skipped=both["skipped"] + p["skipped"])
    steps.sort(key=lambda s: PARTS.index(s["part"]) if s["part"] in PARTS else len(PARTS))  # keeps the order within a part
    timed = {s["gpu"] for s in steps if s["gpu"] and s["part"] in ("core", "timing", "peers", "eager") and s["result"] == "pass"}
    report = {
        "meta": r.json("meta.json"),
        "left": [s["name"] for s in steps if s["result"] == "left"],
        "gpus": sorted(timed),
        "device": device(r),
        "version": (r.text("version.txt") or "").strip() or None,
        "computer": (r.text("computer.txt") or "").strip() or None,
        "devices": (r.text("devices.txt") or "").strip() or None,
        "clocks": clocks(r),
        "steps": steps,
        "weights": [w for w in (r.json("weights-1.json"), r.json("weights-128.json")) if w],
        "stop": {d: r.json(f"stop-{d}.json") for d in ("cuda", "cpu")},
        "peers": {k: get(peers, k) for k in ("data", "device", "packages", "skipped")} if peers else None,
    }
    table = []
    for b in BATCHES:
        if b == EPOCH:
            metrics = run("epoch-full")
            step = least(metrics, "train_seconds")
            ours, source = (step * 1e6 if step is not None else None), "a training run's least pass, with launch and waiting"
        else:
            metrics = run(f"epoch-{b}")
            ours, source = row_us(bench, b), "trainer bench"
        whole = row_us(bench, b)
        if b == EPOCH and whole is not None:
            ours, source = whole, "trainer bench"
        rows = sorted((p for p in get(peers, "rows") or () if p["batch"] == b), key=lambda p: p["step_us_min"])
        table.append({
            "batch": b, "step_us": ours, "device_step_us": row_us(bench, b, "device_ns_per_sample"),
            "source": source if ours is not None else None, "how": get(find(bench, f"train, batch {b}"), "how"),
            "epoch_seconds": ours * EPOCH / b / 1e6 if ours is not None else None,
            "accuracy": get(metrics, -1, "test_accuracy"), "epochs": get(metrics, -1, "epoch"),
            "peers": [dict(p, ratio=divide(p["step_us_min"], ours)) for p in rows],
        })
    report["batches"] = table
    evaluate = find(bench, "evaluate")
    device_ns = get(evaluate, "device_ns_per_sample")
    report["evaluate_seconds_60000"] = get(evaluate, "seconds_per_epoch")
    report["evaluate_device_seconds_60000"] = device_ns * EPOCH / 1e9 if device_ns else None
    report["main"] = main_run(run("main"), wall("main"))
    report["runs"] = runs(r, run, wall)
    report["targets"] = targets(report)
    return report


def device(r):
    rows = list(csv.reader((r.text("gpu.csv") or "").splitlines(), skipinitialspace=True))
    if len(rows) >= 2:
        return dict(zip(rows[0], rows[1]))
    for line in (r.text("devices.txt") or "").splitlines():
        if line.startswith("cuda 0: "):  # all that is known without nvidia-smi
            return {"name": line.removeprefix("cuda 0: ").split(",")[0]}
    return None


def clocks(r):
    rows = []
    for row in csv.reader((r.text("clocks.csv") or "").splitlines(), skipinitialspace=True):
        try:
            rows.append([float(v) for v in row[:5]])
        except ValueError:
            continue
    busy = [row for row in rows if len(row) == 5 and row[4] > 50]
    if not busy:
        return None
    column = lambda i: [row[i] for row in busy]
    return {
        "samples": len(busy), "sm_mhz": [min(column(0)), max(column(0))], "memory_mhz": [min(column(1)), max(column(1))],
        "celsius": [min(column(2)), max(column(2))], "watts": [min(column(3)), max(column(3))],
    }


def find(bench, what):
    for row in get(bench, "rows") or ():
        if row.get("what") == what:
            return row
    return None


def row_us(bench, batch, key="ns_per_sample"):
    ns = get(find(bench, f"train, batch {batch}"), key)
    return ns * batch / 1e3 if ns is not None else None


def main_run(metrics, wall):
    if not metrics or wall is None:
        return None
    return {
        "epochs": len(metrics), "wall_seconds": wall,
        "train_seconds": sum(m["train_seconds"] for m in metrics), "epoch_seconds_min": least(metrics, "train_seconds"),
        "test_accuracy": metrics[-1]["test_accuracy"], "best_test_accuracy": max(m["test_accuracy"] for m in metrics),
    }


def runs(r, run, wall):
    """The time of an epoch with one run and with many: by the metrics, and from
    start to exit. The difference of 6 and 1 epochs has the evaluations in it but
    not the start."""
    count = (r.text("runs.txt") or "").strip()
    if not count:
        return None
    found = {"count": int(count)}
    for which in ("one", "many"):
        short, long = wall(f"runs-{which}-1"), wall(f"runs-{which}-6")
        found[which] = {
            "wall_epoch_seconds": (long - short) / 5 if short is not None and long is not None else None,
            "train_epoch_seconds": least(run(f"runs-{which}-6"), "train_seconds"),
        }
    found["ratio_train"] = divide(get(found, "many", "train_epoch_seconds"), get(found, "one", "train_epoch_seconds"))
    found["ratio_wall"] = divide(get(found, "many", "wall_epoch_seconds"), get(found, "one", "wall_epoch_seconds"))
    return found


def targets(report):
    step = {t["batch"]: t["step_us"] for t in report["batches"]}
    graphs = [
        p["step_us_min"] for t in report["batches"] if t["batch"] == 128 for p in t["peers"]
        if p["variant"].startswith("CUDA graph") and "TF32" not in p["variant"]
    ]
    ratio = get(report, "runs", "ratio_train") or get(report, "runs", "ratio_wall")
    count = get(report, "runs", "count")

    def target(what, unit, value, most=None, fewest=None):
        met = None
        if value is not None:
            met = value <= most if most is not None else value >= fewest
        return {"what": what, "unit": unit, "wanted": f"≤ {most}" if most is not None else f"≥ {fewest}", "measured": value, "met": met}

    return [
        target("batch 1, a sample", "µs", step[1], most=0.45),
        target("batch 1, a sample (stretch)", "µs", step[1], most=0.31),
        target("batch 128, a step", "µs", step[128], most=2.5),
        target("batch 128, a step (stretch)", "µs", step[128], most=1.6),
        target("batch 128, PyTorch's best CUDA graph by this machine", "×", divide(min(graphs, default=None), step[128]), fewest=10),
        target("full batch of 60,000, a step", "µs", step[EPOCH], most=300),
        target("full batch of 60,000, a step (stretch)", "µs", step[EPOCH], most=80),
        target(f"{count if count else 132} runs, time of one", "×", ratio, most=1.3),
    ]


# --- writing ------------------------------------------------------------------


def number(v, digits=3):
    """v with so many significant digits."""
    if v is None:
        return MISSING
    if v == 0 or 1e-4 <= abs(v) < 1e7:
        text = f"{v:.{digits}g}"
        return f"{float(text):,.0f}" if "e" in text else text
    return f"{v:.{digits - 1}e}"


def seconds(v):
    return MISSING if v is None else number(v) + " s"


def accuracy(v):
    return MISSING if v is None else f"{v:.4f}"


def interval(v):
    return MISSING if v is None else f"{v[0]:g} to {v[1]:g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |")
    return lines + [""]


def write(report):
    """Returns the page."""
    meta, gpu = report["meta"] or {}, report["device"] or {}
    out = ["# The CUDA machine on a GPU", ""]
    if meta.get("quick"):
        out += ["**A test of the script with few images and short times (QUICK=1): no figure here is a measurement.**", ""]
    out += ["How the trainer's CUDA machine trains on a GPU: whether it does so rightly, and how fast, beside PyTorch and JAX. Written by",
            "`report.sh`; every number is from the files of one folder of results, and what could not be had is called missing.", ""]
    if report["left"]:
        out += [f"**Not complete: {len(report['left'])} of {len(report['steps'])} steps left.** Call `report.sh` again to go on. Left: {', '.join(report['left'])}.", ""]
    failed = [s["name"] for s in report["steps"] if s["result"] in ("FAIL", "timeout")]
    if failed:
        out += [f"**Failed or out of time: {', '.join(failed)}.** The table of steps, at the end, says why.", ""]
    if len(report["gpus"]) > 1:
        out += [f"**Measured on different GPUs: {', '.join(report['gpus'])}.** Times of one are beside times of another here, and ratios mean nothing.", ""]
    out += table(["", ""], [
        ["last call (UTC)", meta.get("begun") or MISSING],
        ["commit", meta.get("commit") or MISSING],
        ["GPU", gpu.get("name", MISSING)],
        ["driver", gpu.get("driver_version", MISSING)],
        ["GPU memory", gpu.get("memory.total [MiB]", MISSING)],
        ["clocks while busy, MHz", f"SM {interval(get(report, 'clocks', 'sm_mhz'))}, memory {interval(get(report, 'clocks', 'memory_mhz'))}"],
        ["images", meta.get("data") or MISSING],
        ["computer", "; ".join((report["computer"] or MISSING).splitlines())],
    ])
    if report["devices"]:
        out += ["```", report["devices"], "```", ""]

    out += ["## Targets", ""]
    out += table(["target", "wanted", "measured", "met"], [
        [t["what"], f"{t['wanted']} {t['unit']}", MISSING if t["measured"] is None else f"{number(t['measured'])} {t['unit']}",
         {None: MISSING, True: "yes", False: "**no**"}[t["met"]]]
        for t in report["targets"]
    ])

    out += ["## Parts", ""]
    rows = []
    for part in PARTS:
        of = [s["result"] for s in report["steps"] if s["part"] == part]
        if of or part != "profile":  # which is only done when asked for
            rows.append([part, len(of) or "not called"] + [of.count(key) or "" for key, _ in RESULTS])
    out += table(["part", "steps"] + [text for _, text in RESULTS], rows)

    out += ["## Correctness", "", "Weights after one epoch, by the largest difference; check.py derives the bounds.", ""]
    rows = [[w["batch"], c["what"], number(c["value"]), number(c["bound"]), "yes" if c["ok"] else "**no**"] for w in report["weights"] for c in w["checks"]]
    out += table(["batch", "", "measured", "bound", "within"], rows or [[MISSING] * 5])
    stop = report["stop"]["cuda"]
    if stop:
        out += [f"Ctrl-C to exit, saving included: {seconds(stop['seconds'])} (at most {seconds(stop['limit'])}; "
                f"on the CPU {seconds(get(report, 'stop', 'cpu', 'seconds'))}); exit code {stop['exit_code']}.", ""]
    else:
        out += [f"Ctrl-C to exit: {MISSING}.", ""]
    out += ["## Training, 784-50-10, float32", ""]
    out += ["µs a step: by the host's clock, with launches and waiting, the least of several. On the device: in that same pass, by",
            "CUDA events before the first launch and after the last; the rest is the host's. An epoch is 60,000 samples. ×: its time by",
            "this machine's, both by the host's clock. Accuracy: on the test images after one epoch (full batch: 50) from like weights",
            "at the same rate.", ""]
    for t in report["batches"]:
        full = t["batch"] == EPOCH
        out += [f"### {'Full batch, 60,000' if full else 'Batch %d' % t['batch']}", ""]
        rows = [["trainer, CUDA", number(t["step_us"]), number(t["device_step_us"]), "", number(t["epoch_seconds"]), MISSING if t["step_us"] is None else "1", accuracy(t["accuracy"])]]
        for p in t["peers"]:
            rows.append([f"{p['who']}, {p['variant']}", number(p["step_us_min"]), "", number(p["step_us_median"]), number(p["epoch_seconds_min"]),
                         number(p["ratio"]), p["accuracy_note"] or accuracy(p["accuracy"])])
        if not t["peers"]:
            rows.append(["PyTorch, JAX", MISSING, "", "", MISSING, MISSING, MISSING])
        out += table(["who", "µs a step", "on the device", "median", "s an epoch", "×", "accuracy"], rows)
        if t["source"]:
            out += [f"The trainer's time is from {t['source']}" + (f": {t['how']}." if t["how"] and t["source"] == "trainer bench" else "."), ""]
    packages = get(report, "peers", "packages") or {}
    out += ["Peers: " + ("; ".join(f"{k} {v['version']} on {v['device']}" for k, v in packages.items()) or MISSING)
            + f". Their images: {get(report, 'peers', 'data') or MISSING}.", ""]
    skipped = get(report, "peers", "skipped") or []
    if skipped:
        out += ["Not run:", ""] + [f"- {s['who']}, {s['variant']}, batch {s['batch'] or 'any'}: {s['why']}" for s in skipped] + [""]

    out += ["## The main job: configs/mnist.yaml", ""]
    m = report["main"] or {}
    out += table(["epochs", "s, start to exit", "s of training", "s, least epoch", "test accuracy", "best"], [[
        m.get("epochs", MISSING), number(m.get("wall_seconds")), number(m.get("train_seconds")), number(m.get("epoch_seconds_min")),
        accuracy(m.get("test_accuracy")), accuracy(m.get("best_test_accuracy")),
    ]])
    out += [f"Evaluation of 60,000 images on the GPU: {seconds(report['evaluate_seconds_60000'])}, of which on the device "
            f"{seconds(report['evaluate_device_seconds_60000'])}.", ""]

    out += ["## Independent runs", ""]
    found = report["runs"]
    if not found:
        out += [MISSING, ""]
    else:
        out += table(["runs", "s of training an epoch", "s an epoch with evaluation"], [
            [n, number(found[w]["train_epoch_seconds"]), number(found[w]["wall_epoch_seconds"])] for w, n in (("one", 1), ("many", found["count"]))
        ] + [["ratio", number(found["ratio_train"]), number(found["ratio_wall"])]])

    out += ["## Steps", ""]
    out += table(["step", "part", "result", "s", ""], [[s["name"], s["part"], s["result"], f"{s['seconds']:.1f}", s["remark"]] for s in report["steps"]]
                 or [[MISSING] * 5])
    return "\n".join(line.rstrip() for line in out).rstrip() + "\n"


def main():
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: python3 page.py FOLDER")
    report = collect(sys.argv[1])
    for name, text in (("report.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n"), ("report.md", write(report))):
        with open(os.path.join(sys.argv[1], name), "w", encoding="utf-8") as f:
            f.write(text)


main()
