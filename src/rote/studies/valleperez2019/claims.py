"""What Valle-Perez et al. (2019) claim in words, each with its test, fixed before a run was made.

The paper's plots are known from the authors' poster. It prints no numbers, so a test says what
would contradict the claim.
"""

from collections.abc import Callable, Sequence

from rote.studies.comparison import (
    FEWEST_SEEDS,
    Claim,
    Finding,
    Result,
    Row,
    findings,
    is_number,
    mean_interval,
    select,
)
from rote.studies.valleperez2019.spectrum import FOUND_OFTEN

EXPERIMENTS = ("simplicity_bias",)
DECADES = 3.0
"""Powers of ten that are "many"."""
ABOVE = 0.001
"""Share of functions that may be above a bound, of those whose frequency is known to a third."""

DECADES_TEST = (
    "in every seed the most frequent function was found at least 1,000 times as often as some "
    "function that was found ten times or more; too few samples where it was not itself found "
    "10,000 times"
)
FALLS_TEST = (
    "the 95 % t interval over seeds of Spearman's correlation of P and K, over functions found at "
    "least twice, lies below 0"
)
BOUND_TEST = (
    "the line over one seed's largest P at each K falls, and at most 1 in 1,000 of the functions "
    "that the next seed found ten times or more are above it by more than a factor of two; in "
    "every seed"
)
SIMPLER_TEST = (
    "paired by seed, the 95 % t interval of the mean complexity of what nets compute, less that of "
    "random functions, lies below 0"
)
OTHERS_TEST = (
    "the 95 % t interval over seeds of Spearman's correlation of P and K lies below 0 in every "
    "setting"
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        Claim(
            "rank plot",
            "verified",
            "P(f) spans many orders of magnitude",
            DECADES_TEST,
            EXPERIMENTS,
            findings.over({"kind": "net"}, _decades),
        ),
        Claim(
            "complexity plot",
            "verified",
            "P(f) falls with complexity",
            FALLS_TEST,
            EXPERIMENTS,
            findings.over({"kind": "net"}, _falls),
        ),
        Claim(
            "complexity plot",
            "verified",
            "P(f) is below a bound 2^(-a K + b)",
            BOUND_TEST,
            EXPERIMENTS,
            findings.over({"kind": "net"}, _bounded),
        ),
        Claim(
            "title",
            "verified",
            "nets with random parameters compute simpler functions than chance would give",
            SIMPLER_TEST,
            EXPERIMENTS,
            _simpler,
        ),
        Claim(
            "rank plot and appendix",
            "recalled",
            "the same holds for other scales, depths and distributions of the parameters",
            OTHERS_TEST,
            EXPERIMENTS,
            findings.over({"kind": "other net"}, _others),
        ),
    ]


def _values(rows: Sequence[Row], column: str) -> list[float]:
    return [row[column] for row in rows if is_number(row.get(column))]


def _decades(rows: Sequence[Row]) -> Finding:
    """``DECADES_TEST``."""
    values = _values(rows, "decades")
    most = min(row["most_frequent"] * row["num_samples"] for row in rows)
    if len(values) < len(rows) or most < FOUND_OFTEN * 10**DECADES:
        return Finding(f"the most frequent function: {most:,.0f} times", "too few")
    verdict = "holds" if min(values) >= DECADES else "does not hold"
    measured = f"{min(values):.2f} to {max(values):.2f} powers of ten ({len(values)})"
    return Finding(measured, findings.enough(len(values), verdict))


def _falls(rows: Sequence[Row]) -> Finding:
    """``FALLS_TEST``."""
    return _below_zero(_values(rows, "rank_correlation"), "correlation {:.3f} [{:.3f}, {:.3f}]")


def _below_zero(values: Sequence[float], text: str) -> Finding:
    if len(values) < FEWEST_SEEDS:
        return Finding(", ".join(f"{value:.3f}" for value in values) or "-", "too few")
    low, high = mean_interval(values)
    verdict = "holds" if high < 0 else "does not hold" if low > 0 else "inconclusive"
    measured = text.format(sum(values) / len(values), low, high)
    return Finding(f"{measured} ({len(values)})", verdict)


def _bounded(rows: Sequence[Row]) -> Finding:
    """``BOUND_TEST``."""
    above, slopes = _values(rows, "above_bound"), _values(rows, "bound_slope")
    if len(above) < len(rows):
        return Finding(f"judged: {len(above)} of {len(rows)} seeds", "too few")
    holds = min(slopes) > 0 and max(above) <= ABOVE
    measured = (
        f"a from {min(slopes):.3f} to {max(slopes):.3f}; above it {100 * min(above):.2f} to "
        f"{100 * max(above):.2f} % ({len(above)})"
    )
    return Finding(measured, findings.enough(len(above), "holds" if holds else "does not hold"))


def _simpler(result: Result) -> Finding | None:
    """``SIMPLER_TEST``."""
    nets, chance = (select(result, {"kind": kind}) for kind in ("net", "random functions"))
    if not nets or not chance:
        return None
    pairs = findings.paired_differences(nets, chance, "mean_complexity")
    return _below_zero(pairs, "difference {:.1f} [{:.1f}, {:.1f}]")


def _others(rows: Sequence[Row]) -> Finding:
    """``OTHERS_TEST``; the setting that says it least decides."""
    found = {
        name: _falls([row for row in rows if row["setting"] == name])
        for name in dict.fromkeys(row["setting"] for row in rows)
    }
    verdicts = [finding.verdict for finding in found.values()]
    order: Callable[[str], int] = ("does not hold", "too few", "inconclusive", "holds").index
    measured = f"holds in {verdicts.count('holds')} of {len(verdicts)} settings"
    return Finding(measured, min(verdicts, key=order))
