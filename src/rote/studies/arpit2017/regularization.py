"""What Arpit et al. (2017) claim that regularization.py shows, each claim with its test."""

import statistics
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from rote.studies.comparison import (
    FEWEST_SEEDS,
    TEST_MARGIN,
    Claim,
    Finding,
    Result,
    Row,
    is_number,
    mean_interval,
)
from rote.studies.comparison.findings import mean_text

EXPERIMENTS = ("regularization",)
MEASURED = ("random_accuracy", "validation_accuracy", "train_accuracy")
"""The columns of what a run has measured; one that diverged has measured nothing."""
COLUMNS = ("regularizer", "strength", "with_dropout")
"""Those that tell settings and seeds apart."""

NONE = "none"
DROPOUT = ("dropout", "adversarial")
"""Dropout, and dropout with adversarial training."""
_CHOICE = (
    "for each seed and regulariser the strength is the one with the lowest mean training accuracy "
    "on random labels over the other seeds, of those whose mean validation accuracy on real data "
    "over the other seeds is at most a point below that without a regulariser, none being one"
)
LIMITS_TEST = (
    f"{_CHOICE}; the 95 % t interval of the mean change of the training accuracy on random labels, "
    "on the seed left out, lies below 0; it does not hold where it is not below 0 anywhere"
)
BEST_TEST = (
    f"{_CHOICE}; of dropout alone and with adversarial training the one that is lower over the "
    "other seeds stands for both; for every other regulariser the 95 % t interval of the mean "
    "difference to it, on the seed left out, lies below 0; it does not hold where one is not below "
    "0 anywhere"
)


class Seed(NamedTuple):
    """What a seed has reached with a setting."""

    random: float
    validation: float


Settings = dict[tuple[str, float, float], dict[int, Seed]]
"""By regulariser, strength and the dropout of adversarial training, then by seed."""


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        _claim(
            "dropout limits the memorisation of random labels at the same accuracy on real data",
            LIMITS_TEST,
            _limits("dropout"),
        ),
        _claim("so does dropout with adversarial training", LIMITS_TEST, _limits("adversarial")),
        _claim("they do it better than the other regularisers", BEST_TEST, _best),
    ]


def _claim(text: str, test: str, judge: Callable[[Result], Finding | None]) -> Claim:
    return Claim("Fig. 10 and 11", "verified", text, test, EXPERIMENTS, judge)


def _settings(rows: Sequence[Row]) -> Settings:
    """The settings whose every seed has both accuracies; none, without the plain training."""
    found: Settings = {}
    seeds = {row["seed"] for row in rows}
    for row in rows:
        random, validation = row["random_accuracy"], row["validation_accuracy"]
        if is_number(random) and is_number(validation):
            setting = row["regularizer"], row["strength"], row["with_dropout"]
            found.setdefault(setting, {})[row["seed"]] = Seed(random, validation)
    return {setting: of for setting, of in found.items() if set(of) == seeds}


def chosen(
    settings: Settings, regularizers: Collection[str], seed: int
) -> tuple[str, float, float]:
    """The setting that memorises least at the same validation accuracy, without looking at a seed.

    Args:
      settings: what was reached; every setting by all seeds.
      regularizers: which to choose from; to have none is always a choice.
      seed: the one that has no part in it.

    >>> settings = {
    ...     ("none", 0.0, 0.0): {0: Seed(1.0, 0.5), 1: Seed(1.0, 0.5)},
    ...     ("dropout", 0.5, 0.0): {0: Seed(0.8, 0.5), 1: Seed(0.8, 0.5)},
    ...     ("dropout", 0.9, 0.0): {0: Seed(0.2, 0.5), 1: Seed(0.2, 0.3)},
    ... }
    >>> chosen(settings, ["dropout"], seed=0), chosen(settings, ["dropout"], seed=1)
    (('dropout', 0.5, 0.0), ('dropout', 0.9, 0.0))
    """

    def mean(setting: tuple[str, float, float], column: str) -> float:
        others = [value for other, value in settings[setting].items() if other != seed]
        return statistics.fmean(getattr(value, column) for value in others)

    allowed = [setting for setting in settings if setting[0] in {NONE, *regularizers}]
    plain = next(setting for setting in settings if setting[0] == NONE)
    least = mean(plain, "validation") - TEST_MARGIN - 1e-9
    same = [setting for setting in allowed if mean(setting, "validation") >= least]
    return min(same, key=lambda setting: mean(setting, "random"))


def _differences(
    settings: Settings, treated: Collection[str], untreated: Collection[str], column: str
) -> list[float]:
    """By seed, between the settings chosen of either."""
    plain = next(of for setting, of in settings.items() if setting[0] == NONE)
    return [
        getattr(settings[chosen(settings, treated, seed)][seed], column)
        - getattr(settings[chosen(settings, untreated, seed)][seed], column)
        for seed in plain
    ]


def _judged_on(result: Result, needed: Collection[str]) -> tuple[Settings, Finding | None] | None:
    """The settings; and a finding already, where there are too few seeds."""
    if not {NONE, *needed} <= {row["regularizer"] for row in result.table}:
        return None
    settings = _settings(result.table)
    seeds = len({row["seed"] for row in result.table})
    few = None
    if seeds < FEWEST_SEEDS or not any(setting[0] == NONE for setting in settings):
        few = Finding(f"n = {seeds}", "too few")
    return settings, few


def _limits(regularizer: str) -> Callable[[Result], Finding | None]:
    """``LIMITS_TEST``."""

    def judged(result: Result) -> Finding | None:
        found = _judged_on(result, [regularizer])
        if found is None:
            return None
        settings, few = found
        if few:
            return few
        changes = _differences(settings, [regularizer], [], "random")
        validation = _differences(settings, [regularizer], [], "validation")
        low, high = mean_interval(changes)
        verdict = "holds" if high < 0 else "does not hold" if low >= 0 else "inconclusive"
        return Finding(
            f"{mean_text(changes, signed=True)}, {_strengths(settings, regularizer)}; validation "
            f"accuracy {100 * statistics.fmean(validation):+.2f}",
            verdict,
        )

    return judged


def _strengths(settings: Settings, regularizer: str) -> str:
    """Which were chosen, in words."""
    seeds = next(iter(settings.values()))
    picked = sorted({chosen(settings, [regularizer], seed) for seed in seeds})
    return "at " + " or ".join(
        NONE if kind == NONE else f"{strength:g}" + (f" with {rate:g}" if rate else "")
        for kind, strength, rate in picked
    )


def _best(result: Result) -> Finding | None:
    """``BEST_TEST``."""
    kinds = dict.fromkeys(row["regularizer"] for row in result.table)
    rivals = [kind for kind in kinds if kind not in (NONE, *DROPOUT)]
    found = _judged_on(result, DROPOUT)
    if found is None or not rivals:
        return None
    settings, few = found
    if few:
        return few
    by_rival = {rival: _differences(settings, DROPOUT, [rival], "random") for rival in rivals}
    intervals = [mean_interval(of) for of in by_rival.values()]
    verdict = (
        "holds"
        if all(high < 0 for _, high in intervals)
        else "does not hold"
        if any(low >= 0 for low, _ in intervals)
        else "inconclusive"
    )
    said = ", ".join(
        f"{rival.replace('_', ' ')} {100 * statistics.fmean(of):+.1f}"
        for rival, of in by_rival.items()
    )
    seeds = len(next(iter(by_rival.values())))
    return Finding(f"points to: {said} ({seeds})", verdict)
