"""The rows of ``metrics.jsonl``: reading them, and what is left of them when training goes on."""

import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from rote.core import InputError
from rote.storage import atomic, from_json, to_json

Row = dict[str, Any]


def read_rows(file: Path, *, skip_broken: bool = False) -> list[Row]:
    """The rows of a file, without a last line that was cut off in writing; none without a file.

    Args:
      file: JSON lines.
      skip_broken: leave out other lines that are not JSON, too.

    Raises:
      InputError: if there is such a line and it is not left out.
    """
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    rows = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            rows.append(from_json(json.loads(line)))
        except ValueError as error:
            if skip_broken:
                continue
            raise InputError(f"{file}, line {number}: not JSON") from error
    return rows


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replaces a file of rows, whole or not at all."""
    with atomic(file) as stream:
        stream.writelines(line_of(row) for row in rows)


def line_of(row: Mapping[str, Any]) -> bytes:
    """A row as its line."""
    return (json.dumps(to_json(row), allow_nan=False) + "\n").encode()


class Merged(NamedTuple):
    """The rows with which training goes on.

    Attributes:
      rows: those that the file holds then.
      held: those that an uninterrupted training would have written later, between rows of runs that
        are still under way; by epoch, then run.
    """

    rows: list[Row]
    held: list[Row]


def merge_rows(
    rows: Sequence[Row], restored: Mapping[int, Sequence[Row]], under_way: Set[int], first_run: int
) -> Merged:
    """The rows of a file, made to agree with what a training goes on from.

    Rows of runs before ``first_run`` stay. Of the others exactly the restored ones remain, each
    once, in the order of the file; those that it lacks are added. A restored row keeps what else
    the file says in it, or in another row of its run, such as the label.

    Args:
      rows: what the file holds.
      restored: the history of every run that ended or is under way, by number.
      under_way: which of them go on.
      first_run: the first run of this training.

    >>> rows = [{"run": run, "epoch": epoch} for epoch in (0, 1, 2) for run in (0, 1)]
    >>> history = [{"epoch": epoch} for epoch in range(3)]
    >>> merged = merge_rows(rows, {0: history, 1: history[:2]}, {1}, 0)
    >>> [(row["run"], row["epoch"]) for row in merged.rows]
    [(0, 0), (1, 0), (0, 1), (1, 1)]
    >>> merged.held
    [{'run': 0, 'epoch': 2}]
    """
    wanted = {(run, row["epoch"]): row for run, history in restored.items() for row in history}
    mine = [row for row in rows if row.get("run", -1) >= first_run]
    others = [row for row in rows if row.get("run", -1) < first_run]
    in_file: dict[tuple[int, int], Row] = {}
    about: dict[int, Row] = {}
    for row in mine:
        run, key = row["run"], _key(row)
        if key in wanted:
            in_file.setdefault(key, {**row, **wanted[key]})
            about.setdefault(run, {k: v for k, v in row.items() if k not in wanted[key]})
    missing = sorted(wanted.keys() - in_file.keys(), key=_by_epoch)
    added = [{"run": run, **about.get(run, {}), **wanted[run, epoch]} for run, epoch in missing]
    now = [*in_file.values(), *added]
    last = max((i for i, row in enumerate(now) if row["run"] in under_way), default=len(now) - 1)
    held = sorted(now[last + 1 :], key=lambda row: _by_epoch(_key(row)))
    return Merged([*others, *now[: last + 1]], held)


def before(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether an uninterrupted training of both runs together writes ``row`` first."""
    return _by_epoch(_key(row)) < _by_epoch(_key(other))


def _key(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["run"], row["epoch"]


def _by_epoch(key: tuple[int, int]) -> tuple[int, int]:
    run, epoch = key
    return epoch, run
