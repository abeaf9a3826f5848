"""Our numbers over published ones, and how far they are apart."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rote.viz.style import GRAY, PALETTE, Rows, label_axes, need_columns, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK = PALETTE
VERDICT_COLORS = {
    "agrees": GREEN,
    "differs": VERMILION,
    "inconclusive": ORANGE,
    "too few": PINK,
    "not comparable": SKY,
    "no verdict": BLACK,
}
FAINT = "#A0A0A0"
INCHES_PER_LINE = 0.2

Row = Mapping[str, Any]


def side_by_side(rows: Rows, *, title: str | None = None) -> "Figure":
    """A line per published number: left both values, right their difference.

    Left, the published number is an open diamond, ours a dot with its standard deviation over the
    seeds. Right, the difference has its 95 % prediction interval, over a band that is the margin.
    Colors say the verdict. A number that has not been run is a gray diamond and the words "not
    run".

    Args:
      rows: one per published number and result, all in points (percent), with the columns
        ``group`` and ``label`` (rows with both alike share a line), ``paper``, ``value``, ``sd``,
        ``difference``, ``interval`` (a pair), ``margin`` and ``verdict``; what there is not is
        ``None``.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(
        rows,
        (
            "group",
            "label",
            "paper",
            "value",
            "sd",
            "difference",
            "interval",
            "margin",
            "verdict",
        ),
    )
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault(row["group"], {}).setdefault(row["label"], []).append(row)
    figure, (left, right) = new_figure(
        2,
        "diamond: the paper (gray: we have not run it); dot and bar: ours, mean and standard "
        "deviation over seeds (left), difference and 95 % prediction interval of one run (right); "
        "band: the margin within which numbers count as the same; "
        "right, what is beyond one point stands on a logarithmic scale",
        title,
    )
    right.sharey(left)
    lines = sum(1 + len(labels) for labels in groups.values())
    figure.set_size_inches(11, 2 + INCHES_PER_LINE * lines)
    right.set_xscale("symlog", linthresh=1, linscale=0.7)
    right.axvline(0, color=GRAY, linewidth=0.8)

    at = 0
    ticks: list[tuple[int, str, bool]] = []
    for group, labels in groups.items():
        ticks.append((at, group, True))
        at += 1
        for label, found in labels.items():
            _draw_line(left, right, at, found)
            ticks.append((at, label, False))
            at += 1
    left.set_ylim(at - 0.5, -0.8)
    left.set_yticks([y for y, _, _ in ticks], [text for _, text, _ in ticks])
    for text, (_, _, heading) in zip(left.get_yticklabels(), ticks, strict=True):
        text.set(fontsize=8, fontweight="bold" if heading else "normal", color=BLACK)
    left.tick_params(axis="y", length=0)
    right.tick_params(axis="y", labelleft=False, length=0)
    widest = max([5.0, *(abs(end) for row in rows for end in _ends(row))])
    right.set_xlim(-1.3 * widest, 1.3 * widest)
    shown = [tick for tick in (1, 3, 10, 30, 100) if tick < 1.3 * widest]
    ticks_at = [*(-tick for tick in reversed(shown)), 0, *shown]
    right.set_xticks(ticks_at, [f"{tick:+d}" if tick else "0" for tick in ticks_at])
    right.minorticks_off()
    label_axes(left, "accuracy or error (%)", "")
    label_axes(right, "ours less the paper's (points)", "")
    _legend(figure, rows)
    return figure


def _draw_line(left: "Axes", right: "Axes", y: int, rows: list[Row]) -> None:
    from matplotlib.patches import Rectangle

    first = rows[0]
    run = [row for row in rows if row["value"] is not None]
    margin = first["margin"]
    right.add_patch(Rectangle((-margin, y - 0.5), 2 * margin, 1, color="#EDEDED", linewidth=0))
    left.plot(
        [first["paper"]],
        [y],
        "D",
        markersize=6,
        markerfacecolor="none",
        color=BLACK if run else FAINT,
        zorder=3,
    )
    if not run:
        right.annotate(
            "not run",
            (0, y),
            xytext=(5, 0),
            textcoords="offset points",
            fontsize=7,
            color=FAINT,
            va="center",
        )
    for index, row in enumerate(run):
        # Several results of one number: one above the other, within the line.
        height = y + 0.6 * ((index + 0.5) / len(run) - 0.5)
        color = VERDICT_COLORS.get(row["verdict"], GRAY)
        left.errorbar(
            row["value"],
            height,
            xerr=row["sd"],
            fmt="o",
            markersize=3.5,
            color=color,
            elinewidth=1.5,
            zorder=4,
        )
        if row["interval"] is not None:
            right.plot(row["interval"], [height] * 2, color=color, linewidth=1.5)
        right.plot([row["difference"]], [height], "o", markersize=3.5, color=color)


def _ends(row: Row) -> list[float]:
    values = [row["difference"], *(row["interval"] or ())]
    return [value for value in values if value is not None]


def _legend(figure: "Figure", rows: Rows) -> None:
    from matplotlib.lines import Line2D

    verdicts = {row["verdict"] for row in rows}
    entries = [
        Line2D([], [], color=color, marker="o", markersize=4, linewidth=1.5, label=verdict)
        for verdict, color in VERDICT_COLORS.items()
        if verdict in verdicts
    ]
    if entries:
        figure.legend(
            handles=entries, loc="outside right upper", frameon=False, fontsize=9, handlelength=1.5
        )
