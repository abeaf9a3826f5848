"""What a folder holds already, and what a run of some configuration may do with it."""

import contextlib
import shutil
from pathlib import Path
from typing import Any, Literal

from rote.core import InputError
from rote.storage import canonical, read_json, to_json

FILES = ("summary.json", "runs", "figures", "checkpoints", "metrics.jsonl", "env.json")
"""What a run leaves beside its ``config.json``."""

Verdict = Literal["begin", "continue", "complete"]


def judge(folder: Path, config: Any, *, overwrite: bool = False) -> Verdict:
    """What a run of ``config`` finds in ``folder``.

    ``"complete"``: the results of that very run. ``"continue"``: what it has done so far, with the
    same configuration or one with fewer ``max_epochs``; a complete run is continued, too, where
    that limit was raised and had ended some of its trainings. ``"begin"``: nothing to be kept.

    Args:
      folder: it need not exist.
      config: a dataclass or a mapping.
      overwrite: what another run left is not to be kept.

    Raises:
      InputError: if the folder holds something that is to be kept, and is not that run.
    """
    files = folder.iterdir() if folder.exists() else ()
    names = {file.name for file in files if file.name[0] != "."}
    if "config.json" not in names and not names <= set(FILES):
        raise InputError(
            f"{folder} holds files but no run; choose an empty or new folder with --out"
        )
    if overwrite or not is_used(folder):
        return "begin"
    before, now = _config(folder), to_json(config)
    different = differences(before, now)
    complete = (folder / "summary.json").is_file()
    if not different and complete:
        return "complete"
    raised = different == ["max_epochs"] and is_raised(before, now)
    if different and not raised:
        fields = ", ".join(different)
        raise _refusal(folder, f"a run of another configuration (it differs in {fields})")
    if complete and not _some_reached_max_epochs(folder):
        raise _refusal(folder, "a complete run that never reached max_epochs, the only difference")
    if complete and not has_checkpoint(folder):
        raise _refusal(folder, "a complete run without the checkpoints to continue it from")
    if has_checkpoint(folder):
        return "continue"
    if any(folder.glob("runs/*/run.json")):
        raise _refusal(folder, "an unfinished run of this configuration without checkpoints")
    return "begin"


def is_used(folder: Path) -> bool:
    """Whether something has been measured in the folder.

    A run that was refused, or stopped while compiling, has not.
    """
    measured = any((folder / name).exists() for name in ("summary.json", "metrics.jsonl", "runs"))
    return measured or has_checkpoint(folder)


def has_checkpoint(folder: Path) -> bool:
    """Whether there is something to continue from."""
    ended = (folder / "checkpoints").glob("**/ended/*.npz")
    kept = (file for end in ("json", "npz") for file in parts(folder).glob(f"*.{end}"))
    return bool(_steps(folder)) or any(ended) or any(kept)


def parts(folder: Path) -> Path:
    """Where the results of parts are kept."""
    return folder / "checkpoints" / "parts"


def saved_epoch(folder: Path) -> int | None:
    """The epoch under way in the newest checkpoint, where it can be told."""
    with contextlib.suppress(InputError, ValueError, KeyError, TypeError):
        newest = max(_steps(folder), key=lambda step: (step.parent.parent.name, int(step.name)))
        return int(read_json(newest / "meta" / "metadata")["epoch"])
    return None


def is_raised(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether ``max_epochs`` is larger now."""
    was, is_ = before.get("max_epochs"), now.get("max_epochs")
    return isinstance(was, int) and isinstance(is_, int) and was < is_


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The fields in which two configurations differ."""
    return [
        key
        for key in sorted({*before, *now})
        if (key in before) != (key in now) or canonical(before[key]) != canonical(now[key])
    ]


def unwritable(folder: Path, error: OSError) -> InputError:
    """What to tell the user of a folder that cannot be written."""
    return InputError(
        f"cannot write the run directory {folder}: {error.strerror or error}; "
        "choose another folder with --out"
    )


def clear(folder: Path) -> None:
    """Removes the files of a run, ``config.json`` last: what is left is still a run's."""
    for name in (*FILES, "config.json"):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def drop_checkpoints(folder: Path) -> None:
    """Removes what a complete run does not need to be continued with more ``max_epochs``."""
    checkpoints = folder / "checkpoints"
    if not _some_reached_max_epochs(folder):
        shutil.rmtree(checkpoints, ignore_errors=True)
    for name in ("steps", "checks", "damaged"):
        for path in [*checkpoints.glob(f"**/{name}")]:
            shutil.rmtree(path)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = read_json(folder / "config.json")
    except InputError as error:
        raise _refusal(folder, f"a run of an unknown configuration ({error})") from error
    if not isinstance(config, dict):
        raise _refusal(folder, "a run of an unknown configuration (config.json is no object)")
    return config


def _some_reached_max_epochs(folder: Path) -> bool:
    return any(read_json(file)["status"] == "max_epochs" for file in folder.glob("runs/*/run.json"))


def _steps(folder: Path) -> list[Path]:
    steps = (folder / "checkpoints").glob("**/steps/*")
    return [step for step in steps if step.name.isdigit()]


def _refusal(folder: Path, what: str) -> InputError:
    return InputError(
        f"{folder} holds {what}; replace it with --overwrite, or choose another --out"
    )
