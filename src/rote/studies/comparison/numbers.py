"""Every number of a paper beside ours, and why one may not be comparable."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rote.storage import canonical, to_json
from rote.studies.comparison.published import FULL_SIZE, Published
from rote.studies.comparison.results import Result, Row, select, variants
from rote.studies.comparison.rule import Verdict, is_number, judge, prediction_interval

Recipe = Callable[[Any, str], Mapping[str, Any]]
"""From a preset and a model to the settings that this model has in it."""

# Compared by themselves: the number of seeds, and the data by what the run says of them. What else
# has no part in a number, the number says.
NOT_SETTINGS = {"seeds", "dataset", "num_train"}


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


def compare(
    published: Sequence[Published],
    results: Sequence[Result],
    presets: Mapping[str, Any],
    recipe: Recipe | None = None,
) -> list[Compared]:
    """Every number of the paper with each of ours on that data set, or as not run.

    Args:
      published: the paper's numbers.
      results: the result files.
      presets: by experiment, the configuration that has the paper's settings.
      recipe: what a model takes of a preset, where models have settings of their own.
    """
    compared = []
    for value in published:
        found = [
            _compare(value, result, rows, presets[value.experiment], recipe)._replace(
                variant=variant
            )
            for result in results
            if result.experiment == value.experiment
            and any(entry["name"] == value.dataset for entry in result.data)
            for variant, rows in variants(select(result, value.match)).items()
        ]
        compared += found or [Compared(value, "not run")]
    return compared


def _compare(
    published: Published, result: Result, rows: Sequence[Row], preset: Any, recipe: Recipe | None
) -> Compared:
    values = [row[published.column] for row in rows if is_number(row.get(published.column))]
    reasons = why_not_comparable(published, result, preset, recipe)
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
    published: Published,
    result: Result,
    preset: Any,
    recipe: Recipe | None = None,
) -> list[str]:
    """In which data and settings a result is not what the paper had; empty if in none.

    Args:
      published: the number to compare with.
      result: ours, on the same data set.
      preset: the experiment's configuration with the paper's settings.
      recipe: see ``compare``.
    """
    data = next(entry for entry in result.data if entry["name"] == published.dataset)
    full = FULL_SIZE[published.dataset]
    reasons = list(published.otherwise)
    if data["subset"] or data["num_train"] < full:
        reasons.append(f"{data['num_train']:,} of {full:,} images")
    if data["stored_as"] == "JPEG":
        reasons.append("JPEG copy")
    different = [
        name
        for name in differing_settings(result, published.match.get("model"), preset, recipe)
        if name not in published.without
    ]
    if different:
        reasons.append(f"other {', '.join(different)}")
    return reasons


def differing_settings(
    result: Result, model: str | None, preset: Any, recipe: Recipe | None = None
) -> list[str]:
    """The fields in which a result was trained otherwise than the preset says.

    Lists say what is run, not how, and are left out; so are the seeds and the data, which are
    compared by themselves. A field of the configuration that the result's version did not have yet
    counts as its default. What a recipe gave is compared as it was used, by what the result says
    under ``settings``: all of it has to stand there.
    """
    fields = {field.name: field for field in dataclasses.fields(preset)}
    wanted = to_json(preset)
    given = {name: field.default for name, field in fields.items()} | result.config
    different = []
    own: Mapping[str, Any] = {}
    if recipe is not None and model is not None:
        own = recipe(preset, model)
        used = result.settings.get(model, result.config)
        different += [key for key, value in own.items() if not _same(used.get(key), value)]
    different += [
        name
        for name, value in wanted.items()
        if name not in NOT_SETTINGS
        and name not in own
        and not isinstance(value, list)
        and not _same(given[name], value)
    ]
    return different


def _same(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)
