"""What Santurkar et al. (2018) claim in words, each with its test, fixed before the run."""

import math
from collections.abc import Callable, Sequence

from rote.studies.comparison import (
    FEWEST_SEEDS,
    Claim,
    Finding,
    Result,
    Row,
    is_number,
    mean_interval,
    select,
)
from rote.studies.santurkar2018.landscape import LANDSCAPE

EXPERIMENTS = ("shift_and_smoothness",)
AS_WELL = 0.05
"""Train accuracies this close count as training as well."""

AS_WELL_TEST = (
    "at every rate, paired by seed, the 95 % t interval of the mean difference of train accuracies "
    f"lies above -{100 * AS_WELL:g} points; it does not hold where at every rate it lies below; "
    "what diverged has accuracy 0"
)
BETTER_TEST = (
    "at every rate, paired by seed, the 95 % t interval of the mean difference of train accuracies "
    "lies above 0; it does not hold where at none it reaches above 0; what diverged has accuracy 0"
)
COSINE_TEST = (
    "at every rate, paired by seed, the 95 % t interval of the mean difference of the median "
    "cosines, with batch norm less without, lies below 0; it does not hold where at every rate it "
    "lies above 0"
)
SMOOTHER_TEST = (
    "at every rate, paired by seed, the 95 % t interval of the mean log10 ratio of the medians "
    "over training, with batch norm over without, lies below 0; it does not hold where at every "
    "rate it lies above 0"
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        Claim(
            "Section 2.1",
            "second-hand",
            "with noise behind it, batch norm trains about as well as without noise",
            AS_WELL_TEST,
            EXPERIMENTS,
            compared("noisy_batch_norm", "batch_norm", _accuracies, shifted=AS_WELL),
        ),
        Claim(
            "Section 2.1",
            "second-hand",
            "with noise behind it, batch norm trains better than no norm",
            BETTER_TEST,
            EXPERIMENTS,
            compared("noisy_batch_norm", "plain", _accuracies),
        ),
        Claim(
            "Section 2.2",
            "second-hand",
            "batch norm does not keep the layers' gradients from shifting (cosines no nearer to 1)",
            COSINE_TEST,
            EXPERIMENTS,
            compared("batch_norm", "plain", _difference("gradient_cosine"), falls=True),
        ),
        *(
            Claim(
                "Section 3.1",
                "second-hand",
                f"with batch norm the {name.replace('_', ' ')} along the gradient is smaller",
                SMOOTHER_TEST,
                EXPERIMENTS,
                compared("batch_norm", "plain", _log_ratio(name), falls=True),
            )
            for name in LANDSCAPE
        ),
    ]


Pair = Callable[[Row, Row], float | None]


def compared(
    treated: str, untreated: str, change: Pair, *, falls: bool = False, shifted: float = 0.0
) -> Callable[[Result], Finding | None]:
    """Whether a net's number is larger than another's at every rate, over seeds.

    Args:
      treated: a net.
      untreated: the one that it is compared with.
      change: from a row of each, of the same rate and seed, to what is tested; ``None`` where one
        has no number.
      falls: ask whether it is smaller.
      shifted: added to the change first.
    """

    def judged(result: Result) -> Finding | None:
        one, other = (select(result, {"net": net}) for net in (treated, untreated))
        if not one or not other:
            return None
        before = {(row["learning_rate"], row["seed"]): row for row in other}
        said, verdicts = [], []
        for rate in sorted({row["learning_rate"] for row in one}):
            pairs = [
                change(row, before[rate, row["seed"]])
                for row in one
                if row["learning_rate"] == rate and (rate, row["seed"]) in before
            ]
            values = [value for value in pairs if value is not None]
            if len(values) < FEWEST_SEEDS:
                said.append(f"rate {rate:g}: n = {len(values)}")
                verdicts.append("too few")
                continue
            low, high = mean_interval(values)
            said.append(
                f"rate {rate:g}: {sum(values) / len(values):+.3f} [{low:+.3f}, {high:+.3f}]"
                f" ({len(values)})"
            )
            ends = (-high, -low) if falls else (low + shifted, high + shifted)
            verdicts.append(
                "holds" if ends[0] > 0 else "does not hold" if ends[1] <= 0 else "inconclusive"
            )
        return Finding("; ".join(said), _together(verdicts))

    return judged


def _together(verdicts: Sequence[str]) -> str:
    """One verdict for all rates: theirs, where they agree."""
    if "too few" in verdicts:
        return "too few"
    return verdicts[0] if len(set(verdicts)) == 1 else "inconclusive"


def _accuracies(one: Row, other: Row) -> float:
    """Their difference; what diverged has accuracy 0."""
    first, second = (
        row["train_accuracy"] if is_number(row["train_accuracy"]) else 0.0 for row in (one, other)
    )
    return float(first - second)


def _difference(column: str) -> Pair:
    def change(one: Row, other: Row) -> float | None:
        known = is_number(one[column]) and is_number(other[column])
        return float(one[column] - other[column]) if known else None

    return change


def _log_ratio(column: str) -> Pair:
    def change(one: Row, other: Row) -> float | None:
        known = all(is_number(row[column]) and row[column] > 0 for row in (one, other))
        return math.log10(one[column] / other[column]) if known else None

    return change
