"""What Arpit et al. (2017) claim that easy_examples.py shows, each claim with its test."""

from collections.abc import Callable

from rote.studies.comparison import (
    FEWEST_SEEDS,
    Claim,
    Finding,
    Result,
    is_number,
    mean_interval,
    select,
)
from rote.studies.comparison.findings import paired_differences

EXPERIMENTS = ("easy_examples",)
MEASURED = ("error_rate", "distance", "chance_distance", "dispersion", "split_half")
"""The columns of what a run has measured."""
COLUMNS = ("data", "num_nets", "num_examples")
"""Those that tell settings and seeds apart."""

AGREEMENT = 0.5
NEAR = 0.1
AGREE_TEST = (
    "the 95 % t interval over seeds of the split-half correlation, of the error rates of one half "
    f"of the nets with those of the other, lies above {AGREEMENT:g}; it does not hold below"
)
WIDER_TEST = (
    "paired by seed, the 95 % t interval of the difference of the two distances to the binomial "
    "distribution lies above 0; it does not hold below"
)
NEAR_TEST = (
    "the 95 % t interval over seeds of the distance to the binomial distribution, over that of "
    f"real data, lies below {NEAR:g}; it does not hold above"
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        _claim("nets agree on which real examples are easy", AGREE_TEST, _agree),
        _claim(
            "real examples differ more in how easy they are than random inputs",
            WIDER_TEST,
            _wider("real", "random inputs"),
        ),
        _claim(
            "real examples differ more in how easy they are than with random labels",
            WIDER_TEST,
            _wider("real", "random labels"),
        ),
        _claim("with random inputs the errors are near binomial", NEAR_TEST, _near),
        _claim(
            "with random labels the errors are less near binomial than with random inputs",
            WIDER_TEST,
            _wider("random labels", "random inputs"),
        ),
    ]


def _claim(text: str, test: str, judge: Callable[[Result], Finding | None]) -> Claim:
    return Claim("Fig. 1", "verified", text, test, EXPERIMENTS, judge)


def _judged(values: list[float], text: str, limit: float, *, above: bool) -> Finding:
    """Whether the mean is above, or below, a limit."""
    if len(values) < FEWEST_SEEDS:
        return Finding(", ".join(f"{value:.4f}" for value in values) or "-", "too few")
    low, high = mean_interval(values)
    over, under = low > limit, high < limit
    holds, fails = (over, under) if above else (under, over)
    verdict = "holds" if holds else "does not hold" if fails else "inconclusive"
    mean = sum(values) / len(values)
    return Finding(f"{text} {mean:.4f} [{low:.4f}, {high:.4f}] ({len(values)})", verdict)


def _agree(result: Result) -> Finding | None:
    """``AGREE_TEST``."""
    rows = select(result, {"data": "real"})
    values = [row["split_half"] for row in rows if is_number(row["split_half"])]
    return _judged(values, "correlation", AGREEMENT, above=True) if rows else None


def _wider(more: str, less: str) -> Callable[[Result], Finding | None]:
    """``WIDER_TEST``."""

    def judged(result: Result) -> Finding | None:
        treated, untreated = (select(result, {"data": data}) for data in (more, less))
        if not treated or not untreated:
            return None
        pairs = paired_differences(treated, untreated, "distance")
        return _judged(pairs, "difference", 0.0, above=True)

    return judged


def _near(result: Result) -> Finding | None:
    """``NEAR_TEST``."""
    real = {row["seed"]: row["distance"] for row in select(result, {"data": "real"})}
    rows = select(result, {"data": "random inputs"})
    ratios = [row["distance"] / real[row["seed"]] for row in rows if real.get(row["seed"])]
    return _judged(ratios, "ratio", NEAR, above=False) if ratios else None
