"""Our numbers beside the paper's: a rule fixed before any of them was compared.

A number of ours is the mean of n runs, one per seed; the paper's is one run, as far as is known. So
what is asked is whether a single run of ours would come out as the paper's did: the difference of
the means has the 95 % prediction interval ``t_{n-1, 0.975} * s * sqrt(1 + 1/n)`` to either side,
with s the sample standard deviation over the seeds. ``judge`` turns it into a word.
"""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rote.storage import canonical, to_json
from rote.studies import zhang2017
from rote.studies.config import TrainConfig
from rote.studies.published import FULL_SIZE, Published, Tag
from rote.studies.results import Result, Row, select, variants

Verdict = Literal[
    "agrees", "differs", "inconclusive", "too few", "not comparable", "no verdict", "not run"
]

FEWEST_SEEDS = 3
"""Fewer say too little about the spread."""
# How a result was shown, or how its work was divided or done, not what was trained. The data set
# and its size are compared by what the run says of its data.
NOT_SETTINGS = {
    "seeds",
    "at_epoch",
    "dataset",
    "num_train",
    "micro_batches",
    "dtype",
    "sgd_examples",
    "sgd_epochs",
}


class Compared(NamedTuple):
    """A number of the paper beside one of ours.

    Attributes:
      published: the paper's.
      verdict: see ``judge``.
      result: the result file that ours is from, or ``None`` if there is none.
      mean: ours, or ``None``.
      sd: the sample standard deviation over the seeds, or ``None`` of fewer than two.
      n: how many seeds.
      difference: ours less the paper's.
      interval: the 95 % prediction interval of the difference, or ``None``.
      reasons: why it is not comparable.
      variant: what tells it from others of the same result file.
    """

    published: Published
    verdict: Verdict
    result: Result | None = None
    mean: float | None = None
    sd: float | None = None
    n: int = 0
    difference: float | None = None
    interval: tuple[float, float] | None = None
    reasons: tuple[str, ...] = ()
    variant: str = ""


def t_quantile(n: int) -> float:
    """The 97.5 % quantile of Student's t with ``n - 1`` degrees of freedom.

    >>> round(t_quantile(3), 3)
    4.303
    """
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1))


def prediction_interval(values: Sequence[float], paper: float) -> tuple[float, float]:
    """Where the difference of one more run of ours to the paper's lies, with 95 %.

    Args:
      values: ours, two or more.
      paper: the paper's.
    """
    n, mean = len(values), statistics.fmean(values)
    half = t_quantile(n) * statistics.stdev(values) * math.sqrt(1 + 1 / n)
    return mean - paper - half, mean - paper + half


def judge(
    values: Sequence[float],
    paper: float,
    margin: float | None,
    *,
    tag: Tag = "verified",
    comparable: bool = True,
    drawn: bool = True,
) -> Verdict:
    """The verdict on our values, by the first line that applies.

    1. no values: ``"not run"``;
    2. a recalled value, or no margin fixed for the quantity: ``"no verdict"``;
    3. other data or settings than the paper's: ``"not comparable"``;
    4. fewer than three seeds: ``"too few"``;
    5. the 95 % prediction interval of the difference within the margin: ``"agrees"``; wholly
       outside it: ``"differs"``; else ``"inconclusive"``.

    Where nothing is drawn (``drawn=False``) every run gives the same number: one is enough, and the
    interval has no width.

    >>> judge([0.504, 0.506, 0.505], 0.5051, 0.01)
    'agrees'
    """
    if not values:
        return "not run"
    if tag == "recalled" or margin is None:
        return "no verdict"
    if not comparable:
        return "not comparable"
    if drawn and len(values) < FEWEST_SEEDS:
        return "too few"
    if drawn:
        low, high = prediction_interval(values, paper)
    else:
        low = high = statistics.fmean(values) - paper
    slack = 1e-9  # the margin itself is within, although 0.515 - 0.505 > 0.01 in floats
    if -margin - slack <= low and high <= margin + slack:
        return "agrees"
    return "differs" if low > margin + slack or high < -margin - slack else "inconclusive"


