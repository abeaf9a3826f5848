"""Tables as a person reads them, character for character."""

import math

import numpy as np
import pytest

from rote.tables import Column, format_table, mean_sd, summarize


def test_mean_sd() -> None:
    assert mean_sd([1.0, 2.0, 3.0], digits=2) == "2.00 ± 1.00 (3)"
    assert mean_sd([0.5], unit="%", digits=0) == "50 % (1)"
    assert mean_sd([-0.01, -0.02], unit="points") == "-1.5 ± 0.7 points (2)"
    assert mean_sd([10, None], above="> 200") == "10.0 (1), > 200 (1)"
    assert mean_sd([]) == "-"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float32(np.nan)])
def test_what_is_not_finite_is_counted_apart(bad: float) -> None:
    assert mean_sd([1.0, bad, 3.0]) == "2.0 ± 1.4 (2), not finite (1)"
    assert mean_sd([bad], unit="%") == "not finite (1)"
    assert mean_sd([1.0, bad, None], above="diverged") == "1.0 (1), diverged (2)"
    assert mean_sd([1.0, bad, None]) == "1.0 (1), - (1), not finite (1)"
    (line,) = summarize([{"seed": 0, "loss": bad}], [], {"loss": Column("loss", 3)})
    assert line == {"loss": "not finite (1)"}


def test_tables() -> None:
    rows = [
        {"model": "mlp", "corruption": 0.5, "epochs": "> 200 (3)"},
        {"model": "cnn", "corruption": 1.0, "epochs": None},
    ]
    assert format_table(rows).splitlines() == [
        "model  corruption  epochs",
        "mlp           0.5  > 200 (3)",
        "cnn             1  -",
    ]
    assert format_table(rows, markdown=True).splitlines() == [
        "| model | corruption | epochs    |",
        "| ----- | ---------: | --------- |",
        "| mlp   |        0.5 | > 200 (3) |",
        "| cnn   |          1 | -         |",
    ]
    assert format_table([]) == "(no rows)"


def test_rows_of_several_seeds_become_one_line() -> None:
    rows = [
        {"model": "mlp", "crop": crop, "params": 1_209_866, "rate": 0.05, "accuracy": accuracy}
        for crop, accuracy in ((True, 0.5), (False, 0.25), (True, 0.7), (False, None))
    ]
    columns = {"test": Column("accuracy", unit="%", above="none")}
    assert summarize(rows, ["model", "crop", "params", "rate"], columns) == [
        {
            "model": "mlp",
            "crop": "yes",
            "params": "1,209,866",
            "rate": "0.05",
            "test": "60.0 ± 14.1 % (2)",
        },
        {
            "model": "mlp",
            "crop": "no",
            "params": "1,209,866",
            "rate": "0.05",
            "test": "25.0 % (1), none (1)",
        },
    ]
