"""How the claims of Smith et al. (2021) are judged, and that the README says what the files say."""

import importlib.util
import types
from pathlib import Path

import pytest

from rote.studies.comparison import Result, judge_claims
from rote.studies.comparison.results import collect, save
from rote.studies.smith2021 import ON_LOSS, ON_MODIFIED, ONE_EPOCH, findings
from rote.studies.smith2021.claims import claims
from rote.studies.smith2021.paper import COLUMNS, MEASURED

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "smith2021"


def result(table, experiment):
    return Result("some", experiment, "", {}, {}, [], {}, "", table)


def orders(compared, by_m):
    return [
        {"span": ONE_EPOCH, "compared": compared, "mini_batches": m, "seed": seed, "order": order}
        for m, of in by_m.items()
        for seed, order in enumerate(of)
    ]


@pytest.mark.parametrize(
    ("by_m", "verdict"),
    [
        ({4: (2.99, 3.0, 3.01)}, "holds"),
        ({2: (2.99, 3.0, 3.01), 4: (2.0, 2.01, 2.0)}, "does not hold"),
        ({4: (2.9, 3.0, 3.1)}, "inconclusive"),
        ({4: (3.0, 3.0)}, "too few"),
    ],
)
def test_an_order_is_the_theorys_or_not(by_m, verdict):
    judged = findings.order(ONE_EPOCH, ON_MODIFIED)
    assert judged(result(orders(ON_MODIFIED, by_m), "modified_loss")).verdict == verdict
    assert judged(result(orders(ON_LOSS, by_m), "modified_loss")) is None


def trainings(by_setting, column):
    other = {"learning_rate": 0.01, "penalty": 0.0}
    return [
        {**other, column: value, "seed": seed, "test_accuracy": accuracy}
        for value, of in by_setting.items()
        for seed, accuracy in enumerate(of)
    ]


def test_the_gain_is_that_of_a_choice_made_on_other_seeds():
    by_rate = {0.01: (0.5, 0.51, 0.5), 0.1: (0.6, 0.61, 0.6), 1.0: (0.55, 0.55, None)}
    table = trainings(by_rate, "learning_rate")
    table += trainings({0.5: (0.1, 0.1, 0.1)}, "penalty")  # has no part in it
    over_smallest = findings.rate_gain(min)(result(table, ""))
    assert over_smallest.verdict == "holds"
    assert over_smallest.measured.startswith("+10.00 [+10.00, +10.00] points (3)")
    # One that diverged counts as nothing learned: the gain over it is large, and uncertain.
    over_largest = findings.rate_gain(max)(result(table, ""))
    assert over_largest.verdict == "inconclusive"
    # Noise alone: what is best on two seeds gains nothing on the one left out.
    noise = {0.01: (0.5, 0.5, 0.5), 0.1: (0.7, 0.4, 0.4), 1.0: (0.4, 0.7, 0.4)}
    found = findings.rate_gain(min)(result(trainings(noise, "learning_rate"), ""))
    assert found.verdict == "does not hold" and found.measured.startswith("-10.00")
    same = {0.01: (0.5, 0.5, 0.5), 0.1: (0.4, 0.4, 0.4)}
    found = findings.rate_gain(min)(result(trainings(same, "learning_rate"), ""))
    assert found.verdict == "does not hold"
    assert findings.rate_gain(min)(result([], "")) is None


def test_a_penalty_is_compared_with_none_at_its_own_rate():
    table = trainings({0.0: (0.5, 0.5, 0.51), 0.5: (0.6, 0.6, 0.61)}, "penalty")
    table += trainings({0.1: (0.9, 0.9, 0.9)}, "learning_rate")
    found = findings.penalty_gain(result(table, ""))
    assert found.verdict == "holds" and "penalty 0.5 over 0" in found.measured
    # It is recalled only: the comparison gives it no verdict.
    judged = judge_claims(claims(), [result(table, "explicit_gradient_penalty")])
    verdicts = {item.claim.tag: item.finding.verdict for item in judged if item.result is not None}
    assert verdicts["recalled"] == "no verdict"
    assert verdicts["second-hand"] in ("holds", "does not hold", "inconclusive")
    assert findings.penalty_gain(result(trainings({0.1: (0.9,)}, "learning_rate"), "")) is None


def test_a_result_keeps_its_learning_rates(tmp_path):
    script = "experiments/smith2021/explicit_gradient_penalty.py"
    table = [{"learning_rate": rate, "seconds": 3} for rate in (0.1, 0.2)]
    run = types.SimpleNamespace(
        folder=tmp_path,
        complete=True,
        config={},
        env={"command": f"python {script} --out runs/a"},
        summary={
            "finished": "2026-01-01",
            "data": {"name": "digits", "num_train": 500},
            "table": table,
        },
    )
    found = collect(run, "some", {*COLUMNS, *MEASURED})
    assert found.table == [{"learning_rate": 0.1}, {"learning_rate": 0.2}]
    assert save(found, tmp_path).is_file()
    with pytest.raises(ValueError, match="several learning rates"):
        collect(run, "some", {"penalty"})


def test_the_readme_is_what_the_result_files_give(capsys):
    spec = importlib.util.spec_from_file_location("side_by_side", FOLDER / "side_by_side.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, capsys.readouterr().err
