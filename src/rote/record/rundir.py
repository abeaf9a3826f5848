"""The run directory: everything a run leaves behind, in files that need no `rote` to be read.

```
config.json         the configuration, resolved: repeats the run
env.json            versions, devices, commit, command line, time
metrics.jsonl       one row per run and epoch, appended as they come
runs/000-<label>/   run.json, params.npz, examples.npz: one folder per training
figures/            PNG and SVG
summary.json        the results; its presence says that the run is complete
```

All JSON is strict. A float that is not finite is written as the string ``"NaN"``, ``"Infinity"`` or
``"-Infinity"`` and read back as a float; ``null`` means that the quantity does not exist. Every
file but ``metrics.jsonl`` is written under another name and renamed, so it is whole or absent.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rote.core import InputError, Params, State, unknown_name
from rote.record.arrays import load_arrays, save_arrays
from rote.record.environment import environment, now
from rote.record.files import atomic, canonical, from_json, read_json, to_json, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rote.train.result import Result


@dataclasses.dataclass(frozen=True)
class RunDir:
    """A folder with all that a run leaves behind. ``create`` makes one, ``open`` finds one."""

    folder: Path

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        config: Any,
        *,
        command: str | None = None,
        devices: Sequence[str] | None = None,
        overwrite: bool = False,
    ) -> "RunDir":
        """Makes the folder and writes ``config.json`` and ``env.json``.

        A folder that holds a complete run of the same configuration is found again and returned as
        it is, with ``complete`` true. One whose run has measured nothing yet is used.

        Args:
          folder: where; it is made with its parents.
          config: a dataclass or a mapping, resolved: it must say all that the results follow from.
          command: as in ``environment``.
          devices: as in ``environment``.
          overwrite: remove what an earlier run left in the folder (its own files only).

        Raises:
          InputError: if the folder holds another run, an unfinished one or other files, or cannot
            be written.
        """
        run_dir = cls(Path(folder))
        try:
            if run_dir._in_use():
                if not overwrite and run_dir.complete and not run_dir._differences(config):
                    return run_dir
                if not overwrite:
                    run_dir._refuse(config)
                run_dir._clear()
            write_json(run_dir._config_file, config)
            write_json(run_dir.folder / "env.json", environment(command, devices))
        except OSError as error:
            raise InputError(
                f"cannot write the run directory {run_dir.folder}: {error.strerror or error}; "
                "choose another folder with --out"
            ) from error
        return run_dir

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "RunDir":
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
        return read_json(self.folder / "env.json")

    @property
    def complete(self) -> bool:
        """Whether the run has finished: whether there is a ``summary.json``."""
        return self._summary_file.is_file()

    @property
    def summary(self) -> dict[str, Any]:
        """What ``finish`` wrote."""
        return read_json(self._summary_file)

    def discard_if_unused(self) -> None:
        """Removes the folder where nothing has been measured in it."""
        if not self._metrics_file.exists() and not self.complete:
            for file in (self.folder / "env.json", self._config_file):
                file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty, or not ours to remove
                self.folder.rmdir()

    def finish(self, text: str, **results: Any) -> None:
        """Writes ``summary.json``, which declares the run complete. Call it last.

        Args:
          text: the results as a person reads them; the command line prints it now and whenever the
            same command finds this run again.
          **results: JSON-serializable, such as ``table=rows``.
        """
        write_json(self._summary_file, {"finished": now(), "text": text, **results})

    def log(self, row: Mapping[str, Any]) -> None:
        """Appends a row to ``metrics.jsonl``; it is in the file when the call returns."""
        with open(self._metrics_file, "a", encoding="utf-8") as file:
            file.write(json.dumps(to_json(row), allow_nan=False) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``, without a last line that was cut off in writing.

        Raises:
          InputError: if another line is not JSON.
        """
        try:
            lines = self._metrics_file.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return []
        rows = []
        for number, line in enumerate(lines[:-1], 1):
            try:
                rows.append(from_json(json.loads(line)))
            except ValueError as error:
                raise InputError(f"{self._metrics_file}, line {number}: not JSON") from error
        return rows

    def save_figure(self, name: str, figure: "Figure") -> Path:
        """Writes ``figures/<name>.png`` and ``.svg``; the same figure gives the same bytes.

        Returns:
          The path of the PNG.
        """
        import matplotlib

        path = self.folder / "figures" / f"{name}.png"
        with atomic(path) as file:
            figure.savefig(file, format="png", dpi=200)
        with (
            atomic(path.with_suffix(".svg")) as file,
            matplotlib.rc_context({"svg.hashsalt": name}),
        ):
            figure.savefig(file, format="svg", metadata={"Date": None})
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
        slug = re.sub(r"[^\w.=+-]+", "-", result.label).strip("-")[:60]
        folder = self.folder / "runs" / f"{index:03d}-{slug}".rstrip("-")
        kept = {"initial": result.initial} | ({"best": result.best} if result.best else {})
        trees = {name: {"params": c.params, "state": c.state} for name, c in kept.items()}
        save_arrays(
            folder / "params.npz", {"params": result.params, "state": result.state, **trees}
        )
        data = result.data
        labels = {"labels": data.labels, "clean_labels": data.clean_labels}
        save_arrays(folder / "examples.npz", {**result.record._asdict(), **labels})
        summary = {
            "run": index,
            "label": result.label,
            **columns,
            "status": result.status,
            "error": result.error,
            "epoch": result.final.epoch,
            "best_epoch": result.best.epoch if result.best else None,
            "steps_per_epoch": result.steps_per_epoch,
            "last": result.history[-1] if result.history else None,
            "dataset": data.name,
            "num_classes": data.num_classes,
            "image_shape": data.image_shape,
            "provenance": data.provenance,
            "fingerprint": data.fingerprint,
        }
        write_json(folder / "run.json", summary)

    def runs(self) -> list[dict[str, Any]]:
        """The ``run.json`` of every training that has ended, by number."""
        return sorted(
            (read_json(path) for path in self.folder.glob("runs/*/run.json")),
            key=lambda run: run["run"],
        )

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
        if which not in ("final", "initial", "best"):
            raise unknown_name("which", which, ("final", "initial", "best"))
        tree = load_arrays(self._run_folder(run) / "params.npz")
        if which != "final" and which not in tree:
            raise InputError(f"run {run!r} in {self.folder} kept no {which} parameters")
        tree = tree if which == "final" else tree[which]
        return tree["params"], tree["state"]

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
    def _metrics_file(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def _summary_file(self) -> Path:
        return self.folder / "summary.json"

    def _run_folder(self, run: int | str) -> Path:
        files = {path: read_json(path) for path in self.folder.glob("runs/*/run.json")}
        key = "run" if isinstance(run, int) else "label"
        for path, ended in files.items():
            if ended[key] == run:
                return path.parent
        known = (str(ended[key]) for ended in files.values())
        raise unknown_name(f"run in {self.folder}", run, known)

    def _in_use(self) -> bool:
        """Whether there is something in the folder that must not be lost.

        A run that has measured nothing (it was refused, or stopped while compiling) is not.
        """
        if self._config_file.is_file():
            return self.complete or self._metrics_file.exists()
        if self.folder.exists() and any(p.name[0] != "." for p in self.folder.iterdir()):
            raise InputError(
                f"{self.folder} holds files but no run; choose an empty or new folder with --out"
            )
        return False

    def _differences(self, config: Any) -> list[str]:
        mine, other = self.config, to_json(config)
        return [
            key
            for key in sorted({*mine, *other})
            if (key in mine) != (key in other) or canonical(mine[key]) != canonical(other[key])
        ]

    def _refuse(self, config: Any) -> None:
        differences = self._differences(config)
        what = (
            f"a run of another configuration (it differs in {', '.join(differences)})"
            if differences
            else "an unfinished run of this configuration"
        )
        raise InputError(
            f"{self.folder} holds {what}; replace it with --overwrite, or choose another --out"
        )

    def _clear(self) -> None:
        """Removes the files of a run, ``config.json`` last: what is left is still a run's."""
        self._summary_file.unlink(missing_ok=True)
        for folder in ("runs", "figures"):
            if (self.folder / folder).exists():
                shutil.rmtree(self.folder / folder)
        for file in ("metrics.jsonl", "env.json", "config.json"):
            (self.folder / file).unlink(missing_ok=True)
