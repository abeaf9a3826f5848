"""The run directory: everything a run leaves behind, in files that need no `rote` to be read.

```
config.json         the configuration, resolved: repeats the run
env.json            versions, devices, commit, command line, time; of earlier sessions, too
metrics.jsonl       one row per run and epoch, appended as they come
runs/000-<label>/   run.json, params.npz, examples.npz: one folder per training that has ended
figures/            PNG and SVG
checkpoints/        what continuing an unfinished run needs
summary.json        the results; its presence says that the run is complete
```

All JSON is strict. A float that is not finite is written as the string ``"NaN"``, ``"Infinity"`` or
``"-Infinity"`` and read back as a float; ``null`` means that the quantity does not exist. Every
file but ``metrics.jsonl`` is written under another name and renamed, so it is whole or absent.
"""

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from rote.core import InputError, Params, State
from rote.record import existing, trainings
from rote.record.environment import environment, now
from rote.record.metrics import line_of, merge_rows, read_rows, write_rows
from rote.storage import Tree, atomic, load_arrays, read_json, save_arrays, write_json

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    from rote.train.result import Result


@dataclasses.dataclass(frozen=True)
class RunDir:
    """A folder with all that a run leaves behind. ``create`` makes one, ``open`` finds one.

    Attributes:
      folder: where it is.
      writes: whether this process writes it. Of several processes one does; in the others, the
        methods that write do nothing.
    """

    folder: Path
    writes: bool = True

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        config: Any,
        *,
        command: str | None = None,
        devices: Sequence[str] | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Makes the folder and writes ``config.json`` and ``env.json``.

        A folder that holds a complete run of the same configuration is found again and returned as
        it is, with ``complete`` true. An unfinished one is continued; so is one of a configuration
        that had fewer ``max_epochs``, even a complete one if that limit ended some of its
        trainings. ``env.json`` then has, under ``earlier``, what it said before, with the old
        ``max_epochs``. A run that has measured nothing yet, or nothing that could be continued, is
        begun anew.

        Args:
          folder: where; it is made with its parents.
          config: a dataclass or a mapping, resolved: it must say all that the results follow from.
          command: as in ``environment``.
          devices: as in ``environment``.
          overwrite: remove what an earlier run left in the folder (its own files only).

        Raises:
          InputError: if the folder holds another run or other files, or cannot be written.
        """
        run_dir = cls(Path(folder))
        try:
            verdict = existing.judge(run_dir.folder, config, overwrite=overwrite)
            if verdict == "complete":
                return run_dir
            env = environment(command, devices)
            if verdict == "continue":
                env["earlier"] = run_dir._sessions()
                run_dir._summary_file.unlink(missing_ok=True)
            else:
                existing.clear(run_dir.folder)
            write_json(run_dir._env_file, env)
            write_json(run_dir._config_file, config)
        except OSError as error:
            raise existing.unwritable(run_dir.folder, error) from error
        return run_dir

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """The run directory at ``folder``, complete or not.

        Raises:
          InputError: if there is none.
        """
        run_dir = cls(Path(folder))
        if not run_dir._config_file.is_file():
            raise InputError(f"{run_dir.folder} is no run directory: it has no config.json")
        return run_dir

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, as read from ``config.json`` (tuples are lists)."""
        return read_json(self._config_file)

    @property
    def env(self) -> dict[str, Any]:
        """Where the run happened; see ``environment``."""
        return read_json(self._env_file)

    @property
    def complete(self) -> bool:
        """Whether the run has finished: whether there is a ``summary.json``."""
        return self._summary_file.is_file()

    @property
    def summary(self) -> dict[str, Any]:
        """What ``finish`` wrote."""
        return read_json(self._summary_file)

    @property
    def seconds(self) -> float:
        """How long the session that finished the run took, in whole seconds; at least one."""
        begin, end = (
            datetime.fromisoformat(time) for time in (self.env["started"], self.summary["finished"])
        )
        return max(1.0, (end - begin).total_seconds())

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    def holds(self, config: Any) -> bool:
        """Whether it is a complete run of this configuration.

        Raises:
          InputError: if ``create`` would refuse the folder.
        """
        return existing.judge(self.folder, config) == "complete"

    @property
    def continues(self) -> bool:
        """Whether an unfinished run has something to continue from."""
        return existing.has_checkpoint(self.folder)

    @property
    def saved_epoch(self) -> int | None:
        """The epoch from which the newest checkpoint continues, where it can be told."""
        return existing.saved_epoch(self.folder)

    def note_env(self, **notes: Any) -> None:
        """Adds to ``env.json`` what is known only later, such as ``mapping="..."``."""
        if self.writes:
            write_json(self._env_file, {**self.env, **notes})

    def discard_if_unused(self) -> None:
        """Removes the folder where nothing has been measured in it."""
        if self.writes and not existing.is_used(self.folder):
            existing.clear(self.folder)
            with contextlib.suppress(OSError):  # not empty, or not ours to remove
                self.folder.rmdir()

    def finish(self, text: str, **results: Any) -> None:
        """Writes ``summary.json``, which declares the run complete. Call it last.

        Args:
          text: the results as a person reads them; the command line prints it now and whenever the
            same command finds this run again.
          **results: JSON-serializable, such as ``table=rows``.
        """
        if self.writes:
            write_json(self._summary_file, {"finished": now(), "text": text, **results})

    def drop_checkpoints(self) -> None:
        """Removes the checkpoints of a complete run.

        Where trainings ended at ``max_epochs``, what raising it needs is kept.
        """
        if self.writes and self.complete:
            existing.drop_checkpoints(self.folder)

    def log(self, row: Mapping[str, Any]) -> None:
        """Appends a row to ``metrics.jsonl``; it is in the file when the call returns.

        Raises:
          OSError: if it cannot be written.
        """
        if not self.writes:
            return
        try:
            with open(self._metrics_file, "ab") as file:
                file.write(line_of(row))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._metrics_file)) from error

    def keep(self, part: str, result: Any) -> None:
        """Keeps the result of one part of a run, so that it need not be computed again.

        A run that is not a training is continued by what it finds in ``kept``.

        Args:
          part: names the part.
          result: JSON-serializable.
        """
        if self.writes:
            write_json(existing.parts(self.folder) / f"{part}.json", {"result": result})

    def kept(self) -> dict[str, Any]:
        """The results of the parts that an earlier call has computed, by name."""
        files = sorted(existing.parts(self.folder).glob("*.json"))
        return {file.stem: read_json(file)["result"] for file in files}

    def keep_arrays(self, part: str, tree: Tree) -> None:
        """Keeps arrays of one part of a run, in place of those that it kept before.

        Args:
          part: names the part.
          tree: nested dicts of arrays.
        """
        if self.writes:
            save_arrays(existing.parts(self.folder) / f"{part}.npz", tree)

    def kept_arrays(self, part: str) -> dict[str, Any] | None:
        """What ``keep_arrays`` kept of a part last, or ``None``.

        Raises:
          InputError: if the file is damaged.
        """
        file = existing.parts(self.folder) / f"{part}.npz"
        return load_arrays(file) if file.is_file() else None

    def rows(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``, without a last line that was cut off in writing.

        Raises:
          InputError: if another line is not JSON.
        """
        return read_rows(self._metrics_file)

    def restore(
        self,
        first_run: int,
        ended: Mapping[int, Sequence[dict[str, Any]]],
        under_way: Mapping[int, Sequence[dict[str, Any]]],
    ) -> tuple[list[dict[str, Any]], set[int]]:
        """Makes rows and trainings agree with what a training of runs begins or goes on from.

        Of the runs from ``first_run`` on, ``metrics.jsonl`` keeps the rows that are given, each
        once, and ``runs`` the folders of those that ended; see ``merge_rows``.

        Args:
          first_run: the training's first run.
          ended: the rows of the runs that ended, by number.
          under_way: the rows of those that go on.

        Returns:
          The rows to be logged later, in their turn, and the numbers of the ended runs whose folder
          is there.
        """
        if not self.writes:
            return [], set(ended)
        rows = read_rows(self._metrics_file, skip_broken=True)
        merged = merge_rows(rows, {**ended, **under_way}, under_way.keys(), first_run)
        if rows or merged.rows:
            write_rows(self._metrics_file, merged.rows)
        return merged.held, trainings.keep_only(self.folder / "runs", ended.keys(), first_run)

    def save_figure(self, name: str, figure: "Figure") -> Path:
        """Writes ``figures/<name>.png`` and ``.svg``; the same figure gives the same bytes.

        Returns:
          The path of the PNG.
        """
        import matplotlib

        path = self.folder / "figures" / f"{name}.png"
        if not self.writes:
            return path
        with atomic(path) as file:
            figure.savefig(file, format="png", dpi=200)
        with (
            atomic(path.with_suffix(".svg")) as file,
            matplotlib.rc_context({"svg.hashsalt": name}),
        ):
            figure.savefig(file, format="svg", metadata={"Date": None})
        return path

    def save_animation(self, name: str, animation: "FuncAnimation", *, fps: int = 10) -> Path:
        """Writes ``figures/<name>.gif``, and ``.mp4`` where ffmpeg is installed.

        Args:
          name: of the files.
          animation: from matplotlib.
          fps: frames per second.

        Returns:
          The path of the GIF.
        """
        from matplotlib.animation import FFMpegWriter, PillowWriter

        path = self.folder / "figures" / f"{name}.gif"
        if not self.writes:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        animation.save(path, writer=PillowWriter(fps=fps), dpi=90)
        if FFMpegWriter.isAvailable():
            animation.save(path.with_suffix(".mp4"), writer=FFMpegWriter(fps=fps), dpi=150)
        return path

    def figures(self) -> list[Path]:
        """The PNG figures, by name."""
        return sorted((self.folder / "figures").glob("*.png"))

    def save_run(self, index: int, result: "Result", **columns: Any) -> None:
        """Writes what one training produced into its folder under ``runs``.

        ``params.npz`` has the trees ``params``, ``state``, ``initial/params``, ``initial/state``
        and, where kept, ``best/params`` and ``best/state``; ``examples.npz`` the per-example record
        with the labels trained on and the clean ones; ``run.json``, written last, the rest, with
        the data's provenance and fingerprints.

        Args:
          index: the training's number in this directory, from 0.
          result: what it produced.
          **columns: what else tells it from the others, such as ``seed=0``.
        """
        if self.writes:
            trainings.save(self.folder / "runs", index, result, columns)

    def runs(self) -> list[dict[str, Any]]:
        """The ``run.json`` of every training that has ended, by number."""
        return list(trainings.saved(self.folder / "runs").values())

    def run(self, run: int | str = 0) -> dict[str, Any]:
        """The ``run.json`` of one training.

        Args:
          run: its number or its label.

        Raises:
          InputError: if there is no such training.
        """
        return read_json(self._run_folder(run) / "run.json")

    def load_params(
        self, run: int | str = 0, which: Literal["final", "initial", "best"] = "final"
    ) -> tuple[Params, State]:
        """The parameters and the model state of a training.

        Args:
          run: its number or its label.
          which: those at its end, before its first step, or the best by its stop rule.

        Returns:
          ``(params, state)``, nested dicts of NumPy arrays.

        Raises:
          InputError: if there is no such training, or it kept no best parameters.
        """
        return trainings.load_params(self._run_folder(run), which)

    def load_examples(self, run: int | str = 0) -> dict[str, np.ndarray]:
        """The per-example record of a training: ``epochs``, ``predicted``, ``margin`` and labels.

        Args:
          run: its number or its label.

        Raises:
          InputError: if there is no such training.
        """
        return load_arrays(self._run_folder(run) / "examples.npz")

    @property
    def _config_file(self) -> Path:
        return self.folder / "config.json"

    @property
    def _env_file(self) -> Path:
        return self.folder / "env.json"

    @property
    def _metrics_file(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def _summary_file(self) -> Path:
        return self.folder / "summary.json"

    def _run_folder(self, run: int | str) -> Path:
        return trainings.find(self.folder / "runs", run)

    def _sessions(self) -> list[dict[str, Any]]:
        """What ``env.json`` says of the sessions until now, with their ``max_epochs``."""
        try:
            env = self.env
        except InputError:  # damaged; it is no reason to stop
            return []
        earlier = env.pop("earlier", [])
        return [*earlier, {**env, "max_epochs": self.config.get("max_epochs")}]
