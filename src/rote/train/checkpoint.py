"""Checkpoints of a call of ``fit_runs``: what continuing needs, on the disk, whole or absent.

```
manifest.json     what the call was: runs, settings, data, the shapes of a run's state, versions
steps/<n>/        the runs under way (Orbax): written in the background, the last few are kept
checks/<n>.json   checksums of its files: Orbax notices a missing part, not a changed one
ended/<run>.npz   a run that has ended, written once
```

Every process takes part in saving and restoring the runs under way; process 0 writes the rest.
"""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rote.core import InputError
from rote.storage import (
    from_json,
    load_arrays,
    read_json,
    save_arrays,
    to_json,
    write_json,
)
from rote.train.manifest import check_manifest
from rote.train.processes import agreed, anywhere
from rote.train.trees import bytes_of


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """Where and how often training is saved, so that the same call continues it.

    Attributes:
      folder: where; one call's checkpoints each.
      every_minutes: minutes between checkpoints; ``None``: none by time.
      every_epochs: epochs between checkpoints; ``None``: none by epochs.
      keep: how many to keep; the newest one that is not damaged is continued from. The best
        parameters by the stop rule, and the runs that have ended, are in every one of them.
    """

    folder: Path
    every_minutes: float | None = 5.0
    every_epochs: int | None = None
    keep: int = 2
    saving: threading.Event = dataclasses.field(
        default_factory=threading.Event, compare=False, repr=False
    )
    """Set while training is held up by a save; whoever ends the process should wait."""

    def __post_init__(self) -> None:
        for name in ("every_minutes", "every_epochs", "keep"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"{name}: {value}; expected a positive number")


class CheckpointError(OSError):
    """A checkpoint cannot be written; the last good one can still be read."""


