"""Signals: what was written so far stays, and the process ends soon."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import rote
from rote.cli.interrupt import answer_signals
from rote.record import RunDir

ENVIRONMENT = {
    **os.environ,
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": str(Path(rote.__file__).parents[1]),
}


SLOW = """
import hashlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent ignores it
from rote.cli import main
from rote.studies.config import TrainConfig

def run(config, out):
    out.log({"epoch": 0})
    print("ready", flush=True)
    if config.model[0] == "in_c":  # one call into C for about ten minutes, deaf to signals
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
    elif config.model[0] == "checkpoints":  # longer than the grace, and then without end
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            out.execution.checkpoints.saving.set()
            time.sleep(2)
            meta = out.checkpoints / "steps" / "1" / "meta"
            meta.mkdir(parents=True)
            (meta / "metadata").write_text('{"epoch": 7}')
            out.execution.checkpoints.saving.clear()
            hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
    elif config.model[0] == "saves":
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            time.sleep(0.3)
            out.log({"epoch": 1})
            raise
    else:  # a computation on the device goes on when Python leaves
        import jax
        ones = jax.numpy.ones((300, 300))
        compute = jax.jit(lambda n: jax.lax.fori_loop(0, n, lambda i, x: x @ x, ones))
        compute(10**7).block_until_ready()

main(run, {"only": TrainConfig()}, doc="x", experiment="x")
"""


@pytest.mark.parametrize(
    ("where", "number", "code", "word"),
    [
        ("in_c", signal.SIGINT, 130, "interrupted"),
        ("saves", signal.SIGINT, 130, "interrupted"),
        ("saves", signal.SIGTERM, 143, "terminated"),
        ("on_device", signal.SIGTERM, 143, "terminated"),
    ],
)
def test_signals_are_answered_in_two_seconds(
    where: str, number: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
    seconds, ended, shown = interrupted(where, tmp_path, 0.5, number=number)
    assert ended == code, shown
    assert seconds < 2
    assert "Traceback" not in shown
    assert f"{word}: what was written so far is in here" in shown
    rows = RunDir.open(tmp_path / "here").rows()
    assert [row["epoch"] for row in rows] == ([0, 1] if where == "saves" else [0])
    assert not RunDir.open(tmp_path / "here").complete


def interrupted(
    model: str, folder: Path, *delays: float, number: signal.Signals = signal.SIGINT
) -> tuple[float, int, str]:
    """Sends a signal after each delay; returns the seconds from the last, exit code and message."""
    (folder / "slow.py").write_text(SLOW)
    command = [sys.executable, "slow.py", "--model", model, "--out", "here"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=ENVIRONMENT,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for delay in delays:
                time.sleep(delay)
                begin = time.monotonic()
                process.send_signal(number)
            _, shown = process.communicate(timeout=20)
        finally:
            process.kill()
    return time.monotonic() - begin, process.returncode, shown


def test_a_checkpoint_under_way_is_waited_for(tmp_path: Path) -> None:
    seconds, code, shown = interrupted("checkpoints", tmp_path, 0.3)
    assert (code, 2 < seconds < 5) == (130, True)
    assert "the same command continues it from epoch 7" in shown
    assert not list((tmp_path / "here").glob(".*"))


def test_a_second_interruption_does_not_wait(tmp_path: Path) -> None:
    seconds, code, shown = interrupted("checkpoints", tmp_path, 0.3, 0.8)
    assert (code, seconds < 1) == (130, True)
    assert "nothing was saved to continue from: the same command begins anew" in shown
    assert not list((tmp_path / "here").glob(".*"))


def test_handlers_are_put_back() -> None:
    def handlers() -> list[Any]:
        return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    before = handlers()
    with answer_signals() as signals:
        assert handlers() != before or signal.SIG_IGN in before
    assert handlers() == before
    assert signal.set_wakeup_fd(-1) == -1
    assert signals.received is None
