"""Tables for people: rows of dicts as aligned text or Markdown."""

import collections
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Unit = Literal["", "%", "points"]


class Column(NamedTuple):
    """How a number that each seed has is shown in one cell; see ``mean_sd``.

    Attributes:
      name: the number's name in the rows.
      digits: digits after the decimal point.
      unit: ``"%"`` shows fractions in percent, ``"points"`` differences of fractions.
      above: what is known of a censored value, such as ``"> 200"`` or ``"diverged"``.
    """

    name: str
    digits: int = 1
    unit: Unit = ""
    above: str = ""


def summarize(
    rows: Sequence[Mapping[str, Any]], by: Sequence[str], columns: Mapping[str, Column]
) -> list[dict[str, Any]]:
    """One line for all seeds: rows that agree in ``by`` become means and spreads.

    Args:
      rows: one per seed.
      by: the factors that tell the lines apart; each becomes a column.
      columns: by heading, what is shown.

    Returns:
      A row per combination of factors, in order of appearance.

    >>> rows = [{"width": 8, "error": 0.1}, {"width": 8, "error": 0.2}, {"width": 9, "error": 0.5}]
    >>> print(format_table(summarize(rows, ["width"], {"test error": Column("error", 0, "%")})))
    width  test error
    8      15 ± 7 % (2)
    9      50 % (1)
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[factor] for factor in by), []).append(row)
    return [
        {
            **{factor: _factor(value) for factor, value in zip(by, values, strict=True)},
            **{
                heading: mean_sd(
                    [row[name] for row in group], digits=digits, unit=unit, above=above
                )
                for heading, (name, digits, unit, above) in columns.items()
            },
        }
        for values, group in groups.items()
    ]


def _factor(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def mean_sd(
    values: Sequence[float | None], *, digits: int = 1, unit: Unit = "", above: str = ""
) -> str:
    """``mean ± sd (n)`` of one number per seed, with the sample standard deviation.

    Censored values, given as ``None``, NaN or infinite, enter neither number; they are counted
    apart.

    Args:
      values: the numbers; ``None`` where a run ended without one, not finite where it diverged.
      digits: digits after the decimal point.
      unit: see ``Column``.
      above: what is known of a censored value, such as ``"> 200"`` or ``"diverged"``; by default
        ``-`` stands for ``None`` and ``not finite`` for the others.

    >>> mean_sd([0.969, 0.972, 0.975], unit="%")
    '97.2 ± 0.3 % (3)'
    >>> mean_sd([128, 131, None], above="> 200")
    '129.5 ± 2.1 (2), > 200 (1)'
    >>> mean_sd([None, None], above="> 200")
    '> 200 (2)'
    >>> mean_sd([0.5, 0.7, math.nan, math.inf])
    '0.6 ± 0.1 (2), not finite (2)'
    """
    scale = 100 if unit else 1
    given = [scale * value for value in values if value is not None]
    known = [value for value in given if math.isfinite(value)]
    parts = []
    if known:
        spread = f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
        shown = f"{statistics.fmean(known):.{digits}f}{spread} {unit}".rstrip()
        parts.append(f"{shown} ({len(known)})")
    missing = collections.Counter([above or "-"] * (len(values) - len(given)))
    missing[above or "not finite"] += len(given) - len(known)
    parts += [f"{word} ({count})" for word, count in missing.items() if count]
    return ", ".join(parts) or "-"


def format_table(rows: Sequence[Mapping[str, object]], *, markdown: bool = False) -> str:
    """The rows as a table, with the columns of the first row in their order.

    Numbers stand to the right, the rest to the left; ``None`` is shown as ``-``.

    Args:
      rows: one mapping per line, all with the same keys.
      markdown: with the bars of a Markdown table.

    >>> print(format_table([{"condition": "true", "epochs": 12}, {"condition": "gaussian",
    ...                                                            "epochs": None}]))
    condition  epochs
    true           12
    gaussian        -
    """
    if not rows:
        return "(no rows)"
    columns = list(rows[0])
    right = [
        all(isinstance(row[c], (int, float)) or row[c] is None for row in rows) for c in columns
    ]
    lines = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    padded = [
        [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        for line in lines
    ]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in padded)
    rule = [("-" * (w - 1) + ":") if r else "-" * w for w, r in zip(widths, right, strict=True)]
    header, *body = padded
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *body))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
