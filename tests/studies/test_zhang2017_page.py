"""The tables that stand in the page by hand say what the result files say.

Every cell has to be one that some result file gives; that it is in the right row is not looked at.
"""

import re
from pathlib import Path

from rote.studies import zhang2017
from rote.studies.comparison.page import BEGIN
from rote.studies.comparison.results import read_results
from rote.studies.zhang2017.paper import COLUMNS, MEASURED
from rote.tables import mean_sd

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "zhang2017"
RESULTS = read_results(FOLDER / "results", MEASURED)
# Of a run, not of its setting.
OF_RUNS = {"seed", "status", "num_params", "smallest_gap", "num_weights", "width"}
CENSORED = ("", "not fitted", "diverged")
CELL = re.compile(r"\(\d+\) *$")


def cells_of(result):
    """Every cell that a table may have of a result: each quantity of each setting, as shown."""
    factors = [name for name in COLUMNS if name not in OF_RUNS]
    groups = {}
    for row in result.table:
        groups.setdefault(tuple(row.get(name) for name in factors), []).append(row)
    cells = set()
    for row in result.table:
        if row.get("epochs_to_fit") and "steps_to_fit" not in row:  # in older files
            used = next(s for name, s in result.settings.items() if row.get("model", name) == name)
            steps = result.data[0]["num_train"] // used["batch_size"]
            row["steps_to_fit"] = row["epochs_to_fit"] * steps
    for rows in groups.values():
        for name in MEASURED:
            values = [row[name] for row in rows if name in row]
            cells |= shown(values) if values else set()
    if result.experiment == "corruption_sweep":
        for column in ("epochs_to_fit", "epochs_to_target"):
            if column in result.table[0]:
                for row, ratio in zip(
                    result.table, zhang2017.ratio_to_clean(result.table, column), strict=True
                ):
                    row["ratio"] = ratio
                for rows in groups.values():
                    cells |= shown([row["ratio"] for row in rows])
    return cells


def shown(values):
    return {
        mean_sd(values, digits=digits, unit=unit, above=above)
        for digits in (0, 1, 2)
        for unit in ("", "%", "points")
        for above in CENSORED
    }


def tables():
    """The cells with means and spreads of the page's tables, by line, above what is generated."""
    page = (FOLDER / "README.md").read_text().split(BEGIN)[0]
    return [
        (number, cell.strip())
        for number, line in enumerate(page.splitlines(), start=1)
        if line.startswith("|")
        for cell in line.split("|")
        if CELL.search(cell)
    ]


def test_every_cell_is_a_result_files():
    known = set().union(*map(cells_of, RESULTS))
    assert len(tables()) > 500
    assert not [(number, cell) for number, cell in tables() if cell not in known]
