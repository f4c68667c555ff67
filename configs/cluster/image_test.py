"""Tests Containerfile and the Kubernetes manifests, without a container engine.

    python image_test.py        needs PyYAML, kubernetes-validate and hadolint

The container file passes hadolint, and the manifests the schema of the API. Then the
build of the container file runs in a folder that has what its COPY lines name. Each pod
of the manifests runs in a root folder that has what the image and the volumes have: with
its arguments, its variables and its user, all pods of a Job at once. Only root can do
that; for others it is SKIPPED.
"""

import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MANIFESTS = [HERE / "kubernetes.yaml", HERE / "kubernetes-merge.yaml"]
TOOLS = pathlib.Path(sys.executable).parent

SWEEP = """
name: cluster
data:
  train: [/sweeps/set.csv]
  csv: {label: first}
model:
  layers: [16, 8, 2]
train:
  epochs: 5
sweep:
  over:
    train.rate.initial: [0.01, 0.1, 1]
  seeds: 3
"""


def run(*command, **options):
    """Runs a command and returns what it prints; the program ends if it fails."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode:
        sys.exit(f"image_test: {' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def validate(dir):
    """Checks the files by their schemas, and that a fault in a manifest is found."""
    run(TOOLS / "hadolint", HERE / "Containerfile")
    validator = [TOOLS / "kubernetes-validate", "--strict"]
    print(run(*validator, *MANIFESTS).rstrip())
    for right, wrong in [("completions: 6", "completion: 6"), ('"6"', "6"), ("restartPolicy: Never", "restartPolicy: [Never]")]:
        text = MANIFESTS[0].read_text()
        assert right in text, right
        bad = dir / "bad.yaml"
        bad.write_text(text.replace(right, wrong))
        if subprocess.run([*validator, bad], capture_output=True, check=False).returncode == 0:
            sys.exit(f"image_test: kubernetes-validate does not find {wrong!r}")


def build(dir):
    """Does what the first stage of the container file does, and returns the program."""
    instructions = re.sub(r"\\\n", "", (HERE / "Containerfile").read_text())
    stage = instructions.split("\nFROM ")[1]
    source = dir / "src"
    source.mkdir()
    for words in re.findall(r"^COPY (.*)$", stage, re.M):
        *names, to = words.split()
        for name in names:
            here, there = ROOT / name, source / (name if to == "./" else to)
            if here.is_dir():
                shutil.copytree(here, there)
            else:
                shutil.copy(here, there)
    program = dir / "trainer"
    for command in re.findall(r"^RUN (.*)$", stage, re.M):
        run("sh", "-c", command.replace("-o /trainer", f"-o '{program}'"), cwd=source)
    return program


def pods(manifest):
    """Returns the Job of a manifest, and the container of each of its pods with its variables."""
    job = next(d for d in yaml.safe_load_all(manifest.read_text()) if d["kind"] == "Job")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    variables = {v["name"]: v["value"] for v in container.get("env", [])}
    if job.get("completionMode") != "Indexed":
        return job, [(container, variables)]
    assert variables["TRAINER_SHARDS"] == str(job["completions"]), "TRAINER_SHARDS is not the number of completions"
    return job, [(container, variables | {"JOB_COMPLETION_INDEX": str(i)}) for i in range(job["completions"])]


def play(manifest, root):
    """Runs the pods of a manifest at once, and returns what each prints."""
    job, all_pods = pods(manifest)
    user = job["template"]["spec"]["securityContext"]
    processes = []
    for container, variables in all_pods:
        processes.append(subprocess.Popen(
            [shutil.which("chroot"), f"--userspec=+{user['runAsUser']}:+{user['runAsGroup']}", "--groups=", root, "/trainer", *container["args"]],
            env=variables, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    outputs = [p.communicate(timeout=100)[0] for p in processes]
    for p, output in zip(processes, outputs):
        if p.returncode:
            sys.exit(f"image_test: a pod of {manifest.name}: exit code {p.returncode}\n{output}")
    return outputs


def main():
    with tempfile.TemporaryDirectory() as name:
        dir = pathlib.Path(name)
        validate(dir)
        program = build(dir)
        if os.getuid() != 0:
            print("image_test: the pods: SKIPPED: only root can run them")
            return
        os.chmod(dir, 0o755)
        root = dir / "root"
        (root / "config").mkdir(parents=True)
        (root / "sweeps").mkdir()
        shutil.move(program, root / "trainer")
        (root / "config/sweep.yaml").write_text(SWEEP)
        draw = random.Random(1)
        with open(root / "sweeps/set.csv", "w", encoding="ascii") as f:
            for i in range(400):
                print(i % 2, *(draw.randrange(200) + 50 * (i % 2) for _ in range(16)), sep=",", file=f)
        os.chown(root / "sweeps", 65532, 65532)
        for output in play(MANIFESTS[0], root):
            assert "JOB_COMPLETION_INDEX" in output, output
        print(*play(MANIFESTS[1], root), end="")
        table = (root / "sweeps/first/table.csv").read_text().splitlines()
        if len(table) != 1 + 9:
            sys.exit(f"image_test: the table has {len(table) - 1} runs, want 9")
        print(f"image_test: passed: {(root / 'trainer').stat().st_size / 1e6:.0f} MB, and it needs nothing else")


if __name__ == "__main__":
    main()
