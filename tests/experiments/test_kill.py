"""The real command, killed: what it leaves in the end is what it would have left."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rote.record import RunDir

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (
    "experiments/zhang2017/corruption_sweep.py --corruptions 0 1 --seeds 0 1 --num-train 1000 "
    "--max-epochs 40 --checkpoint-epochs 1"
)
# A shell's background jobs, and what they start, ignore Ctrl-C.
HEEDS_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts the command; compiled programs are kept between the starts."""
    cache = tmp_path_factory.mktemp("cache")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "XDG_CACHE_HOME": str(cache),
        "JAX_NUM_CPU_DEVICES": "2",
    }

    def start(out):
        return subprocess.Popen(
            [sys.executable, "-c", HEEDS_CTRL_C, *COMMAND.split(), "--out", str(out)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """The run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    output, _ = start(out).communicate(timeout=120)
    assert RunDir.open(out).complete, output
    return out


def without(row, *names):
    return {key: value for key, value in row.items() if key not in names}


def assert_same(out, other):
    """Everything that a reader could compare, timing aside."""
    a, b = RunDir.open(out), RunDir.open(other)
    assert [without(r, "seconds") for r in a.rows()] == [without(r, "seconds") for r in b.rows()]
    assert without(a.summary, "finished") == without(b.summary, "finished")
    for one, two in zip(a.runs(), b.runs(), strict=True):
        assert without(one.pop("last"), "seconds") == without(two.pop("last"), "seconds")
        assert one == two
    arrays = sorted(path.relative_to(out) for path in out.glob("runs/*/*.npz"))
    assert arrays == sorted(path.relative_to(other) for path in other.glob("runs/*/*.npz"))
    for path in arrays:
        with np.load(out / path) as one, np.load(other / path) as two:
            assert one.files == two.files
            for name in one.files:
                np.testing.assert_array_equal(one[name], two[name], err_msg=f"{path} {name}")
    for figure in out.glob("figures/*"):
        assert figure.read_bytes() == (other / "figures" / figure.name).read_bytes()


def wait_for(process, happened):
    """Until it has happened; false where the process ended before."""
    while not happened():
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def kill(process, out, in_a_save, draw):
    """Kills it once it has gone beyond what it was continued from; false if it was faster."""
    steps = out / "checkpoints" / "steps"

    def saved():
        return max((int(p.name) for p in steps.glob("*") if p.name.isdigit()), default=0)

    before = saved()
    if not wait_for(process, lambda: saved() > before):
        return False
    time.sleep(draw.uniform(0, 0.4))
    if in_a_save and not wait_for(process, lambda: any(steps.glob("*tmp*"))):
        return False
    process.kill()
    process.communicate()
    return True


def killed_again_and_again(start, out, kills, seed):
    draw = random.Random(seed)
    for number in range(kills):
        assert kill(start(out), out, in_a_save=number % 2 == 1, draw=draw), (
            f"the run ended before kill {number + 1}"
        )
        assert not RunDir(out).complete
    output, _ = start(out).communicate(timeout=120)
    assert "continuing" in output
    return output


@pytest.mark.slow
def test_a_run_killed_three_times_leaves_what_it_would_have(start, whole, tmp_path):
    killed_again_and_again(start, tmp_path / "run", 3, seed=0)
    assert_same(tmp_path / "run", whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_five_times_leaves_what_it_would_have(start, whole, tmp_path, seed):
    killed_again_and_again(start, tmp_path / "run", 5, seed=seed)
    assert_same(tmp_path / "run", whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves_within_two_seconds(start, whole, tmp_path, number, code):
    out = tmp_path / "run"
    process = start(out)
    assert wait_for(process, lambda: len(RunDir(out).rows()) > 8)
    process.send_signal(number)
    sent = time.monotonic()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert time.monotonic() - sent < 2 + 1  # and a second for a machine that has others to serve
    assert "the same command continues it" in output
    output, _ = start(out).communicate(timeout=120)
    assert "continuing" in output
    assert_same(out, whole)
