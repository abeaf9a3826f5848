"""What training shows and records, from events made by hand."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rote.cli import Progress
from rote.core import Dataset, Split
from rote.record import RunDir
from rote.train.events import Advanced, Evaluated, Finished, Resumed, Started
from rote.train.result import Checkpoint, DataRecord, Record, Result, Row, Run

STEPS = 5
MAPPING = "2 runs on 1 cpu device, one after another (map)"


def no_net() -> Checkpoint:
    raise AssertionError("to show a training, no net is needed")


def history(epochs: int, first: int = 0) -> list[Row]:
    return [
        {
            "epoch": epoch,
            "step": STEPS * epoch,
            "train_loss": 2.0 / (epoch + 1),
            "train_accuracy": min(1.0, epoch / 3),
            "test_accuracy": 0.1,
        }
        for epoch in range(first, epochs + 1)
    ]


def result(label: str, rows: list[Row], status: str = "fitted", error: str | None = None) -> Result:
    end = Checkpoint(rows[-1]["epoch"], {"dense": {"kernel": np.ones(2)}}, {"dense": {}})
    record = Record(np.zeros(1, np.int32), np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.float32))
    split = Split(np.zeros((4, 2, 2, 1), np.uint8), *[np.arange(4, dtype=np.int32)] * 2)
    data = DataRecord.of(Dataset("four", split, split, 4))
    return Result(Run(0, label=label), data, status, error, end, end, None, rows, record, STEPS)


def started(num_runs: int, max_epochs: int, mapping: str = MAPPING) -> Started:
    return Started(num_runs, max_epochs, STEPS, mapping, num_runs * max_epochs, 1.0, 0.001, 0.01)


def play(
    progress: Progress,
    labels: Sequence[str],
    epochs: Sequence[int],
    *,
    max_epochs: int = 6,
    first: int = 0,
    ended: Sequence[int] = (),
    until: int = 1000,
) -> None:
    """The events of runs that are trained together, from the evaluation of epoch ``first`` on."""
    running = {run: label for run, label in enumerate(labels) if run not in ended}
    for epoch in range(first, max(epochs) + 1):
        if epoch > until:
            return
        for taken in (3, 5) if epoch else ():
            progress(Advanced(running, epoch, max_epochs, taken, 2, STEPS, 1.0))
        rows = {run: history(epochs[run])[epoch] for run in running}
        for run, row in rows.items():
            progress(Evaluated(run, labels[run], row, no_net))
        for run in rows:
            if epochs[run] == epoch:
                label = running.pop(run)
                progress(Finished(run, label, result(label, history(epoch))))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def create(folder: Path) -> RunDir:
    return RunDir.create(folder, {}, devices=[])


# The run directory --------------------------------------------------------------------------------


def test_rows_and_runs_are_recorded_and_numbered_on(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    columns = {"a": {"condition": "true"}, "c": {"condition": "random_labels"}}
    progress = Progress(out, columns=columns, quiet=True)
    progress(started(2, 6))
    play(progress, ["a", "b"], [2, 1])
    progress(started(1, 6, "1 run on 1 cpu device"))
    play(progress, ["c"], [1])
    rows = [(row["run"], row["label"], row.get("condition"), row["epoch"]) for row in out.rows()]
    assert rows == [
        (0, "a", "true", 0),
        (1, "b", None, 0),
        (0, "a", "true", 1),
        (1, "b", None, 1),
        (0, "a", "true", 2),
        (2, "c", "random_labels", 0),
        (2, "c", "random_labels", 1),
    ]
    assert [(run["run"], run.get("condition")) for run in out.runs()] == [
        (0, "true"),
        (1, None),
        (2, "random_labels"),
    ]
    assert out.env["mapping"] == f"{MAPPING}; 1 run on 1 cpu device"


def test_a_row_that_no_event_brought_is_recorded_too(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    progress = Progress(out, quiet=True)
    rows = history(2)
    rows[2]["train_loss"] = math.inf
    progress(started(1, 5))
    for row in rows[:2]:
        progress(Evaluated(0, "a", row, no_net))
    progress(Finished(0, "a", result("a", rows, "diverged", "not finite")))
    assert [row["train_loss"] for row in out.rows()] == [2.0, 1.0, math.inf]


@pytest.mark.parametrize(
    ("saved", "killed_after"),
    [(saved, killed) for killed in range(1, 6) for saved in range(1, min(killed, 3) + 1)],
)
def test_a_continued_training_leaves_the_rows_of_an_uninterrupted_one(
    tmp_path: Path, saved: int, killed_after: int
) -> None:
    """Killed at every epoch, with the checkpoint of an earlier one."""
    labels, epochs = ["a", "b", "c"], [5, 2, 6]
    columns: dict[str, dict[str, Any]] = {label: {"factor": label * 2} for label in labels}
    whole = create(tmp_path / "whole")
    progress = Progress(whole, columns=columns, quiet=True)
    progress(started(3, 6))
    play(progress, labels, epochs)

    out = create(tmp_path / "killed")
    progress = Progress(out, columns=columns, quiet=True)
    progress(started(3, 6))
    play(progress, labels, epochs, until=killed_after)
    with (out.folder / "metrics.jsonl").open("a") as file:
        file.write('{"run": 2, "la')

    ended = [run for run, last in enumerate(epochs) if last <= killed_after]
    for run in ended[1:]:  # killed before its folder was written
        (out.folder / "runs" / f"{run:03d}-{labels[run]}" / "run.json").unlink()
    finished = {run: result(labels[run], history(epochs[run])) for run in ended}
    histories = {run: history(saved) for run in range(3) if run not in ended}
    progress = Progress(out, columns=columns, quiet=True)
    progress(Resumed(finished, histories, ()))
    progress(started(3, 6))
    play(progress, labels, epochs, first=saved + 1, ended=ended)

    assert out.rows() == whole.rows()
    assert out.runs() == whole.runs()


def test_a_training_that_begins_anew_leaves_no_old_rows(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    for _ in range(2):
        progress = Progress(out, quiet=True)
        progress(started(2, 6))
        play(progress, ["a", "b"], [3, 6], until=4)
    assert len(out.rows()) == 4 + 5


def test_with_everything_finished_nothing_is_trained(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    log = io.StringIO()
    progress = Progress(out, stream=log)
    progress(Resumed({0: result("a", history(2))}, {}, ()))
    progress(Started(1, 6, STEPS, "1 run on 1 cpu device", 0, 0.0, 0.0, 0.0))
    assert len(out.rows()) == 3 and len(out.runs()) == 1
    assert log.getvalue().splitlines() == [
        "continuing: 1 of 1 runs finished",
        "1 run on 1 cpu device; nothing is left to train",
    ]


def test_a_process_that_does_not_write_is_silent(tmp_path: Path) -> None:
    log = Terminal()
    progress = Progress(RunDir(tmp_path / "run", writes=False), stream=log)
    progress(started(1, 6))
    play(progress, ["a"], [2])
    assert log.getvalue() == "" and not (tmp_path / "run").exists()


# What is shown ------------------------------------------------------------------------------------


def test_a_log_gets_a_line_per_run_and_no_carriage_return() -> None:
    log = io.StringIO()
    progress = Progress(stream=log)
    progress(started(2, 6))
    play(progress, ["a", "b"], [3, 2])
    cost, first, second = log.getvalue().splitlines()
    assert "\r" not in log.getvalue()
    assert cost == (
        f"{MAPPING}; at most 180 ms for 12 epochs of 5 steps "
        "(1 ms a step, 10 ms an evaluation, compiled in 1 s)"
    )
    assert first == "[1/2] b: fitted: epoch 2, loss 0.667, train 66.7 %, test 10.0 %"
    assert second.startswith("[2/2] a: fitted: epoch 3")


def test_a_log_of_a_long_run_gets_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr("rote.cli.progress.time.monotonic", lambda: next(clock))
    log = io.StringIO()
    progress = Progress(stream=log)
    progress(started(2, 9))
    play(progress, ["a", "b"], [9, 4])
    lines = log.getvalue().splitlines()
    both = [line for line in lines if line.startswith("2 runs: epoch")]
    alone = [line for line in lines if line.startswith("a: epoch")]
    assert len(both) >= 2 and len(alone) >= 2
    assert len(both) + len(alone) <= 7


def test_a_terminal_gets_a_bar_and_the_lines_stay() -> None:
    terminal = Terminal()
    progress = Progress(stream=terminal)
    progress(started(2, 6))
    play(progress, ["a", "b"], [3, 2])
    shown = terminal.getvalue()
    assert "0/12 epochs" in shown
    assert "/8 epochs" in shown, "a run that ended after two of six epochs shortens the bar"
    assert shown.count("fitted") == 2
    assert "\r" in shown


def test_a_continued_bar_starts_where_it_was() -> None:
    terminal = Terminal()
    progress = Progress(stream=terminal)
    notes = ("max_epochs was 3, is 6", "checkpoint 4 is damaged")
    progress(Resumed({0: result("a", history(2))}, {1: history(3), 2: history(3)}, notes))
    progress(started(3, 6))
    play(progress, ["a", "b", "c"], [2, 4, 4], first=4, ended=[0])
    lines = terminal.getvalue().splitlines()
    assert tuple(lines[:2]) == notes
    assert lines[2] == "continuing: 1 of 3 runs finished, 2 under way from epoch 4"
    assert "8/14 epochs" in terminal.getvalue(), "2 + 3 + 3 of 2 + 6 + 6"
    assert "[2/3] b: fitted" in terminal.getvalue()


def test_quiet_shows_nothing() -> None:
    terminal = Terminal()
    progress = Progress(stream=terminal, quiet=True)
    progress(started(1, 6))
    play(progress, ["a"], [2])
    assert terminal.getvalue() == ""
