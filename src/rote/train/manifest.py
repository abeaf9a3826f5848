"""What a checkpoint belongs to, and whether a call may go on from it.

A manifest has three parts: what is ``fixed`` must be as it was, a number in ``at_least`` may have
been raised, and a difference in what is ``noted`` is only told.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rote.core import Dataset, InputError
from rote.storage import canonical
from rote.train.moment import Settings
from rote.train.result import Run

Manifest = Mapping[str, Mapping[str, Any]]
VERSIONS = ("version of jax", "version of the source of rote")


def make_manifest(
    runs: Sequence[Run],
    dataset: Dataset,
    settings: Settings,
    computation: Mapping[str, Any],
    program: str,
    state: Mapping[str, str],
    execution: str,
) -> Manifest:
    """The manifest of a call of ``fit_runs``, JSON-serializable.

    Args:
      runs: its runs.
      dataset: the data set of the runs that bring none.
      settings: what holds for every run.
      computation: what else decides about the numbers, by name.
      program: a digest of what a step computes; other versions may say the same otherwise.
      state: the arrays of a run's state (see ``shapes_of``).
      execution: where it runs, in words.
    """
    fixed = {
        "runs": [
            {
                "label": run.label,
                "init_seed": run.init_seed,
                "order_seed": run.order_seed,
                "hparams": dict(run.hparams),
                "subset": None if run.subset is None else _checksum(run.subset),
            }
            for run in runs
        ],
        "data": {"name": dataset.name, **dataset.fingerprint},
        "batch_size": settings.batch_size,
        "record": settings.record,
        "stop": settings.stop.name if settings.stop else None,
        **computation,
        "state": state,
    }
    noted = {
        "program": program,
        "execution": execution,
        **dict(zip(VERSIONS, (jax.__version__, _source_version()), strict=True)),
    }
    return {"fixed": fixed, "at_least": {"max_epochs": settings.max_epochs}, "noted": noted}


def check_manifest(before: Manifest, now: Manifest, folder: Path) -> list[str]:
    """What differs but does not matter, one line each.

    Args:
      before: of the checkpoints, read from JSON.
      now: of this call, as JSON.
      folder: of the checkpoints, for the message.

    Raises:
      InputError: if the call may not go on from these checkpoints.
    """
    different = _differences(before["fixed"], now["fixed"])
    told, tells = before["noted"], now["noted"]
    if all(told[name] == tells[name] for name in VERSIONS) and told["program"] != tells["program"]:
        different.append("the network, its loss, transform or optimizer computes something else")
    if different:
        raise InputError(
            f"{folder} holds the checkpoints of another training: {'; '.join(different[:3])}"
            f"{'; ...' if len(different) > 3 else ''}; continue it with the settings it had, or "
            "train anew in another folder"
        )
    for name, limit in before["at_least"].items():
        if now["at_least"][name] < limit:
            raise InputError(
                f"{name}: {now['at_least'][name]}; {folder} holds the checkpoints of a training "
                f"to {limit}; give at least that, or train anew in another folder"
            )
    return [
        line
        for part in ("at_least", "noted")
        for line in _differences(before[part], now[part])
        if not line.startswith("program ")
    ]


def _checksum(indices: np.ndarray) -> str:
    return f"{len(indices)} examples, {zlib.crc32(np.asarray(indices, '<i8').tobytes()):08x}"


def _source_version() -> str:
    """Eight hex digits that follow from the source of this package."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:8]


def _differences(before: Any, now: Any, path: str = "") -> list[str]:
    """What differs between two JSON values, one line each."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in dict.fromkeys([*before, *now])
            for line in _differences(before.get(key), now.get(key), f"{path} {key}".strip())
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [
            line
            for number, pair in enumerate(zip(before, now, strict=True))
            for line in _differences(*pair, f"{path} {number}")
        ]
    if canonical(before) == canonical(now):
        return []
    if isinstance(before, list) and isinstance(now, list):
        return [f"{len(before)} {path} before, {len(now)} now"]
    return [f"{path} was {before}, is {now}"]
