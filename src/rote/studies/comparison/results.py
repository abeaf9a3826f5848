"""Result files: what is committed of a finished run, so that tables can be made from it."""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rote.core import InputError
from rote.record import RunDir
from rote.storage import read_json, write_json

Row = Mapping[str, Any]

ENVIRONMENT = ("versions", "devices", "mapping", "cpu", "cores", "commit", "started")
"""What it keeps of where the run happened, when it was last continued."""
BEGAN = ("commit", "started")
"""What it keeps of its beginning, where it was continued."""


class Result(NamedTuple):
    """A committed result file.

    Attributes:
      name: the file's name, without ``.json``.
      experiment: the file of the experiment, without ``.py``.
      command: what was typed, with neither the path of Python nor of the run directory.
      config: the configuration.
      settings: by model, what was taken from its recipe.
      data: what was trained on, a mapping per data set; see ``rote.data.describe``.
      env: where; see ``ENVIRONMENT``, and under ``"began"`` ``BEGAN``.
      finished: when, ISO 8601.
      table: a row per setting and seed.
    """

    name: str
    experiment: str
    command: str
    config: dict[str, Any]
    settings: dict[str, dict[str, Any]]
    data: list[dict[str, Any]]
    env: dict[str, Any]
    finished: str
    table: list[dict[str, Any]]


def collect(run_dir: RunDir, name: str, columns: Collection[str]) -> Result:
    """What the comparison needs of a finished run.

    Args:
      run_dir: the run directory.
      name: lower-case letters, digits, ``_`` and ``-``.
      columns: the columns of its table that are kept. Without ``learning_rate`` among them, rows
        of several rates could not be told apart, and are refused.

    Raises:
      InputError: if the run is not finished, or its summary does not say what is needed.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise InputError(
            f"result name {name!r}: expected lower-case letters, digits, '_' and '-'; rename it"
        )
    if not run_dir.complete:
        raise InputError(
            f"the run in {run_dir.folder} is not finished: it has no summary.json; "
            "continue it with the command that began it"
        )
    summary, env = run_dir.summary, run_dir.env
    for key in ("table", "data"):
        if not summary.get(key):
            raise InputError(
                f"{run_dir.folder}/summary.json has no {key!r}; run the experiment again with "
                "this version"
            )
    rates = {row.get("learning_rate") for row in summary["table"]}
    if "learning_rate" not in columns and len(rates) > 1:
        raise InputError(
            f"the run in {run_dir.folder} has several learning rates; run it with the one to show"
        )
    described = _as_list(summary["data"])
    if any("num_train" not in entry for entry in described):
        raise InputError(
            f"{run_dir.folder}/summary.json does not say how much data there was; run the "
            "experiment again with this version"
        )
    experiment, command = _portable(env["command"])
    return Result(
        name,
        experiment,
        command,
        run_dir.config,
        summary.get("settings", {}),
        described,
        _environment(env),
        summary["finished"],
        [{key: row[key] for key in row if key in columns} for row in summary["table"]],
    )


def _environment(env: Mapping[str, Any]) -> dict[str, Any]:
    """``ENVIRONMENT``, and ``BEGAN`` of a run that was continued."""
    kept = {key: env[key] for key in ENVIRONMENT if key in env}
    if env.get("earlier"):
        kept["began"] = {key: env["earlier"][0].get(key) for key in BEGAN}
    return kept


def _portable(command: str) -> tuple[str, str]:
    """The experiment, and its command line without what only its machine has."""
    words = shlex.split(command)
    scripts = [i for i, word in enumerate(words) if word.endswith(".py")]
    if not scripts:
        raise InputError(f"no experiment in the run's command: {command!r}; expected ... NAME.py")
    script, rest = Path(words[scripts[0]]), words[scripts[0] + 1 :]
    kept = []
    skip = False
    for word in rest:
        if not skip and word not in ("--out", "--overwrite", "--resume"):
            kept += [] if word.startswith("--out=") else [word]
        skip = word == "--out" and not skip
    file = "/".join(script.parts[-3:])
    return script.stem, shlex.join(["python", file, *kept])


def _as_list(data: Any) -> list[dict[str, Any]]:
    """One data set, several, or several by name."""
    if isinstance(data, list):
        return data
    return [data] if "name" in data else list(data.values())


def save(result: Result, folder: Path) -> Path:
    """Writes a result file.

    Returns:
      Its path.
    """
    path = folder / f"{result.name}.json"
    write_json(path, {key: value for key, value in result._asdict().items() if key != "name"})
    return path


def read_results(folder: Path, measured: Collection[str] = ()) -> list[Result]:
    """The result files of a folder, by name; none if there is no folder.

    Args:
      folder: where they are.
      measured: the columns of what a run has reached; one that diverged has reached nothing, and
        has ``None`` there.

    Raises:
      InputError: if one of them is no result file.
    """
    results = []
    for path in sorted(folder.glob("*.json")):
        content = read_json(path)
        try:
            result = Result(path.stem, **content)
        except TypeError as error:
            raise InputError(
                f"{path} is no result file ({error}); make it again with --collect"
            ) from None
        results.append(result._replace(table=[reached(row, measured) for row in result.table]))
    return results


def reached(row: Row, measured: Collection[str]) -> dict[str, Any]:
    """A row with ``None`` for what was measured, if its run diverged."""
    diverged = row.get("status") == "diverged"
    return {key: None if diverged and key in measured else value for key, value in row.items()}


VARIANT = "l2"
"""The column by which the rows of one setting can still differ, beside the seed."""


def variants(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by what they differ in, in words; all under ``""`` where it is only the seed.

    >>> list(variants([{"l2": 0.1, "seed": 0}, {"l2": 0.1, "seed": 1}, {"l2": 1.0, "seed": 0}]))
    ['l2 0.1', 'l2 1']
    """
    if len({row.get(VARIANT) for row in rows}) < 2:
        return {"": list(rows)} if rows else {}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{VARIANT} {row[VARIANT]:g}", []).append(row)
    return groups


def select(result: Result, match: Row) -> list[dict[str, Any]]:
    """The rows of a result that belong to a setting.

    ``True`` and ``False`` are matched by what is not 0 and what is. A table without a column
    ``model`` is of the one model of its configuration.
    """
    models = result.config.get("model")
    only = models[0] if isinstance(models, list) and len(models) == 1 else models
    return [
        row
        for row in result.table
        if all(_matches({"model": only, **row}.get(key), value) for key, value in match.items())
    ]


def _matches(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool):
        return given is not None and bool(given) == wanted
    return given == wanted
