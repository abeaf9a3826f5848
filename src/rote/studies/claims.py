"""What the paper claims in words, each judged by a test of its own.

A claim is about what networks do, not about a number to the point; so it is judged on any data that
a result has, a subset or a JPEG copy too, and the table says which.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rote.studies.comparison import FEWEST_SEEDS, is_number, t_quantile
from rote.studies.published import MODEL_NAMES, TABLE_1, Table1Row, Tag, setting
from rote.studies.results import Result, Row, select


class Claim(NamedTuple):
    """A qualitative claim of the paper, with its test.

    Attributes:
      where: in the paper.
      tag: how sure it is that the paper says so.
      text: the claim.
      test: how it is judged, in words.
      experiments: whose tables can show it.
      judge: from a result file to what was measured and the verdict, or ``None`` where the file
        says nothing about it.
    """

    where: str
    tag: Tag
    text: str
    test: str
    experiments: tuple[str, ...]
    judge: Callable[[Result], "Finding | None"]


class Finding(NamedTuple):
    """What was measured, in words, and what it says of the claim."""

    measured: str
    verdict: str


class Judged(NamedTuple):
    """A claim with a finding of one result file, or with none."""

    claim: Claim
    finding: Finding
    result: Result | None = None


FITTED = 0.99
"""Train accuracy from which labels count as fitted."""
NUM_CLASSES = 10


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % t interval of a mean, ``mean +- t_{n-1, 0.975} * s / sqrt(n)``.

    Args:
      values: two or more.
    """
    half = t_quantile(len(values)) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - half, mean + half


def paired_differences(
    treated: Sequence[Row], untreated: Sequence[Row], column: str
) -> list[float]:
    """By seed, what a treatment changed; seeds without both runs are left out."""
    before = {row["seed"]: row[column] for row in untreated if is_number(row.get(column))}
    return [
        row[column] - before[row["seed"]]
        for row in treated
        if row["seed"] in before and is_number(row.get(column))
    ]


