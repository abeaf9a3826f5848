"""How the claims of Smith et al. (2021) are tested."""

import statistics
from collections.abc import Callable, Sequence

from rote.studies.comparison import Finding, Result, Row, is_number, mean_interval, select
from rote.studies.comparison.findings import enough, mean_text
from rote.studies.comparison.rule import FEWEST_SEEDS
from rote.studies.smith2021.orders import expected_order

ORDER_MARGIN = 0.1
"""A fitted order this close counts as the theory's."""
ORDER_TEST = (
    "for every number of mini-batches the 95 % t interval of the mean fitted order over seeds lies "
    f"within {ORDER_MARGIN:g} of the theory's; it does not hold where one lies wholly outside"
)
GAIN_TEST = (
    "for each seed the best setting is the one of the highest mean test accuracy over the other "
    "seeds; the 95 % t interval of the mean gain over the setting named, on the seed left out, is "
    "above 0, and it does not hold where it is not above 0 anywhere; what diverged has accuracy 0"
)


def order(span: str, compared: str) -> Callable[[Result], Finding | None]:
    """``ORDER_TEST``, for two paths over a span."""
    theory = expected_order(span, compared)

    def judged(result: Result) -> Finding | None:
        orders: dict[int, list[float]] = {}
        for row in select(result, {"span": span, "compared": compared}):
            orders.setdefault(row["mini_batches"], []).append(row["order"])
        if not orders:
            return None
        said = ", ".join(f"m = {m}: {statistics.fmean(of):.3f}" for m, of in orders.items())
        fewest = min(map(len, orders.values()))
        measured = f"{said} ({fewest})"
        if fewest < FEWEST_SEEDS:
            return Finding(measured, "too few")
        intervals = [mean_interval(of) for of in orders.values()]
        low, high = theory - ORDER_MARGIN, theory + ORDER_MARGIN
        if any(end < low or start > high for start, end in intervals):
            return Finding(measured, "does not hold")
        within = all(low <= start and end <= high for start, end in intervals)
        return Finding(measured, "holds" if within else "inconclusive")

    return judged


def rate_gain(over: Callable[[Sequence[float]], float]) -> Callable[[Result], Finding | None]:
    """``GAIN_TEST``: of the best learning rate without penalty over the one that is named.

    Args:
      over: which of all rates, ``min`` or ``max``.
    """

    def judged(result: Result) -> Finding | None:
        rows = select(result, {"penalty": False})
        rates = [row["learning_rate"] for row in rows]
        return _gain(rows, "learning_rate", over(rates)) if rows else None

    return judged


def penalty_gain(result: Result) -> Finding | None:
    """``GAIN_TEST``: of the best penalty over none, at the rate that has penalties."""
    rates = {row["learning_rate"] for row in select(result, {"penalty": True})}
    if len(rates) != 1:
        return None
    return _gain(select(result, {"learning_rate": rates.pop()}), "penalty", 0.0)


def _gain(rows: Sequence[Row], column: str, base: float) -> Finding | None:
    accuracies: dict[float, dict[int, float]] = {}
    for row in rows:
        value = row["test_accuracy"]
        of = accuracies.setdefault(row[column], {})
        of[row["seed"]] = value if is_number(value) else 0.0
    seeds = list(accuracies.get(base, {}))
    if len(accuracies) < 2 or not seeds:
        return None
    if len(seeds) < FEWEST_SEEDS:
        return Finding(f"n = {len(seeds)}", "too few")
    gains, chosen = held_out_gains(accuracies, base)
    low, high = mean_interval(gains)
    verdict = "holds" if low > 0 else "does not hold" if high <= 0 else "inconclusive"
    best = " or ".join(f"{value:g}" for value in sorted(set(chosen)))
    return Finding(
        f"{mean_text(gains, signed=True)}, {column.replace('_', ' ')} {best} over {base:g}",
        enough(len(seeds), verdict),
    )


def held_out_gains(
    accuracies: dict[float, dict[int, float]], base: float
) -> tuple[list[float], list[float]]:
    """What choosing the best setting gains, on seeds that had no part in the choice.

    Args:
      accuracies: by setting and seed.
      base: the setting that gains are counted from.

    Returns:
      By seed of ``base``, the gain and the setting that was chosen.

    >>> held_out_gains({1.0: {0: 0.5, 1: 0.5}, 2.0: {0: 0.75, 1: 0.25}}, 1.0)
    ([0.0, -0.25], [1.0, 2.0])
    """
    gains, chosen = [], []
    for seed in accuracies[base]:
        others = {
            setting: [value for other, value in of.items() if other != seed]
            for setting, of in accuracies.items()
            if seed in of and len(of) > 1
        }
        best = max(others, key=lambda setting: statistics.fmean(others[setting]))
        gains.append(accuracies[best][seed] - accuracies[base][seed])
        chosen.append(best)
    return gains, chosen
