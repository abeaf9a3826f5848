"""The folder of one training: ``run.json``, ``params.npz``, ``examples.npz``."""

import re
import shutil
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rote.core import InputError, Params, State, unknown_name
from rote.storage import load_arrays, read_json, save_arrays, write_json

if TYPE_CHECKING:
    from rote.train.result import Result


def save(runs: Path, index: int, result: "Result", columns: Mapping[str, Any]) -> None:
    """Writes what a training produced; see ``RunDir.save_run``."""
    slug = re.sub(r"[^\w.=+-]+", "-", result.label).strip("-")[:60]
    folder = runs / f"{index:03d}-{slug}".rstrip("-")
    kept = {"initial": result.initial} | ({"best": result.best} if result.best else {})
    trees = {name: checkpoint.trees() for name, checkpoint in kept.items()}
    save_arrays(folder / "params.npz", {**result.final.trees(), **trees})
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


def saved(runs: Path) -> dict[Path, dict[str, Any]]:
    """The ``run.json`` of every training that has ended, by its folder, in order of their numbers.

    A file that cannot be read is an InputError.
    """
    found = {file.parent: read_json(file) for file in runs.glob("*/run.json")}
    return dict(sorted(found.items(), key=lambda item: item[1]["run"]))


def find(runs: Path, run: int | str) -> Path:
    """The folder of a training, by its number or its label.

    Raises:
      InputError: if there is none.
    """
    key = "run" if isinstance(run, int) else "label"
    ended = saved(runs)
    for folder, about in ended.items():
        if about[key] == run:
            return folder
    raise unknown_name(f"run in {runs.parent}", run, (str(about[key]) for about in ended.values()))


def load_params(folder: Path, which: Literal["final", "initial", "best"]) -> tuple[Params, State]:
    """Parameters and state; see ``RunDir.load_params``.

    Raises:
      InputError: if the training kept none of that kind.
    """
    if which not in ("final", "initial", "best"):
        raise unknown_name("which", which, ("final", "initial", "best"))
    tree = load_arrays(folder / "params.npz")
    if which != "final" and which not in tree:
        raise InputError(f"{folder} kept no {which} parameters")
    tree = tree if which == "final" else tree[which]
    return tree["params"], tree["state"]


def keep_only(runs: Path, ended: Set[int], first_run: int) -> set[int]:
    """Removes the folders of trainings from ``first_run`` on that have not ended.

    Returns:
      The numbers of those that are left whole.
    """
    left = set()
    for folder in runs.glob("*"):
        number = folder.name.partition("-")[0]
        if not number.isdigit() or int(number) < first_run:
            continue
        if int(number) in ended and (folder / "run.json").is_file():
            left.add(int(number))
        else:
            shutil.rmtree(folder)
    return left