class Store:
    """The checkpoints of one call.

    Args:
      options: where and how often.
      manifest: what the call is; see ``rote.train.manifest``.

    Raises:
      InputError: if the folder holds the checkpoints of another call.
    """

    def __init__(self, options: Checkpoints, manifest: Mapping[str, Any]) -> None:
        self._options = options
        self._folder = Path(options.folder).absolute()
        self._writes = jax.process_index() == 0
        self.notes: list[str] = []
        manifest_file = self._folder / "manifest.json"
        if manifest_file.is_file():
            before = read_json(manifest_file)
            self.notes += check_manifest(before, to_json(manifest), self._folder)
        with self._reported():
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._writes:
                write_json(manifest_file, manifest)
        self._manager = self._open_manager()
        self._number = max(self._manager.all_steps(), default=0)
        self._saved_at, self._saved_epoch = time.monotonic(), 0
        self._check: threading.Thread | None = None
        self._written = threading.Event()

    def due(self, epoch: int) -> bool:
        """Whether it is time for the next checkpoint."""
        minutes, epochs = self._options.every_minutes, self._options.every_epochs
        return (minutes is not None and time.monotonic() - self._saved_at >= 60 * minutes) or (
            epochs is not None and epoch - self._saved_epoch >= epochs
        )

    def save(self, arrays: Mapping[str, Any], meta: Mapping[str, Any], *, epoch: int) -> None:
        """Saves the runs under way, in the background once the arrays are copied.

        Args:
          arrays: flat or nested dicts of arrays, device or host.
          meta: JSON-serializable.
          epoch: for ``due``.

        Raises:
          CheckpointError: if this or the previous one cannot be written.
        """
        import orbax.checkpoint as ocp

        self._saved_at, self._saved_epoch = time.monotonic(), epoch
        self._number += 1
        content = ocp.args.Composite(
            arrays=ocp.args.PyTreeSave(dict(arrays)), meta=ocp.args.JsonSave(to_json(meta))
        )
        self._options.saving.set()
        try:
            with self._reported():
                self._check_space(arrays)
                self._manager.save(self._number, args=content, force=True)
            if self._writes:
                self._finish_checks()  # of the previous one, which Orbax has waited for
                self._written.clear()
                self._check = threading.Thread(
                    target=self._write_checks, args=(self._number,), daemon=True
                )
                self._check.start()
        finally:
            self._options.saving.clear()

    def wait(self) -> None:
        """Waits until what was saved is on the disk."""
        self._options.saving.set()
        try:
            with self._reported():
                try:
                    self._manager.wait_until_finished()
                finally:
                    self._finish_checks()
        finally:
            self._options.saving.clear()

    def newest(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The arrays and the meta data of the newest checkpoint that is whole, if any.

        One that is damaged is said in ``notes`` and moved to the folder ``damaged``.
        """
        for number in sorted(self._manager.all_steps(), reverse=True):
            problem = self._damage(number) if self._writes else None
            if not agreed(problem is not None):
                try:
                    return self._restore(number)
                except Exception as error:
                    problem = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            self.notes.append(
                f"checkpoint {number} is damaged ({problem}); going back to the one before"
            )
            anywhere(False)  # nobody reads it any more
            if self._writes:
                aside = self._folder / "damaged" / f"{number}-{time.time_ns()}"
                aside.parent.mkdir(exist_ok=True)
                os.replace(self._steps / str(number), aside)
            self._manager.reload()
        return None

    def finish(self, run: int, arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Keeps a run that has ended."""
        if self._writes:
            text = np.frombuffer(json.dumps(to_json(meta)).encode(), np.uint8)
            with self._reported():
                save_arrays(self._ended / f"{run:05d}.npz", {**arrays, "meta": text})

    def finished(self) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
        """The arrays and the meta data of the runs that have ended, by run."""
        found = {}
        for file in sorted(self._ended.glob("*.npz")):
            try:
                arrays = load_arrays(file)
            except InputError as error:
                self.notes.append(f"{error}; this run is trained again")
                continue
            meta = from_json(json.loads(arrays.pop("meta").tobytes()))
            found[int(file.stem)] = arrays, meta
        return found

    def close(self) -> None:
        """Waits for what is being written and frees what Orbax holds."""
        try:
            self.wait()
        finally:
            self._manager.close()

    @property
    def _steps(self) -> Path:
        return self._folder / "steps"

    @property
    def _ended(self) -> Path:
        return self._folder / "ended"

    def _check_file(self, number: int) -> Path:
        return self._folder / "checks" / f"{number}.json"

    def _check_space(self, arrays: Mapping[str, Any]) -> None:
        """Asks before Orbax is in the middle of it, where a failure takes it minutes."""
        if not (self._folder / "manifest.json").is_file():
            raise FileNotFoundError(errno.ENOENT, "the folder has vanished")
        needed = bytes_of(arrays)
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} for {needed:,} bytes")

    def _open_manager(self) -> Any:
        import orbax.checkpoint as ocp

        options = ocp.CheckpointManagerOptions(max_to_keep=self._options.keep)
        with self._reported():
            return ocp.CheckpointManager(
                self._steps,
                options=options,
                item_handlers={
                    "arrays": ocp.PyTreeCheckpointHandler(),
                    "meta": ocp.JsonCheckpointHandler(),
                },
            )

    def _restore(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """As host arrays, in every process: the devices may be others than before."""
        import orbax.checkpoint as ocp

        tree = self._manager.item_metadata(number)["arrays"].tree
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        content = ocp.args.Composite(
            arrays=ocp.args.PyTreeRestore(restore_args=as_numpy), meta=ocp.args.JsonRestore()
        )
        restored = self._manager.restore(number, args=content)
        return restored["arrays"], from_json(restored["meta"])

    def _finish_checks(self) -> None:
        """Waits for the checksums of a checkpoint that is on the disk, or could not be written."""
        self._written.set()
        if self._check is not None:
            self._check.join()
            self._drop_checks()

    def _write_checks(self, number: int) -> None:
        """Waits, in a thread, until a checkpoint has its final name; then sums up its files."""
        step = self._steps / str(number)
        while not step.is_dir():
            if self._written.wait(0.1) and not step.is_dir():  # it could not be written
                return
        with contextlib.suppress(OSError):
            write_json(self._check_file(number), dict(_checksums(step)))

    def _drop_checks(self) -> None:
        """Removes the checksums of checkpoints that Orbax has removed."""
        for file in (self._folder / "checks").glob("*.json"):
            if not (self._steps / file.stem).exists():
                file.unlink(missing_ok=True)

    def _damage(self, number: int) -> str | None:
        """What is wrong with the files of a checkpoint, as far as their checksums tell."""
        try:
            expected = read_json(self._check_file(number))
        except InputError:  # killed between the two; what Orbax itself notices must do
            return None
        found = dict(_checksums(self._steps / str(number)))
        changed = [name for name, check in expected.items() if found.get(name) != check]
        return f"{changed[0]} has changed" if changed else None

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Failures to write as one kind of error that says where."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            what = what.strip().splitlines()[0] if what.strip() else type(error).__name__
            raise CheckpointError(
                f"cannot write the checkpoint in {self._folder}: {what}; the last good one is "
                "kept, and the same command continues from it"
            ) from error


def _checksums(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            check = 0
            with open(file, "rb") as stream:
                while data := stream.read(1 << 20):
                    check = zlib.crc32(data, check)
            yield os.fspath(file.relative_to(folder)), f"{check:08x}"
