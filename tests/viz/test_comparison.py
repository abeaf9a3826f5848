"""The overlay figure: every number on a line, ours over the paper's, what is not run visible."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from rote.core import InputError
from rote.viz.comparison import VERDICT_COLORS, side_by_side


def row(label, *, value=None, verdict="not run", group="Table 1", paper=50.0, margin=1.0):
    known = value is not None
    return {
        "group": group,
        "label": label,
        "paper": paper,
        "value": value,
        "sd": 0.5 if known else None,
        "difference": value - paper if known else None,
        "interval": (value - paper - 2, value - paper + 2) if known else None,
        "margin": margin,
        "verdict": verdict,
    }


ROWS = [
    row("one", value=50.5, verdict="agrees"),
    row("one", value=40.0, verdict="not comparable"),
    row("two"),
    row("three", group="Fig. 1c", value=60.0, verdict="differs", margin=0.3),
]


def dots(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker]


def test_every_number_has_a_line_under_its_group():
    left, _ = side_by_side(ROWS).axes
    labels = [text.get_text() for text in left.get_yticklabels()]
    assert labels == ["Table 1", "one", "two", "Fig. 1c", "three"]
    low, high = left.get_ylim()
    assert low > high  # from the top down


def test_ours_over_the_papers():
    figure = side_by_side(ROWS, title="A title")
    left, right = figure.axes
    assert [line.get_xdata()[0] for line in dots(left, "D")] == [50.0, 50.0, 50.0]
    assert sorted(line.get_xdata()[0] for line in dots(left, "o")) == [40.0, 50.5, 60.0]
    assert sorted(line.get_xdata()[0] for line in dots(right, "o")) == [-10.0, 0.5, 10.0]
    heights = {float(line.get_xdata()[0]): line.get_ydata()[0] for line in dots(left, "o")}
    assert 0.5 < heights[50.5] < heights[40.0] < 1.5  # both on the line of "one"
    intervals = {
        tuple(np.asarray(line.get_xdata(), float))
        for line in right.lines
        if len(line.get_xdata()) == 2 and line.get_linewidth() == 1.5
    }
    assert intervals == {(-1.5, 2.5), (-12.0, -8.0), (8.0, 12.0)}
    low, high = right.get_xlim()
    assert low < -12 and high > 12
    widths = sorted(patch.get_width() for patch in right.patches)
    assert widths == [0.6, 2.0, 2.0]  # twice the margin, once per line
    assert figure.get_suptitle() == "A title"


def test_verdicts_have_colors_and_what_is_not_run_is_gray_and_said():
    figure = side_by_side(ROWS)
    left, right = figure.axes
    by_value = {float(line.get_xdata()[0]): to_hex(line.get_color()) for line in dots(right, "o")}
    assert by_value[0.5] == VERDICT_COLORS["agrees"].lower()
    assert by_value[10.0] == VERDICT_COLORS["differs"].lower()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["agrees", "differs", "not comparable"]
    assert [text.get_text() for text in right.texts] == ["not run"]
    colors = [to_hex(line.get_color()) for line in dots(left, "D")]
    assert len(set(colors)) == 2 and colors[0] == colors[2]


def test_nothing_run_yet():
    figure = side_by_side([row("one"), row("two")])
    assert not figure.legends
    figure.draw_without_rendering()


def test_wrong_tables_are_refused():
    with pytest.raises(InputError, match="no rows"):
        side_by_side([])
    broken = {key: value for key, value in ROWS[0].items() if key != "margin"}
    with pytest.raises(InputError, match="'margin'"):
        side_by_side([broken])
