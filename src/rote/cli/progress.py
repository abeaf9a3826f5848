"""What a person sees of a training while it goes on, and what goes into the run directory."""

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from rote.record import RunDir
from rote.train.events import Advanced, Event, Finished, Started
from rote.train.result import Row

LINE_SECONDS = 10.0


class Progress:
    """An ``on_event`` for ``fit`` and ``fit_runs``: shows how training goes, and records it.

    On a terminal it shows a bar over all epochs of all runs with the current numbers; elsewhere it
    prints a line per finished run and, in between, an epoch's line every ten seconds. One instance
    may serve several calls in turn: the runs are numbered on.

    Args:
      out: where to append each epoch's row and save each run; by default nowhere.
      columns: by run label, the columns that its rows and its ``run.json`` get beside the label,
        such as ``{"random_labels seed 0": {"condition": "random_labels", "seed": 0}}``.
      quiet: show nothing.
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
        self._quiet = quiet
        self._bar: Any = None
        self._first_run, self._num_runs = 0, 0
        self._rows_logged = 0
        self._max_epochs, self._epochs_done = 0, 0.0
        self._line_time = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        if isinstance(event, Started):
            self._started(event)
        elif isinstance(event, Advanced):
            self._advanced(event)
        else:
            self._finished(event)

    def _started(self, event: Started) -> None:
        self._first_run += self._num_runs
        self._num_runs, self._max_epochs = event.num_runs, event.max_epochs
        self._say(describe_cost(event))
        if not self._quiet and self._stream.isatty():
            self._open_bar(event)

    def _advanced(self, event: Advanced) -> None:
        if event.row is not None:
            self._log(event.run, event.label, event.row)
            if not self._bar and time.monotonic() - self._line_time >= LINE_SECONDS:
                self._say(f"{event.label}: {_numbers(event.row)}")
        if self._bar:
            epochs = event.step / event.steps_per_epoch
            self._bar.update(epochs - self._epochs_done)
            self._epochs_done = epochs
            now = f"epoch {event.epoch}, loss {event.loss:.3g}"
            self._bar.set_postfix_str(
                f"{event.label}: {_numbers(event.row) if event.row else now}", refresh=False
            )

    def _finished(self, event: Finished) -> None:
        result = event.result
        for row in result.history[self._rows_logged :]:
            self._log(event.run, event.label, row)
        if self._out:
            index = self._first_run + event.run
            self._out.save_run(index, result, **self._columns.get(event.label, {}))
        last = f": {_numbers(result.history[-1])}" if result.history else ""
        ended = result.error or result.status.replace("_", " ")
        self._say(f"[{event.run + 1}/{self._num_runs}] {event.label}: {ended}{last}")
        self._rows_logged = 0
        if self._bar:
            self._bar.total -= self._max_epochs - self._epochs_done
            self._epochs_done = 0.0
            self._bar.refresh()
            if event.run + 1 == self._num_runs or result.status == "interrupted":
                self._bar.close()
                self._bar = None

    def _open_bar(self, event: Started) -> None:
        import tqdm

        self._bar = tqdm.tqdm(
            total=float(event.num_runs * event.max_epochs),
            file=self._stream,
            dynamic_ncols=True,
            leave=False,
            bar_format="{l_bar}{bar:20}| {n:.0f}/{total:.0f} epochs {elapsed}<{remaining}{postfix}",
        )

    def _log(self, run: int, label: str, row: Row) -> None:
        self._rows_logged += 1
        if self._out:
            columns = self._columns.get(label, {})
            self._out.log({"run": self._first_run + run, "label": label, **columns, **row})

    def _say(self, line: str) -> None:
        if self._quiet:
            return
        if self._bar:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)
        self._line_time = time.monotonic()


def describe_cost(event: Started) -> str:
    """The predicted cost in one line.

    >>> print(describe_cost(Started(15, 200, 78, 4.0, 0.003, 0.01)))
    at most 12 min on this machine: 15 runs x 200 epochs x 78 steps (3 ms a step, 10 ms an
    evaluation, compiled in 4 s)
    """
    runs = f"{event.num_runs} run{'s' * (event.num_runs != 1)}"
    return (
        f"at most {_duration(event.max_seconds)} on this machine: {runs} x {event.max_epochs} "
        f"epochs x {event.steps_per_epoch} steps ({_duration(event.seconds_per_step)} a step, "
        f"{_duration(event.seconds_per_evaluation)} an evaluation, "
        f"compiled in {_duration(event.compile_seconds)})"
    )


def _duration(seconds: float) -> str:
    sizes = {"days": 86400, "h": 3600, "min": 60, "s": 1, "ms": 1e-3}
    unit = next((unit for unit, size in sizes.items() if seconds >= size), "ms")
    amount = seconds / sizes[unit]
    return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.2g} {unit}"


def _numbers(row: Row) -> str:
    return (
        f"epoch {row['epoch']}, loss {row['train_loss']:.3g}, "
        f"train {100 * row['train_accuracy']:.1f} %, test {100 * row['test_accuracy']:.1f} %"
    )
