"""One job per run directory: who is refused, who takes over, and that only one does."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rote
from rote.core import InputError
from rote.record import Claim, claim

HOLDER = """
import sys, time
from pathlib import Path
from rote.record import Claim
Claim.take(Path(sys.argv[1]))
print("mine", flush=True)
time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def leave(folder: Path, age: float = 0.0, **about: Any) -> Path:
    """A claim that another job left, touched so many seconds ago."""
    folder.mkdir(exist_ok=True)
    file = folder / ".claim-4"
    mine = json.loads(claim._about_me())
    file.write_text(json.dumps({**mine, **about}) if about else "")
    os.utime(file, (time.time() - age, time.time() - age))
    return file


ANOTHER_HOST = {"where": ["elsewhere"], "host": "elsewhere"}


def test_a_directory_in_use_is_refused_until_it_is_released(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    with Claim.take(folder):
        for _ in range(2):
            with pytest.raises(
                InputError, match=rf"in use by process {os.getpid()} on host \S+ since 20\d\d-"
            ):
                Claim.take(folder)
        (folder / "config.json").write_text("{}")
    assert names(folder) == ["config.json"]
    Claim.take(folder).release()


def test_an_empty_directory_is_removed_with_the_claim(tmp_path: Path) -> None:
    Claim.take(tmp_path / "run").release()
    assert not (tmp_path / "run").exists()


def test_a_killed_job_is_recognised_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(rote.__file__).parents[1])}
    job = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    )
    with job:
        assert job.stdout is not None and job.stdout.readline() == b"mine\n"
        with pytest.raises(InputError, match=f"in use by process {job.pid} on host"):
            Claim.take(tmp_path)
        job.kill()
        os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOWAIT)  # gone, but not yet reaped
        Claim.take(tmp_path).release()


def test_a_process_number_that_was_given_again_is_another_job(tmp_path: Path) -> None:
    leave(tmp_path, began="1")
    with Claim.take(tmp_path):
        assert names(tmp_path) == [".claim-5"]


@pytest.mark.parametrize("about", [ANOTHER_HOST, {}])
def test_a_job_elsewhere_is_dead_after_a_minute_without_a_sign(
    tmp_path: Path, about: dict[str, Any]
) -> None:
    leave(tmp_path, age=50, **about)
    with pytest.raises(InputError, match="in use by") as caught:
        Claim.take(tmp_path)
    assert ("on host elsewhere" in str(caught.value)) is bool(about)
    leave(tmp_path, age=70, **about)
    Claim.take(tmp_path).release()


def test_this_hosts_clock_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(tmp_path, age=50, **ANOTHER_HOST)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(InputError, match="in use by"):
        Claim.take(tmp_path)


def test_of_many_that_see_a_dead_claim_one_takes_over(tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number)
        if number % 2:
            leave(folder, began="1")
        start, won, refused = threading.Barrier(8), [], []

        def compete(folder=folder, start=start, won=won, refused=refused) -> None:
            start.wait()
            try:
                won.append(Claim.take(folder))
            except InputError as error:
                refused.append(error)

        threads = [threading.Thread(target=compete) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(refused)) == (1, 7)
        assert names(folder) == [won[0].file.name]
        won[0].release()


def test_one_that_was_too_slow_withdraws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another job took the dead claim over, and ended, and a third began: all since we looked."""
    leave(tmp_path, began="1")
    look, looks = claim._read_all, []

    def slow(folder: Path) -> dict[Path, bytes]:
        found = look(folder)
        if not looks:
            (folder / ".claim-4").unlink()
            (folder / ".claim-1").write_bytes(claim._about_me())
        looks.append(found)
        return found

    monkeypatch.setattr(claim, "_read_all", slow)
    with pytest.raises(InputError, match="in use by"):
        Claim.take(tmp_path)
    assert names(tmp_path) == [".claim-1"]


def until(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def test_a_claim_is_touched_and_its_loss_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "HEARTBEAT_SECONDS", 0.02)
    lost = threading.Event()
    mine = Claim.take(tmp_path, lost=lost.set)
    os.utime(mine.file, (0, 0))
    assert until(lambda: mine.file.stat().st_mtime > 0)
    assert not lost.is_set()
    mine.file.write_bytes(b"another's")
    assert lost.wait(5)
    mine.release()
    assert mine.file.read_bytes() == b"another's"


def test_a_directory_that_vanished_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes next says what has happened."""
    monkeypatch.setattr(claim, "HEARTBEAT_SECONDS", 0.01)
    lost = threading.Event()
    mine = Claim.take(tmp_path / "run", lost=lost.set)
    (tmp_path / "run").rename(tmp_path / "moved")
    assert not lost.wait(0.1)
    mine.release()


def test_a_released_claim_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "HEARTBEAT_SECONDS", 0.01)
    lost = threading.Event()
    Claim.take(tmp_path / "run", lost=lost.set).release()
    assert not lost.wait(0.1)
