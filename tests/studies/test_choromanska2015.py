"""How the claims of Choromanska et al. (2015) are judged; the README says what the files say."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from rote.studies.choromanska2015 import bootstrap_steps, means, outside_the_band, spreads
from rote.studies.choromanska2015.claims import claims, falls
from rote.studies.comparison import Result, judge_claims

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "choromanska2015"


def nets(centres, deviations, count=40):
    random = np.random.default_rng(1)
    table = []
    for width, (centre, deviation) in enumerate(zip(centres, deviations, strict=True), start=1):
        for seed in range(count):
            train, test = random.normal(centre, deviation, 2)
            row = {"kind": "net", "width": width, "seed": seed}
            table.append({**row, "train_loss": train, "test_loss": test})
    return Result("some", "minima", "", {}, {}, [], {}, "", table)


def test_the_band_is_as_wide_at_every_width():
    narrow = np.array([[2.0, 0], [3.0, 0], [4.0, 0], [5.0, 0], [9.0, 0]])  # median 2 above lowest
    wide = np.array([[0.5, 0], [2.5, 0], [2.51, 0], [0.6, 0]])
    assert outside_the_band([narrow, wide]) == [0.4, 0.25]


@pytest.mark.parametrize(
    ("statistic", "centres", "deviations", "verdict"),
    [
        (means, (3, 2, 1), (0.1, 0.1, 0.1), "holds"),
        (means, (3, 1, 2), (0.1, 0.1, 0.1), "does not hold"),
        (means, (2, 2, 2), (0.1, 0.1, 0.1), "inconclusive"),
        (spreads, (1, 1, 1), (0.4, 0.2, 0.1), "holds"),
        (spreads, (1, 1, 1), (0.1, 0.2, 0.4), "does not hold"),
        (outside_the_band, (1, 1, 1), (0.9, 0.1, 0.01), "holds"),
        (outside_the_band, (3, 2, 1), (0.1, 0.1, 2.0), "does not hold"),
    ],
)
def test_what_falls_with_width(statistic, centres, deviations, verdict):
    assert falls(statistic)(nets(centres, deviations)).verdict == verdict


def test_few_nets_and_few_widths_say_nothing():
    few = falls(means)(nets((3, 2), (0.1, 0.1), count=10))
    assert few.verdict == "too few" and few.measured.endswith("(10 nets each)")
    assert falls(means)(nets((3,), (0.1,))) is None
    with pytest.raises(ValueError, match="two or more"):
        bootstrap_steps([np.ones((3, 2))], means)


def test_a_net_that_diverged_has_no_part_in_it():
    result = nets((3, 2), (0.1, 0.1))
    result.table.append({**result.table[0], "train_loss": None, "test_loss": None})
    assert falls(means)(result) == falls(means)(nets((3, 2), (0.1, 0.1)))


def test_the_intervals_are_those_of_the_mean():
    random = np.random.default_rng(0)
    losses = [random.normal(0, 1, (400, 2)), random.normal(-1, 1, (400, 2))]
    step, whole = bootstrap_steps(losses, means)
    change = means(losses)[1] - means(losses)[0]
    half = 1.96 * np.sqrt(2 / 400)
    np.testing.assert_allclose(step, [change - half, change + half], atol=0.02)
    np.testing.assert_allclose(whole, step)


def test_what_is_only_recalled_gets_no_verdict():
    judged = judge_claims(claims(), [nets((3, 2, 1), (0.4, 0.2, 0.1))])
    verdicts = [item.finding.verdict for item in judged]
    assert verdicts == ["holds", "no verdict", "no verdict", "no verdict"]
    assert "falls" in judged[1].finding.measured


def test_the_readme_is_what_the_result_files_give(capsys):
    spec = importlib.util.spec_from_file_location("side_by_side", FOLDER / "side_by_side.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, capsys.readouterr().err