FITTED_TEST = "every seed's train accuracy is at least 99 %"
UNFITTED_TEST = "every seed's train accuracy is below 99 %"
CHANCE_TEST = "the 95 % t interval of the mean test accuracy over seeds contains 1/10"
EFFECT_TEST = (
    "paired by seed; raises or lowers where the 95 % t interval of the mean difference excludes 0"
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    random_rows = [row for row in TABLE_1 if row.labels == "random"]
    return [
        *(
            Claim(
                "Table 1",
                "second-hand",
                f"{MODEL_NAMES[row.model]} {text}",
                test,
                ("table1", "corruption_sweep"),
                _random_labels(row.model, finding),
            )
            for text, test, finding in (
                ("fits random labels", FITTED_TEST, _fitted),
                ("is at chance after random labels", CHANCE_TEST, _at_chance),
            )
            for row in random_rows
        ),
        *(
            Claim(
                "Fig. 1a",
                "verified",
                f"the labels are fitted under {condition}",
                FITTED_TEST,
                ("learning_curves",),
                _over({"condition": condition}, _fitted),
            )
            for condition in ("random_labels", "shuffled_pixels", "random_pixels", "gaussian")
        ),
        *(
            Claim(
                "Appendix E",
                "verified",
                f"{MODEL_NAMES[model]} {'fails to fit' if fails else 'fits'} random labels under "
                "weight decay",
                UNFITTED_TEST if fails else FITTED_TEST,
                ("explicit_regularizers",),
                _over(
                    {"model": model, "regularizer": "weight_decay"},
                    _not_fitted if fails else _fitted,
                ),
            )
            for model, fails in (
                ("inception_small", False),
                ("alexnet_small", True),
                ("mlp_3x512", False),
                ("mlp_1x512", False),
            )
        ),
        *_effects_on_test_accuracy(),
        *(
            Claim(
                "Table 4",
                "recalled",
                f"effect of {regularizer.replace('_', ' ')} on fitting random labels, "
                f"{MODEL_NAMES[model]} (train accuracy)",
                EFFECT_TEST,
                ("explicit_regularizers",),
                _effect(
                    {"model": model, "regularizer": regularizer},
                    {"model": model, "regularizer": "none"},
                    "train_accuracy",
                ),
            )
            for model, regularizer in (
                ("inception_small", "random_crop"),
                ("inception_small", "augmentation"),
            )
        ),
        Claim(
            "Fig. 2b",
            "verified",
            "early stopping does not help on CIFAR-10",
            "for no network is the 95 % t interval of the mean gain in test accuracy, by stopping "
            "on a validation split, wholly above 0",
            ("early_stopping",),
            _early_stopping,
        ),
        Claim(
            "Section 5",
            "verified",
            "MNIST: the solution with the smaller error has the larger norm",
            "Gabor wavelets have a smaller test error and a larger norm than pixels",
            ("linear_models",),
            _norms,
        ),
    ]


def _effects_on_test_accuracy() -> list[Claim]:
    """Every pair of rows of Table 1 that differ in one treatment."""
    true = [row for row in TABLE_1 if row.labels == "true"]
    pairs = [
        (one, other, treatment)
        for treatment in ("weight_decay", "random_crop")
        for one in true
        for other in true
        if getattr(one, treatment) > getattr(other, treatment) and _alike(one, other, treatment)
    ]
    pairs += [
        (one, other, "batch norm")
        for one in true
        for other in true
        if other.model == f"{one.model}_no_bn" and _alike(one, other, "model")
    ]
    made = []
    for treated, untreated, treatment in pairs:
        with_ = [
            name.replace("_", " ")
            for name in ("random_crop", "weight_decay")
            if name != treatment and getattr(treated, name)
        ]
        what = ", ".join([MODEL_NAMES[treated.model], *(f"with {name}" for name in with_)])
        made.append(
            Claim(
                "Table 1",
                "computed",
                f"effect of {treatment.replace('_', ' ')} on test accuracy, {what} "
                f"(paper: {treated.test - untreated.test:+.2f} points)",
                EFFECT_TEST,
                ("table1",),
                _effect(setting(treated), setting(untreated), "test_accuracy"),
            )
        )
    return made


def _alike(one: Table1Row, other: Table1Row, but: str) -> bool:
    """Whether two settings differ in nothing else."""
    return {**setting(one), but: None} == {**setting(other), but: None}


def _over(
    match: Row, finding: Callable[[Sequence[Row]], Finding]
) -> Callable[[Result], Finding | None]:
    def judged(result: Result) -> Finding | None:
        rows = select(result, match)
        return finding(rows) if rows else None

    return judged


def _random_labels(
    model: str, finding: Callable[[Sequence[Row]], Finding]
) -> Callable[[Result], Finding | None]:
    matches = {
        "table1": {
            "model": model,
            "labels": "random",
            "random_crop": False,
            "weight_decay": False,
        },
        "corruption_sweep": {"model": model, "corruption": 1.0},
    }
    return lambda result: _over(matches[result.experiment], finding)(result)


def _enough(n: int, verdict: str) -> str:
    return verdict if n >= FEWEST_SEEDS else "too few"


def _fitted(rows: Sequence[Row]) -> Finding:
    accuracies = [_train_accuracy(row) for row in rows]
    verdict = "holds" if min(accuracies) >= FITTED else "does not hold"
    return Finding(f"{_range(accuracies)} ({len(rows)})", _enough(len(rows), verdict))


def _not_fitted(rows: Sequence[Row]) -> Finding:
    accuracies = [_train_accuracy(row) for row in rows]
    verdict = "holds" if max(accuracies) < FITTED else "does not hold"
    return Finding(f"{_range(accuracies)} ({len(rows)})", _enough(len(rows), verdict))


def _train_accuracy(row: Row) -> float:
    """A run that diverged has no accuracy: it has not fitted."""
    value = row["train_accuracy"]
    return value if is_number(value) else 0.0


def _range(values: Sequence[float]) -> str:
    # Cut off, not rounded: 99.97 % is no 100.0 %.
    shown = sorted({f"{math.floor(1000 * value + 1e-9) / 10:.1f}" for value in values}, key=float)
    return f"{shown[0]} to {shown[-1]} %" if len(shown) > 1 else f"{shown[0]} %"


def _at_chance(rows: Sequence[Row]) -> Finding:
    values = [row["test_accuracy"] for row in rows if is_number(row.get("test_accuracy"))]
    if len(values) < 2:
        return Finding(" ".join(f"{100 * value:.2f} %" for value in values) or "-", "too few")
    low, high = mean_interval(values)
    verdict = "holds" if low <= 1 / NUM_CLASSES <= high else "does not hold"
    return Finding(_mean_text(values), _enough(len(values), verdict))


def _effect(treated: Row, untreated: Row, column: str) -> Callable[[Result], Finding | None]:
    def judged(result: Result) -> Finding | None:
        pairs = paired_differences(select(result, treated), select(result, untreated), column)
        if not pairs:
            return None
        if len(pairs) < FEWEST_SEEDS:
            return Finding(f"{100 * statistics.fmean(pairs):+.2f} points ({len(pairs)})", "too few")
        low, high = mean_interval(pairs)
        verdict = "raises" if low > 0 else "lowers" if high < 0 else "no effect shown"
        return Finding(_mean_text(pairs, signed=True), verdict)

    return judged


def _early_stopping(result: Result) -> Finding | None:
    gains: dict[str, list[float]] = {}
    for row in result.table:
        if is_number(row["gain_validation"]):
            gains.setdefault(row["model"], []).append(row["gain_validation"])
    if not gains or all(entry["name"] != "cifar10" for entry in result.data):
        return None
    fewest = min(len(values) for values in gains.values())
    if fewest < FEWEST_SEEDS:
        return Finding(f"{fewest} seeds", "too few")
    measured = [f"{model}: {_mean_text(values, signed=True)}" for model, values in gains.items()]
    helped = any(mean_interval(values)[0] > 0 for values in gains.values())
    return Finding("; ".join(measured), "does not hold" if helped else "holds")


def _norms(result: Result) -> Finding | None:
    plain = {"dataset": "mnist", "labels": "true", "l2": False}
    pixels, gabor = (
        _largest(select(result, {**plain, "features": features}))
        for features in ("pixels", "gabor")
    )
    if not pixels or not gabor:
        return None
    error, norm = (
        [statistics.fmean(row[column] for row in rows) for rows in (pixels, gabor)]
        for column in ("test_error", "norm")
    )
    holds = error[1] < error[0] and norm[1] > norm[0]
    measured = (
        f"error {100 * error[0]:.2f} and {100 * error[1]:.2f} %, norm {norm[0]:.0f} and "
        f"{norm[1]:.0f} (pixels, Gabor)"
    )
    return Finding(measured, "holds" if holds else "does not hold")


def _largest(rows: Sequence[Row]) -> list[Row]:
    """Those with most training images."""
    most = max((row.get("num_train", 0) for row in rows), default=0)
    return [row for row in rows if row.get("num_train", 0) == most]


def _mean_text(values: Sequence[float], *, signed: bool = False) -> str:
    low, high = mean_interval(values)
    mean, unit = statistics.fmean(values), "points" if signed else "%"
    sign = "+" if signed else ""
    return (
        f"{100 * mean:{sign}.2f} [{100 * low:{sign}.2f}, {100 * high:{sign}.2f}] {unit} "
        f"({len(values)})"
    )


def judge_claims(made: Sequence[Claim], results: Sequence[Result]) -> list[Judged]:
    """Every claim with each finding, or as not run. A recalled claim gets no verdict."""
    judged = []
    for claim in made:
        found = []
        for result in results:
            finding = claim.judge(result) if result.experiment in claim.experiments else None
            if finding is not None:
                if claim.tag == "recalled":
                    finding = finding._replace(verdict="no verdict")
                found.append(Judged(claim, finding, result))
        judged += found or [Judged(claim, Finding("-", "not run"))]
    return judged
