"""The comparison with a paper as text: Markdown tables between two markers of a README."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rote.core import InputError
from rote.studies.comparison.claims import Judged
from rote.studies.comparison.numbers import Compared
from rote.studies.comparison.published import FULL_SIZE
from rote.studies.comparison.results import Result
from rote.tables import format_table

BEGIN = "<!-- side by side: begin -->"
END = "<!-- side by side: end -->"

DATASET_NAMES = {"cifar10": "CIFAR-10", "mnist": "MNIST", "imagenet2012": "ImageNet"}
UNITS = {"gaussian": "points", "boolean": "inputs"}
QUANTITIES = {
    "test_accuracy": "test accuracy, %",
    "train_accuracy": "train accuracy, %",
    "test_error": "test error, %",
    "test_top_5": "top-5 test accuracy, %",
    "norm": "norm",
    "correlation": "correlation",
}
DIGITS = {"norm": 0, "correlation": 3}
"""After the point, of the quantities that are no percentages."""
WRITTEN = """\
Written by `python experiments/{folder}/side_by_side.py` from the files in [results](results)."""
RULE = """\
Ours are mean ± sample standard deviation (number of seeds); the paper's numbers are one run each,
as far as is known. The difference is ours less the paper's, in points, with the 95 % prediction
interval of a single run, t s √(1 + 1/n). By a rule that was fixed beforehand, it *agrees* when that
interval lies within the margin (1 point of test accuracy or error, 0.3 of train accuracy),
*differs* when it lies wholly outside, and is *inconclusive* otherwise; fewer than three seeds are
*too few*; what was trained on other data, with other settings than the preset `paper`, or with runs
that diverged and left no value, is *not comparable*; a number of the paper that is only recalled,
or a quantity without a margin, gets *no verdict*. The last of these that applies is what stands
there. How sure the paper's number is stands behind it."""
WITHOUT = """\
A setting that has no part in a number does not count for it: {settings}."""
ALWAYS_THE_SAME = """\
The solution of a linear system in which nothing is drawn is the same in every run: one is enough,
and its interval has no width."""
NO_MARGINS = """\
The difference is ours less the paper's. These quantities have no margin within which they would
agree, and get *no verdict*. How sure the paper's number is stands behind it."""


def section(
    folder: str,
    compared: Sequence[Compared],
    judged: Sequence[Judged],
    results: Sequence[Result],
) -> str:
    """What stands between the markers.

    Args:
      folder: the name of the experiments' folder.
      compared: from ``comparison.compare``; of a paper without numbers, none.
      judged: from ``claims.judge_claims``.
      results: the result files, in the order of their numbers.
    """
    numbers = {result.name: str(i) for i, result in enumerate(results, start=1)}
    parts = [WRITTEN.format(folder=folder)]
    if compared:
        parts[0] += f"\n{rule(compared)}"
        if figure_rows(compared):
            parts.append("![Ours over the paper's numbers](figures/side_by_side.png)")
        parts += ["### Numbers", _table([_number_row(item, numbers) for item in compared])]
    parts += [
        "### Claims in words",
        "Judged on the data that there are, by the test above each table, each claim for itself: "
        "of twenty effects that are not there, one is to be expected to show.",
    ]
    by_test: dict[str, list[Judged]] = {}
    for item in judged:
        by_test.setdefault(item.claim.test, []).append(item)
    for test, items in by_test.items():
        parts += [f"{_sentence(test)}:", _table([_claim_row(item, numbers) for item in items])]
    parts += ["### Runs", "\n".join(map(_run_line, numbers.values(), results)) or "None yet."]
    return "\n\n".join(parts)


def rule(compared: Sequence[Compared]) -> str:
    """How the numbers are to be read: of the rule, what applies to them."""
    if all(item.published.margin is None for item in compared):
        return NO_MARGINS
    parts = [RULE]
    without: dict[str, dict[str, None]] = {}  # by place in the paper, in order
    for item in compared:
        without.setdefault(item.published.where, {}).update(dict.fromkeys(item.published.without))
    settings = [f"{', '.join(names)} ({where})" for where, names in without.items() if names]
    if settings:
        parts.append(WITHOUT.format(settings="; ".join(settings)))
    if not all(item.published.drawn for item in compared):
        parts.append(ALWAYS_THE_SAME)
    return "\n".join(parts)