def compare(
    published: Sequence[Published], results: Sequence[Result], presets: Mapping[str, Any]
) -> list[Compared]:
    """Every number of the paper with each of ours on that data set, or as not run.

    Args:
      published: the paper's numbers.
      results: the result files.
      presets: by experiment, the configuration that has the paper's settings.
    """
    compared = []
    for value in published:
        found = [
            _compare(value, result, rows, presets[value.experiment])._replace(variant=variant)
            for result in results
            if result.experiment == value.experiment
            and any(entry["name"] == value.dataset for entry in result.data)
            for variant, rows in variants(select(result, value.match)).items()
        ]
        compared += found or [Compared(value, "not run")]
    return compared


def _compare(published: Published, result: Result, rows: Sequence[Row], preset: Any) -> Compared:
    values = [row[published.column] for row in rows if is_number(row.get(published.column))]
    reasons = why_not_comparable(published, result, rows, preset)
    if len(values) < len(rows):
        reasons.append(f"{len(rows) - len(values)} of {len(rows)} runs without a value")
    if not values:
        return Compared(published, "not comparable", result, reasons=tuple(reasons))
    mean, several = statistics.fmean(values), len(values) > 1
    interval = prediction_interval(values, published.value) if several else None
    return Compared(
        published,
        judge(
            values,
            published.value,
            published.margin,
            tag=published.tag,
            comparable=not reasons,
            drawn=published.drawn,
        ),
        result,
        mean,
        statistics.stdev(values) if several else None,
        len(values),
        mean - published.value,
        interval,
        tuple(reasons),
    )


def why_not_comparable(
    published: Published, result: Result, rows: Sequence[Row], preset: Any
) -> list[str]:
    """In which data and settings a result is not what the paper had; empty if in none.

    Args:
      published: the number to compare with.
      result: ours, on the same data set.
      rows: its rows that belong to the number.
      preset: the experiment's configuration with the paper's settings.
    """
    data = next(entry for entry in result.data if entry["name"] == published.dataset)
    full = FULL_SIZE[published.dataset]
    num_train = min([data["num_train"], *(row["num_train"] for row in rows if "num_train" in row)])
    reasons = list(published.otherwise)
    if data["subset"] or num_train < full:
        reasons.append(f"{num_train:,} of {full:,} images")
    if data["stored_as"] == "JPEG":
        reasons.append("JPEG copy")
    different = [
        name
        for name in differing_settings(result, published.match.get("model"), preset)
        if name not in published.without
    ]
    if different:
        reasons.append(f"other {', '.join(different)}")
    return reasons


def differing_settings(result: Result, model: str | None, preset: Any) -> list[str]:
    """The fields in which a result was trained otherwise than the preset says.

    Lists say what is run, not how, and are left out; so are the seeds and the data, which are
    compared by themselves. A field that the result's version did not have yet counts as its
    default. What a recipe gave is compared as it was used.
    """
    fields = {field.name: field for field in dataclasses.fields(preset)}
    wanted = to_json(preset)
    given = {name: field.default for name, field in fields.items()} | result.config
    different = []
    recipe: Mapping[str, Any] = {}
    if isinstance(preset, TrainConfig) and model is not None:
        recipe = zhang2017.settled(preset, model)._asdict()
        used = result.settings.get(model, result.config)
        different += [key for key, value in recipe.items() if not _same(used.get(key), value)]
    different += [
        name
        for name, value in wanted.items()
        if name not in NOT_SETTINGS
        and name not in recipe
        and not isinstance(value, list)
        and not _same(given[name], value)
    ]
    return different


def _same(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)


def is_number(value: Any) -> bool:
    """Whether a row's value is there and finite."""
    return isinstance(value, int | float) and math.isfinite(value)
