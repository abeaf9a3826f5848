"""From a configuration to a complete run directory, from wherever it was left."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import jax

from rote import backend
from rote.cli.config import Config
from rote.cli.interrupt import Signals
from rote.cli.launch import Job, Launch
from rote.cli.wording import duration
from rote.core import InputError
from rote.record import Claim, RunDir


def execute(
    run: Callable[[Config, Job], None],
    config: Config,
    folder: Path,
    launch: Launch,
    signals: Signals,
) -> int:
    """Runs, continues, or finds the run again; shows its results and returns the exit code.

    Of several processes the first decides, writes and speaks.

    Args:
      run: see ``main``.
      config: resolved.
      folder: the run directory.
      launch: the command's flags.
      signals: is told what to say, and what to wait for, if a signal comes.

    Raises:
      InputError: if the folder cannot be used.
    """
    _silence_libraries()
    launch.configure_backend()
    first = not launch.distributed or jax.process_index() == 0
    with contextlib.ExitStack() as stack:
        try:
            found = backend.first_says(lambda: _begin(config, folder, launch, signals, stack))
        except InputError:
            if first:
                raise
            return 2
        if found != "complete":
            checkpoints = launch.checkpoints(RunDir(folder).checkpoints)
            out = Job(folder, first, launch.execution(checkpoints))
            signals.saving = checkpoints.saving
            signals.out = out if first else None
            try:
                run(config, out)
            except InputError:
                out.discard_if_unused()
                raise
        ours = RunDir(folder, writes=found != "complete")
        return int(backend.first_says(lambda: str(_end(ours))))


def _silence_libraries() -> None:
    """What Orbax logs of a failure is told in one line, by the error that it raises."""
    from absl import logging

    logging.set_verbosity(logging.FATAL)


def _begin(
    config: object, folder: Path, launch: Launch, signals: Signals, stack: contextlib.ExitStack
) -> str:
    """Claims and makes the run directory; ``"complete"`` where there is nothing to do.

    The claim is given back when ``stack`` is closed, or before a signal ends the process.
    """
    if launch.resume and not (folder / "config.json").is_file():
        raise InputError(f"there is no run to resume in {folder}; name its folder with --out")
    if not launch.overwrite and RunDir(folder).holds(config):
        print(f"this run is there already (--overwrite runs it again): {folder}", file=sys.stderr)
        return "complete"
    claim = stack.enter_context(Claim.take(folder, lost=lambda: _leave_to_another(folder)))
    signals.last = claim.release
    out = RunDir.create(folder, config, overwrite=launch.overwrite)
    if out.complete:  # another job was faster
        return "complete"
    begun = "continuing the run in" if "earlier" in out.env else "run directory:"
    print(f"{begun} {folder}", file=sys.stderr)
    return "incomplete"


def _leave_to_another(folder: Path) -> NoReturn:
    reason = "this job's claim is gone; another one takes over where a job stood still for a minute"
    os.write(2, f"\nerror: {folder}: {reason}\n".encode())
    os._exit(1)


def _end(out: RunDir) -> int:
    """Frees what is no longer needed, prints the results, and returns the exit code."""
    if not out.complete:
        raise RuntimeError("run(config, out) must end with out.finish(text, ...)")
    out.drop_checkpoints()
    print(out.summary["text"])
    for figure in out.figures():
        print(f"figure: {figure} (and .svg)")
    since = " since it was last continued" if "earlier" in out.env else ""
    print(f"took {duration(out.seconds)}{since}; everything else: {out.folder}")
    diverged = [ended for ended in out.runs() if ended["status"] == "diverged"]
    for ended in diverged:
        print(f"diverged: {ended['label']}: {ended['error']}", file=sys.stderr)
    return 1 if diverged else 0
