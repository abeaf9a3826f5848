"""Each mistake alone keeps random labels from being fitted."""

import numpy as np
import pytest

from rote.data import load
from rote.record import RunDir
from rote.studies import zhang2017
from rote.studies.config import TrainConfig

SMALL = ("--num-train", "200", "--batch-size", "50", "--seeds", "0", "--max-epochs", "60")


@pytest.fixture(scope="module")
def rows(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("why") / "run"
    flags = ("--preset", "smoke", *SMALL, "--redrawn-at", "40", "--out", str(out))
    assert command("why_not_fitted", *flags) == 0
    return {row["cause"]: row for row in RunDir.open(out).summary["table"]}


@pytest.mark.slow
def test_each_cause_alone_shows(rows, experiment):
    module = experiment("why_not_fitted")
    assert set(rows) == {*module.CHANGES, *module.REDRAWN}
    good = rows["as it should be"]
    assert good["train_accuracy"] == 1 and good["epochs_to_fit"] < 40
    for cause in ("random crops left on", "too small a network", "learning rate too small"):
        assert rows[cause]["train_accuracy"] < 0.9 and rows[cause]["epochs_to_fit"] is None
    assert rows["labels redrawn every epoch"]["train_accuracy"] < 0.5
    once = rows["labels redrawn once"]
    assert once["train_accuracy"] == 1 and once["epochs_to_fit"] > 40 + good["epochs_to_fit"] / 2
    # At the epoch that fits every label the mini-batches, seen before their updates, are behind.
    assert 0.5 < rows["running average"]["train_accuracy"] <= 1


def test_labels_that_stay_the_same_are_fitted_by_the_plain_loop():
    config = zhang2017.resolve(TrainConfig(num_train=200, batch_size=50, max_epochs=40))
    dataset = load("digits", num_train=200)
    fixed = zhang2017.train_redrawn(config, dataset, 0)
    moving = zhang2017.train_redrawn(config, dataset, 0, before=(11, 21))
    assert [row["epoch"] for row in fixed] == list(range(1, 41))
    assert fixed[:10] == moving[:10]
    assert fixed[-1]["train_accuracy"] == 1
    for drawn in (10, 20):
        assert moving[drawn]["train_accuracy"] < 0.6 < moving[drawn - 1]["train_accuracy"]
    running, full = (
        np.array([row[name] for row in fixed]) for name in ("running_accuracy", "train_accuracy")
    )
    assert np.all(running <= full) and np.all(running[:5] < full[:5])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--learning-rate", "0.1", "0.01"), "give one of each"),
        (("--model", "mlp_1x8", "mlp_1x512"), "give one of each"),
        (
            ("--causes", "labels redrawn every epoch", "--num-train", "50", "--batch-size", "100"),
            "batch_size: 100; expected 1 to 50",
        ),
        (("--augment", "crop"), "augment: crop; leave it out, not every line"),
        (("--patience", "5"), "patience: 5; leave it out"),
        (("--compute-dtype", "bfloat16"), "compute_dtype: bfloat16; leave it out"),
        (("--micro-batches", "2"), "micro_batches: 2; leave it out"),
        (("--causes", "bad luck"), "unknown cause 'bad luck'"),
        (("--redrawn-at", "0"), "redrawn_at: 0; expected a positive number"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command("why_not_fitted", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err


def test_a_plain_loop_that_diverges_says_so(experiment):
    given = TrainConfig(num_train=200, batch_size=50, max_epochs=5, learning_rate=(1e20,))
    config = zhang2017.resolve(given)
    rows = zhang2017.train_redrawn(config, load("digits", num_train=200), 0)
    assert len(rows) < 5 and rows[-1]["train_accuracy"] is rows[-1]["running_accuracy"] is None
