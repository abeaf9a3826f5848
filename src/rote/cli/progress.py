"""What a person sees of a training while it goes on, and what goes into the run directory."""

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from rote.cli.wording import describe_cost, describe_resumed, describe_rows, numbers
from rote.record import RunDir
from rote.record.metrics import before
from rote.train.events import Advanced, Evaluated, Event, Finished, Resumed, Started
from rote.train.result import Row

LINE_SECONDS = 10.0


class Progress:
    """An ``on_event`` for ``fit`` and ``fit_runs``: shows how training goes, and records it.

    On a terminal it shows a bar over all epochs of all runs with the current numbers; elsewhere it
    prints a line per finished run and, in between, where the others are every ten seconds. One
    instance may serve several calls in turn: the runs are numbered on. Where a call continues from
    a checkpoint, the run directory is made to agree with it.

    Args:
      out: where to append each epoch's row and save each run; by default nowhere.
      columns: by run label, the columns that its rows and its ``run.json`` get beside the label,
        such as ``{"random_labels seed 0": {"condition": "random_labels", "seed": 0}}``.
      quiet: show nothing; of several processes only the one that writes ``out`` shows anything.
      stream: where to show it; by default ``sys.stderr``.
    """

    def __init__(
        self,
        out: RunDir | None = None,
        *,
        columns: Mapping[str, Mapping[str, Any]] | None = None,
        quiet: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        self._out = out
        self._columns = columns or {}
        self._stream = stream or sys.stderr
        self._quiet = quiet or (out is not None and not out.writes)
        self._first_run, self._num_runs = 0, 0
        self._mappings: list[str] = []
        self._line_time = time.monotonic()
        self._bar: Any = None
        self._begin(None)

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        match event:
            case Resumed():
                self._begin(event)
            case Started():
                self._started(event)
            case Advanced():
                self._advanced(event)
            case Evaluated():
                self._log(event.run, event.label, event.row)
                self._rows[event.run] = event.row
            case Finished():
                self._finished(event)

    def _begin(self, resumed: Resumed | None) -> None:
        """A call's own state, as it is before the first event or after ``Resumed``."""
        self._resumed = resumed
        histories = resumed.histories if resumed else {}
        self._rows: dict[int, Row] = {run: rows[-1] for run, rows in histories.items() if rows}
        self._epochs: dict[int, float] = {run: row["epoch"] for run, row in self._rows.items()}
        self._logged = {run: len(rows) for run, rows in histories.items()}
        self._held: list[Row] = []
        ended = resumed.finished if resumed else {}
        self._ended = {run: result.final.epoch for run, result in ended.items()}

    def _started(self, event: Started) -> None:
        if not self._resumed:
            self._begin(None)
        self._first_run += self._num_runs
        self._num_runs, self._max_epochs = event.num_runs, event.max_epochs
        self._restore()
        if self._resumed:
            for note in self._resumed.notes:
                self._say(note)
            self._say(describe_resumed(self._resumed, event.num_runs))
            self._resumed = None
        self._say(describe_cost(event))
        if self._out:
            self._mappings = list(dict.fromkeys([*self._mappings, event.mapping]))
            self._out.note_env(mapping="; ".join(self._mappings))
        if len(self._ended) == self._num_runs:
            self._end()
        elif not self._quiet and self._stream.isatty():
            self._open_bar()

    def _restore(self) -> None:
        """Makes the run directory agree with what the call begins or goes on from."""
        if not self._out:
            return
        first, finished = self._first_run, self._resumed.finished if self._resumed else {}
        ended = {
            first + run: [self._full(run, result.label, row) for row in result.history]
            for run, result in finished.items()
        }
        histories = self._resumed.histories if self._resumed else {}
        under_way = {first + run: list(rows) for run, rows in histories.items()}
        self._held, saved = self._out.restore(first, ended, under_way)
        for run, result in finished.items():
            if first + run not in saved:
                columns = self._columns.get(result.label, {})
                self._out.save_run(first + run, result, **columns)

    def _advanced(self, event: Advanced) -> None:
        done = event.epoch - 1 + event.taken / event.steps_per_epoch
        self._epochs |= dict.fromkeys(event.runs, done)
        rows = {label: self._rows[run] for run, label in event.runs.items() if run in self._rows}
        if self._bar:
            self._move_bar()
            loss = f"epoch {event.epoch}, loss {event.loss:.3g}"
            self._bar.set_postfix_str(describe_rows(rows, loss), refresh=False)
        elif rows and time.monotonic() - self._line_time >= LINE_SECONDS:
            self._say(describe_rows(rows))

    def _finished(self, event: Finished) -> None:
        result = event.result
        for row in result.history[self._logged.get(event.run, 0) :]:
            self._log(event.run, event.label, row)
        self._epochs.pop(event.run, None)
        self._ended[event.run] = result.final.epoch
        if self._out:
            columns = self._columns.get(event.label, {})
            self._out.save_run(self._first_run + event.run, result, **columns)
        last = f": {numbers(result.history[-1])}" if result.history else ""
        ended = result.error or result.status.replace("_", " ")
        self._say(f"[{len(self._ended)}/{self._num_runs}] {event.label}: {ended}{last}")
        if self._bar:
            self._move_bar()
        if len(self._ended) == self._num_runs:
            self._end()

    def _end(self) -> None:
        """After a call's last event."""
        for row in self._held:
            self._write(row)
        if self._bar:
            self._bar.close()
            self._bar = None

    def _open_bar(self) -> None:
        import tqdm

        self._bar = tqdm.tqdm(
            total=self._total(),
            initial=sum(self._epochs.values()) + sum(self._ended.values()),
            file=self._stream,
            dynamic_ncols=True,
            leave=False,
            bar_format="{l_bar}{bar:20}| {n:.0f}/{total:.0f} epochs {elapsed}<{remaining}{postfix}",
        )

    def _move_bar(self) -> None:
        self._bar.total = self._total()
        self._bar.update(sum(self._epochs.values()) + sum(self._ended.values()) - self._bar.n)

    def _total(self) -> float:
        """Epochs of all runs, without those that ended runs did not need."""
        most = (self._num_runs - len(self._ended)) * self._max_epochs
        return float(most + sum(self._ended.values()))

    def _log(self, run: int, label: str, row: Row) -> None:
        self._logged[run] = self._logged.get(run, 0) + 1
        full = self._full(run, label, row)
        while self._held and before(self._held[0], full):
            self._write(self._held.pop(0))
        self._write(full)

    def _write(self, row: Row) -> None:
        if self._out:
            self._out.log(row)

    def _full(self, run: int, label: str, row: Row) -> Row:
        columns = self._columns.get(label, {})
        return {"run": self._first_run + run, "label": label, **columns, **row}

    def _say(self, line: str) -> None:
        if self._quiet:
            return
        if self._bar:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)
        self._line_time = time.monotonic()
