"""Capacity and noise as a user runs it."""

import numpy as np
import pytest

from rote import data
from rote.record import RunDir

NAME = "arpit2017/capacity"
SMALL = (
    *("--preset", "smoke", "--num-train", "60", "--sizes", "60", "--widths", "32"),
    *("--width", "32", "--num-test", "100", "--max-epochs", "40", "--seeds", "0"),
)


@pytest.fixture(scope="module")
def small(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("capacity") / "run"
    assert command(NAME, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out)


def test_every_place_is_there_once(experiment):
    module = experiment(NAME)
    config = module.Config(widths=(8, 16), width=16, num_train=60, sizes=(30, 60))
    assert module.places_of(config) == [(8, 60), (16, 60), (16, 30)]


def test_noise_is_fitted_too_and_costs_accuracy(small):
    table = small.summary["table"]
    assert len(table) == 3
    for row in table:
        fitted = row["status"] == "fitted"
        assert fitted == (row["train_accuracy"] == 1) == (row["epochs_to_fit"] is not None)
        assert row["best_test_accuracy"] >= row["test_accuracy"]
    end = {row["noise"]: row for row in table}
    assert end["none"]["status"] == "fitted"
    assert end["none"]["test_accuracy"] > end["random labels"]["test_accuracy"]
    names = {figure.name for figure in small.figures()}
    assert names == {"accuracy.png", "accuracy_examples.png", "time_width.png", "time_examples.png"}


def test_noise_is_in_the_inputs_or_in_the_labels(experiment):
    module, digits = experiment(NAME), data.load("digits", num_train=100)
    none, inputs, labels = (
        module.noisy(digits, noise=noise, fraction=0.5, seed=1)
        for noise in (module.NONE, module.INPUTS, module.LABELS)
    )
    assert {split.train.images.dtype for split in (none, inputs, labels)} == {np.dtype("float32")}
    np.testing.assert_array_equal(none.train.images, digits.train.images)
    np.testing.assert_array_equal(labels.train.images, digits.train.images)
    replaced = (inputs.train.images != none.train.images).any((1, 2, 3))
    assert replaced.sum() == 50
    np.testing.assert_array_equal(inputs.train.labels, digits.train.labels)
    np.testing.assert_array_equal(none.train.labels, digits.train.labels)
    assert 30 <= labels.train.changed.sum() <= 60
    for changed in (none, inputs, labels):
        assert changed.test is digits.test


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--fractions", "1.5"), "fractions: 1.5; expected at most 1"),
        (("--widths", "0"), "widths: 0; expected a positive number"),
        (("--sizes", "100", "100"), "expected one or more different values"),
        (("--num-train", "2000"), "num_train 2000: expected 10"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(NAME, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
