"""What a checkpoint holds: moments and ended runs as dicts of arrays and JSON, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rote.core import Dataset, InputError
from rote.train.cohort import Cohort
from rote.train.moment import Moment, RunLog, Task, as_record, plain_keys
from rote.train.result import Checkpoint, DataRecord, Record, Result
from rote.train.step import TrainState
from rote.train.trees import flatten, unflatten

Content = tuple[dict[str, Any], dict[str, Any]]
"""Nested dicts of arrays, and JSON-serializable meta data."""


def moment_content(cohort: Cohort, moment: Moment) -> Content:
    """A moment as a checkpoint holds it."""
    running = {run: (moment.logs[run], cohort.tasks[run]) for run in moment.active}
    logs = {str(run): _log_content(log, task) for run, (log, task) in running.items()}
    arrays = {
        "train": flatten(plain_keys(moment.train)),
        "loss_sum": moment.loss_sum,
        "logs": {run: arrays for run, (arrays, _) in logs.items()},
    }
    meta = {
        "slots": moment.slots,
        "epoch": moment.epoch,
        "taken": moment.taken,
        "seconds": moment.seconds,
        "logs": {run: meta for run, (_, meta) in logs.items()},
    }
    return arrays, meta


def restore_moment(cohort: Cohort, like: TrainState, content: Content) -> Moment:
    """The moment that a checkpoint holds, of the runs of the cohort.

    Args:
      cohort: the runs to go on with.
      like: a tree with the structure of a run's state.
      content: what was saved.

    Raises:
      InputError: if a run's data are not those it was trained on.
    """
    arrays, meta = content
    runs = list(cohort.tasks)
    for run in runs:
        _check_same_data(cohort.tasks[run], meta["logs"][str(run)]["fingerprint"])
    slots = {run: meta["slots"].index(run) for run in runs}
    states = {
        run: unflatten(like, {name: leaf[slot] for name, leaf in arrays["train"].items()})
        for run, slot in slots.items()
    }
    return cohort.go_on(
        states,
        {run: float(arrays["loss_sum"][slot]) for run, slot in slots.items()},
        meta["epoch"],
        meta["taken"],
        {
            run: _log(arrays.get("logs", {}).get(str(run), {}), meta["logs"][str(run)])
            for run in runs
        },
        meta["seconds"],
    )


def ended_content(result: Result, log: RunLog, task: Task, state: TrainState) -> Content:
    """A run that has ended as its file holds it."""
    arrays, meta = _log_content(log, task)
    data = result.data
    arrays |= {
        "final": result.final.trees(),
        "initial": result.initial.trees(),
        "labels": data.labels,
        "clean_labels": data.clean_labels,
    }
    if result.status == "max_epochs":  # it can be continued where that limit is raised
        arrays["train"] = flatten(state)
    meta |= {
        "status": result.status,
        "error": result.error,
        "epoch": result.final.epoch,
        "steps_per_epoch": result.steps_per_epoch,
        "name": data.name,
        "num_classes": data.num_classes,
        "image_shape": data.image_shape,
        "provenance": data.provenance,
    }
    return arrays, meta


def ended_result(task: Task, shared: Dataset, content: Content) -> Result:
    """The result that the file of an ended run holds.

    Args:
      task: the run.
      shared: the call's data set, which has been compared already.
      content: what was saved.

    Raises:
      InputError: if the run's data are not those it was trained on.
    """
    arrays, meta = content
    _check_same_labels(task, shared, content)
    run = task.run
    log = _log(arrays, meta)
    data = DataRecord(
        meta["name"],
        meta["num_classes"],
        tuple(meta["image_shape"]),
        arrays["labels"],
        arrays["clean_labels"],
        tuple(meta["provenance"]),
        meta["fingerprint"],
    )
    return Result(
        run=run,
        data=data,
        status=meta["status"],
        error=meta["error"],
        final=Checkpoint(meta["epoch"], **arrays["final"]),
        initial=Checkpoint(0, **arrays["initial"]),
        best=log.best,
        history=list(log.history),
        record=Record(**arrays["record"]),
        steps_per_epoch=meta["steps_per_epoch"],
    )


def continue_ended(
    cohort: Cohort, like: TrainState, epoch: int, contents: Mapping[int, Content]
) -> Moment:
    """Runs that ended after ``epoch`` epochs because that was the limit, to go on beyond it."""
    for run, (_, meta) in contents.items():
        _check_same_data(cohort.tasks[run], meta["fingerprint"])
    logs = {run: _log(*content) for run, content in contents.items()}
    return cohort.go_on(
        {run: unflatten(like, arrays["train"]) for run, (arrays, _) in contents.items()},
        dict.fromkeys(contents, 0.0),
        epoch + 1,
        0,
        logs,
        max(log.history[-1]["seconds"] for log in logs.values()),
    )


def _log_content(log: RunLog, task: Task) -> Content:
    arrays: dict[str, Any] = {}
    if log.recorded:
        arrays["record"] = as_record(log.recorded, task)._asdict()
    if log.best is not None:
        arrays["best"] = log.best.trees()
    meta = {
        "history": log.history,
        "stop_state": log.stop_state,
        "best_epoch": log.best.epoch if log.best else None,
        "fingerprint": task.dataset.fingerprint,
    }
    return arrays, meta


def _log(arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> RunLog:
    best = Checkpoint(meta["best_epoch"], **arrays["best"]) if "best" in arrays else None
    recorded: tuple[tuple[int, np.ndarray, np.ndarray], ...] = ()
    if "record" in arrays:
        columns = (arrays["record"][name] for name in Record._fields)
        recorded = tuple((int(e), p, m) for e, p, m in zip(*columns, strict=True))
    return RunLog(tuple(meta["history"]), recorded, meta["stop_state"], best)


def _check_same_labels(task: Task, shared: Dataset, content: Content) -> None:
    """As ``_check_same_data``, without reading images that are the shared ones."""
    arrays, meta = content
    ours = task.dataset
    if ours.train.images is shared.train.images and ours.test is shared.test:
        for name in ("labels", "clean_labels"):
            if not np.array_equal(arrays[name], getattr(ours.train, name)):
                raise _other_data(task, "train")
    else:
        _check_same_data(task, meta["fingerprint"])


def _check_same_data(task: Task, before: Mapping[str, str]) -> None:
    """Nothing is continued on other labels or images than it was begun with."""
    different = [part for part, now in task.dataset.fingerprint.items() if before[part] != now]
    if different:
        raise _other_data(task, " and ".join(different))


def _other_data(task: Task, part: str) -> InputError:
    return InputError(
        f"run {task.run.label!r}: the {part} data are not those that its checkpoint was trained "
        "on; restore them, or train anew in another folder"
    )
