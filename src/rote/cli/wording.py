"""What training tells, in words: one line each."""

from collections.abc import Mapping

from rote.train.events import Resumed, Started
from rote.train.result import Row


def describe_cost(event: Started) -> str:
    """How the runs map to the hardware and what they will cost.

    >>> mapping = "15 runs on 2 cpu devices, one after another (map) on each"
    >>> print(describe_cost(Started(15, 200, 78, mapping, 3000, 4.0, 0.003, 0.01)))
    15 runs on 2 cpu devices, one after another (map) on each; at most 12 min for 3,000 epochs of
    78 steps (3 ms a step, 10 ms an evaluation, compiled in 4 s)
    """
    if event.groups:
        return (
            f"{event.num_runs} runs in {len(event.groups)} groups ({event.mapping}); at most "
            f"{duration(event.max_seconds)} for {event.epochs_left:,} epochs "
            f"(compiled in {duration(event.compile_seconds)})"
        )
    if not event.epochs_left:
        return f"{event.mapping}; nothing is left to train"
    return (
        f"{event.mapping}; at most {duration(event.max_seconds)} for {event.epochs_left:,} "
        f"epochs of {event.steps_per_epoch} steps ({duration(event.seconds_per_step)} a step, "
        f"{duration(event.seconds_per_evaluation)} an evaluation, "
        f"compiled in {duration(event.compile_seconds)})"
    )


def describe_resumed(event: Resumed, num_runs: int) -> str:
    """Where a training goes on.

    >>> histories = {run: [{"epoch": epoch} for epoch in range(7)] for run in range(3, 15)}
    >>> describe_resumed(Resumed({0: None, 1: None, 2: None}, histories, ()), 15)
    'continuing: 3 of 15 runs finished, 12 under way from epoch 7'
    """
    done = f"continuing: {len(event.finished)} of {num_runs} runs finished"
    if not event.histories:
        return done
    epochs = sorted({rows[-1]["epoch"] + 1 if rows else 1 for rows in event.histories.values()})
    epoch = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"
    return f"{done}, {len(event.histories)} under way from {epoch}"


def describe_rows(rows: Mapping[str, Row], now: str = "") -> str:
    """Where the runs that are trained together are: ``now``, and their newest rows by label.

    >>> row = {"epoch": 3, "train_loss": 2.0, "train_accuracy": 0.25, "test_accuracy": 0.1}
    >>> describe_rows({"seed 0": row})
    'seed 0: epoch 3, loss 2, train 25.0 %, test 10.0 %'
    >>> describe_rows({"seed 0": row, "seed 1": {**row, "train_accuracy": 1.0}})
    '2 runs: epoch 3, train 25.0 to 100.0 %'
    """
    if not rows:
        return now
    if len(rows) == 1:
        ((label, row),) = rows.items()
        return f"{label}: {now or numbers(row)}"
    accuracies = [100 * row["train_accuracy"] for row in rows.values()]
    epoch = next(iter(rows.values()))["epoch"]
    spread = f"train {min(accuracies):.1f} to {max(accuracies):.1f} %"
    return f"{len(rows)} runs: {now or f'epoch {epoch}'}, {spread}"


def numbers(row: Row) -> str:
    """The numbers of a row that tell most."""
    return (
        f"epoch {row['epoch']}, loss {row['train_loss']:.3g}, "
        f"train {100 * row['train_accuracy']:.1f} %, test {100 * row['test_accuracy']:.1f} %"
    )


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration(0.012), duration(4.31), duration(200), duration(7000)
    ('12 ms', '4.3 s', '3.3 min', '1.9 h')
    """
    sizes = {"days": 86400, "h": 3600, "min": 60, "s": 1, "ms": 1e-3}
    unit = next((unit for unit, size in sizes.items() if seconds >= size), "ms")
    amount = seconds / sizes[unit]
    return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.2g} {unit}"