def insert(readme: str, text: str) -> str:
    """The README with the text between its markers, in place of what stood there.

    Raises:
      InputError: if it has not exactly one of each marker, in their order.
    """
    for marker in (BEGIN, END):
        if readme.count(marker) != 1:
            raise InputError(
                f"the README has {readme.count(marker)} lines {marker!r}; put one where the "
                "comparison begins and one where it ends"
            )
    before, _, rest = readme.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise InputError(f"the README has {END!r} before {BEGIN!r}; exchange them")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def figure_rows(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """The comparison as ``viz.comparison.side_by_side`` shows it; see there."""
    return [
        {
            "group": f"{item.published.where}: {QUANTITIES[item.published.column]}",
            "label": item.published.what,
            "paper": 100 * item.published.value,
            "value": None if item.mean is None else 100 * item.mean,
            "sd": None if item.sd is None else 100 * item.sd,
            "difference": None if item.difference is None else 100 * item.difference,
            "interval": None
            if item.interval is None
            else tuple(100 * end for end in item.interval),
            # What is only recalled is shown, and not judged.
            "margin": 0 if item.published.tag == "recalled" else 100 * item.published.margin,
            "verdict": item.verdict,
        }
        for item in compared
        # What has no margin is no percentage either: norms, correlations.
        if item.published.margin is not None
    ]


def describe_data(entry: Mapping[str, Any]) -> str:
    """A data set, how it was stored and how much of it, such as ``"CIFAR-10, JPEG copy, all"``."""
    name = entry["name"]
    size, full = entry["num_train"], FULL_SIZE.get(name)
    copy = ["JPEG copy"] if entry["stored_as"] == "JPEG" else []
    what = UNITS.get(name, "images")
    some = f"{size:,} {what}" if entry["subset"] or size != full else f"all {size:,} {what}"
    return ", ".join([DATASET_NAMES.get(name, name), *copy, some])


def _number_row(item: Compared, numbers: Mapping[str, str]) -> dict[str, str]:
    published = item.published
    digits = DIGITS.get(published.column, 2)
    scale = 1 if published.column in DIGITS else 100
    ours = difference = ""
    if item.mean is not None and item.difference is not None:
        spread = "" if item.sd is None else f" ± {scale * item.sd:.{digits}f}"
        ours = f"{scale * item.mean:.{digits}f}{spread} ({item.n})"
        difference = f"{scale * item.difference:+.{digits}f}"
        if item.interval is not None and not math.isclose(*item.interval):
            low, high = (f"{scale * end:+.{digits}f}" for end in item.interval)
            difference += f" [{low}, {high}]"
    return {
        "where": published.where,
        "setting": published.what,
        "quantity": QUANTITIES[published.column],
        "paper": f"{scale * published.value:.{digits}f}, {published.tag}",
        "ours": ours,
        "difference": difference,
        "verdict": ": ".join([item.verdict, *filter(None, ["; ".join(item.reasons)])]),
        "run": ""
        if item.result is None
        else numbers[item.result.name] + (f" ({item.variant})" if item.variant else ""),
    }


def _claim_row(item: Judged, numbers: Mapping[str, str]) -> dict[str, str]:
    claim, result = item.claim, item.result
    return {
        "where": f"{claim.where}, {claim.tag}",
        "claim": claim.text,
        "measured": item.finding.measured,
        "verdict": item.finding.verdict,
        "data": "" if result is None else "; ".join(map(describe_data, result.data)),
        "run": "" if result is None else numbers[result.name],
    }


def _run_line(number: str, result: Result) -> str:
    env = result.env
    versions = ", ".join(
        f"{name} {version}" for name, version in env["versions"].items() if version is not None
    )
    devices = sorted({device.split(" ", 1)[-1] for device in env["devices"]})
    if devices == ["cpu"]:
        hardware = f"{env['cores']} cores of {env['cpu']}"
    else:
        hardware = f"{len(env['devices'])} x {', '.join(devices)}"
    commit = env["commit"]
    changed = " with local changes" if commit and commit["dirty"] else ""
    source = f"commit {commit['id'][:7]}{changed}" if commit else "commit unknown"
    began = env.get("began", {}).get("commit")
    if began and commit and began["id"] != commit["id"]:
        source += f", begun at {began['id'][:7]}"
    data = "; ".join(map(describe_data, result.data))
    return (
        f"{number}. [{result.name}](results/{result.name}.json): `{result.command}`; {data}; "
        f"{hardware}; {versions}; {source}; {result.finished[:10]}."
    )


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    return format_table(rows, markdown=True)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
