"""What the lessons share: their trainings, and what is read off them."""

import numpy as np
import pytest

from rote import Result, Run, data
from rote.core import InputError
from rote.studies.foundations import at_loss, best_rate, ending, rate_in_words, runs_of
from rote.train import Checkpoint


def test_every_training_leaves_out_the_part_of_its_seed():
    dataset = data.load("digits", num_train=100)
    factors = {
        f"rate={rate} seed={seed}": {"rate": rate, "seed": seed}
        for rate in (0.1, 1.0)
        for seed in (3, 4)
    }
    runs = runs_of(factors, dataset, 0.25)
    assert [run.label for run in runs] == list(factors)
    assert [run.hparams["learning_rate"] for run in runs] == [0.1, 0.1, 1.0, 1.0]
    assert [run.init_seed for run in runs] == [3, 4, 3, 4]
    assert [len(run.subset) for run in runs] == [75] * 4
    np.testing.assert_array_equal(runs[0].subset, runs[2].subset)
    assert set(runs[0].subset) != set(runs[1].subset)
    with pytest.raises(InputError, match="held_out: 1"):
        runs_of(factors, dataset, 1.0)


def result(status, *accuracies):
    nothing = Checkpoint(0, {}, {})
    history = [{"epoch": i, "test_accuracy": value} for i, value in enumerate(accuracies)]
    return Result(Run(0), None, status, None, nothing, nothing, None, history, None, 1)


def test_what_diverged_has_no_metrics():
    names = ("test_accuracy",)
    assert ending(result("max_epochs", 0.1, 0.5, 0.7), names) == {"test_accuracy": 0.7}
    assert ending(result("max_epochs", 0.1, 0.5, 0.7), names, 1) == {"test_accuracy": 0.5}
    assert ending(result("diverged", 0.1), names, 1) == {"test_accuracy": None}


def test_at_a_loss_between_two_epochs():
    losses, accuracies = (2.0, 1.0, 1.5, 0.5), (0.1, 0.3, 0.2, 0.6)
    history = [
        {"train_loss": loss, "test_accuracy": accuracy}
        for loss, accuracy in zip(losses, accuracies, strict=True)
    ]
    for loss, expected in ((1.0, 0.3), (1.25, 0.25), (0.75, 0.5), (0.5, 0.6)):
        assert at_loss(history, loss, ["test_accuracy"])["test_accuracy"] == pytest.approx(expected)
    for loss in (0.4, 3.0):
        assert at_loss(history, loss, ["test_accuracy"]) == {"test_accuracy": None}


def test_a_choice_at_the_edge_of_its_grid_says_so():
    rows = [{"rate": rate, "held_out_accuracy": 0.9 - rate / 10} for rate in (3.0, 0.3, 1.0)]
    grid = [row["rate"] for row in rows]
    assert rate_in_words(best_rate(rows), grid) == "0.3, the lowest tried"
    assert rate_in_words(3.0, grid) == "3, the highest tried"
    assert rate_in_words(1.0, grid) == "1"
