"""What is left of the rows when training goes on from a checkpoint."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rote.core import InputError
from rote.record.metrics import Row, before, merge_rows, read_rows, write_rows


def rows_of(pairs: Iterable[tuple[int, int]]) -> list[Row]:
    """As the file has them, of a run's epoch each."""
    return [
        {"run": run, "label": f"seed {run}", "epoch": epoch, "seconds": 9.0} for run, epoch in pairs
    ]


def history(epochs: int) -> list[Row]:
    """As a checkpoint has them, from epoch 0 on."""
    return [{"epoch": epoch, "seconds": 1.0} for epoch in range(epochs + 1)]


def pairs(rows: Iterable[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(row["run"], row["epoch"]) for row in rows]


def together(runs: Iterable[int], epochs: int) -> list[tuple[int, int]]:
    return [(run, epoch) for epoch in range(epochs + 1) for run in runs]


def test_rows_after_the_checkpoint_are_cut() -> None:
    merged = merge_rows(
        rows_of(together((0, 1), 5)), {0: history(3), 1: history(3)}, {0, 1}, first_run=0
    )
    assert pairs(merged.rows) == together((0, 1), 3)
    assert merged.held == []
    assert all(row["seconds"] == 1.0 for row in merged.rows), "the checkpoint's numbers"
    assert list(merged.rows[0]) == ["run", "label", "epoch", "seconds"]


def test_missing_rows_are_added_and_none_is_doubled() -> None:
    written = [*together((0, 1), 1), *together((0, 1), 1)]
    merged = merge_rows(rows_of(written), {0: history(3), 1: history(3)}, {0, 1}, first_run=0)
    assert pairs(merged.rows) == together((0, 1), 3)
    assert [row["label"] for row in merged.rows] == ["seed 0", "seed 1"] * 4


def test_rows_of_ended_runs_wait_for_their_turn() -> None:
    """Run 0 ended after the checkpoint, from which run 1 goes on."""
    uninterrupted = [*together((0, 1), 4), (1, 5), (1, 6)]
    merged = merge_rows(
        rows_of(uninterrupted[:-1]), {0: history(4), 1: history(2)}, {1}, first_run=0
    )
    assert pairs(merged.rows) == together((0, 1), 2)
    assert pairs(merged.held) == [(0, 3), (0, 4)]
    written, held = pairs(merged.rows), list(merged.held)
    for row in rows_of([(1, epoch) for epoch in range(3, 7)]):
        while held and before(held[0], row):
            written += pairs([held.pop(0)])
        written += pairs([row])
    assert written == uninterrupted


def test_an_earlier_cohort_is_left_in_place() -> None:
    """Runs 0 and 1 were trained before 2 and 3, of which 3 has ended."""
    written = [*together((0, 1), 9), *together((2, 3), 3)]
    restored = {0: history(9), 1: history(9), 2: history(2), 3: history(3)}
    merged = merge_rows(rows_of(written), restored, {2}, first_run=0)
    assert pairs(merged.rows) == [*together((0, 1), 9), *together((2, 3), 1), (2, 2)]
    assert pairs(merged.held) == [(3, 2), (3, 3)]


def test_only_this_trainings_runs_are_touched() -> None:
    written = [{"note": "mine"}, *rows_of(together((0,), 3)), *rows_of(together((1, 2), 2))]
    merged = merge_rows(written, {1: history(1)}, {1}, first_run=1)
    assert merged.rows[0] == {"note": "mine"}
    assert pairs(merged.rows[1:]) == [*together((0,), 3), (1, 0), (1, 1)]
    assert pairs(merge_rows(written, {}, set(), first_run=0).rows[1:]) == []


def test_rows_are_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b'{"run": 0}\n\x00\x00\n{"run": 1}\n{"ru')
    with pytest.raises(InputError, match="line 2"):
        read_rows(file)
    rows = read_rows(file, skip_broken=True)
    assert rows == [{"run": 0}, {"run": 1}]
    write_rows(file, [*rows, {"loss": float("inf"), "label": "ü"}])
    assert read_rows(file) == [{"run": 0}, {"run": 1}, {"loss": float("inf"), "label": "ü"}]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
