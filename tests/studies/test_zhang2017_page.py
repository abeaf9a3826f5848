"""The tables that stand in the page by hand say what the result files say.

The cells of a row have to be of one setting in one result file, with the names that the row has.
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


def settings_of(result):
    """Of each setting of a result: its names, and every cell that a table may have of it."""
    for row in result.table:
        if row.get("epochs_to_fit") and "steps_to_fit" not in row:  # in older files
            used = next(s for name, s in result.settings.items() if row.get("model", name) == name)
            steps = result.data[0]["num_train"] // used["batch_size"]
            row["steps_to_fit"] = row["epochs_to_fit"] * steps
    measured = [*MEASURED]
    if result.experiment == "corruption_sweep":
        for column in ("epochs_to_fit", "epochs_to_target"):
            if column in result.table[0]:
                ratios = zhang2017.ratio_to_clean(result.table, column)
                measured.append(f"{column}_ratio")
                for row, ratio in zip(result.table, ratios, strict=True):
                    row[measured[-1]] = ratio
    factors = [name for name in COLUMNS if name not in OF_RUNS]
    groups = {}
    for row in result.table:
        groups.setdefault(tuple(row.get(name) for name in factors), []).append(row)
    for setting, rows in groups.items():
        cells = set()
        for name in measured:
            values = [row[name] for row in rows if name in row]
            cells |= shown(values) if values else set()
        yield {value for value in setting if isinstance(value, str)}, cells


def shown(values):
    return {
        mean_sd(values, digits=digits, unit=unit, above=above)
        for digits in (0, 1, 2)
        for unit in ("", "%", "points")
        for above in CENSORED
    }


def tables():
    """The rows with means and spreads of the page's tables, above what is generated, by line."""
    page = (FOLDER / "README.md").read_text().split(BEGIN)[0]
    rows = {
        number: [cell.strip() for cell in line.split("|")]
        for number, line in enumerate(page.splitlines(), start=1)
        if line.startswith("|")
    }
    return {number: row for number, row in rows.items() if any(map(CELL.search, row))}


def test_every_row_is_one_setting_of_a_result_file():
    settings = [setting for result in RESULTS for setting in settings_of(result)]
    known = set().union(*(names for names, _ in settings))
    wrong, count = [], 0
    for number, row in tables().items():
        cells = {cell for cell in row if CELL.search(cell)}
        names = {cell for cell in row if cell in known}
        count += len(cells)
        if not any(names <= of and cells <= given for of, given in settings):
            wrong.append((number, row))
    assert count > 500
    assert not wrong
