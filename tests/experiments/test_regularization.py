"""Table 1, Table 4 and early stopping: their smoke presets with one seed, and smaller ones."""

import json

import numpy as np
import pytest

from rote.record import RunDir
from rote.studies.split import part_to_train_on


@pytest.fixture(scope="module")
def table1(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("table1") / "run"
    models = ("--model", "cnn_16_32", "mlp_1x512", "--num-train", "200", "--batch-size", "32")
    models += ("--max-epochs", "50")
    assert command("table1", "--seeds", "0", *models, "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_table_1_has_the_rows_of_the_paper(table1):
    rows = [
        (row["model"], row["labels"], row["random_crop"], row["weight_decay"])
        for row in table1.summary["table"]
    ]
    cnn, mlp = "cnn_16_32", "mlp_1x512"
    assert rows == [
        (cnn, "true", True, True),
        (cnn, "true", True, False),
        (cnn, "true", False, True),
        (cnn, "true", False, False),
        (cnn, "random", False, False),
        (mlp, "true", False, True),
        (mlp, "true", False, False),
        (mlp, "random", False, False),
    ]
    assert table1.summary["settings"]["cnn_16_32"]["max_epochs"] == 50
    assert table1.summary["data"] == {
        "name": "digits",
        "num_train": 200,
        "num_test": 360,
        "subset": True,
        "stored_as": None,
    }


@pytest.mark.slow
def test_table_1_random_labels_are_fitted_and_weight_decay_shrinks(table1):
    rows = {
        tuple(row[n] for n in ("model", "labels", "random_crop", "weight_decay")): row
        for row in table1.summary["table"]
    }
    for model in ("cnn_16_32", "mlp_1x512"):
        plain = rows[model, "true", False, False]
        assert plain["train_accuracy"] == 1 and plain["test_accuracy"] > 0.9
        assert rows[model, "random", False, False]["train_accuracy"] >= 0.99
        assert rows[model, "random", False, False]["test_accuracy"] < 0.2
        assert rows[model, "true", False, True]["parameter_norm"] < plain["parameter_norm"]
    assert {row["epoch"] for row in rows.values()} == {50}  # none stops when it has fitted


def test_the_paper_preset_has_all_19_rows(experiment):
    module = experiment("table1")
    paper = module.PRESETS["paper"]
    dataset = module.zhang2017.load(module.PRESETS["smoke"])
    cases = [case for model in paper.model for case in module.rows_of(model, dataset, paper)]
    assert len(cases) == 19 * 3
    decays = {case.model: case.weight_decay for case in cases if case.weight_decay}
    assert set(decays) == set(paper.model)
    assert decays["mlp_1x512"] == 1e-4 and decays["inception_small"] == 5e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fitted"),
    [
        ("table1", lambda row: True),
        ("early_stopping", lambda row: True),
        ("explicit_regularizers", lambda row: row["regularizer"] in ("none", "weight_decay")),
        ("why_not_fitted", lambda row: row["cause"] == "as it should be"),
    ],
)
def test_smoke_presets_as_they_are(command, tmp_path, name, fitted):
    out = tmp_path / "run"
    assert command(name, "--preset", "smoke", "--seeds", "0", "--out", str(out)) == 0
    run = RunDir.open(out)
    reached = [row["train_accuracy"] for row in run.summary["table"] if fitted(row)]
    assert reached and set(reached) == {1.0}
    assert run.figures()


@pytest.mark.slow
def test_early_stopping_gains_are_counted_by_hand(command, tmp_path):
    out = tmp_path / "run"
    flags = ("--seeds", "0", "--model", "mlp_1x512", "--max-epochs", "12", "--out", str(out))
    assert command("early_stopping", *flags) == 0
    run = RunDir.open(out)
    (row,) = run.summary["table"]
    history = run.rows()
    held_out = [epoch["held_out_accuracy"] for epoch in history]
    test = [epoch["test_accuracy"] for epoch in history]
    assert len(history) == 13
    assert row["validation_epoch"] == int(np.argmax(held_out))
    assert row["gain_validation"] == test[int(np.argmax(held_out))] - test[-1]
    assert row["gain_oracle"] == max(test) - test[-1] >= max(0, row["gain_validation"])
    assert row["test_accuracy_jitter"] == pytest.approx(np.std(np.diff(test[6:]), ddof=1))
    # A tenth of 1,437 is held out; accuracy on it comes in steps of 1/144.
    assert all(
        (144 * value) % 1 == pytest.approx(0, abs=1e-6)
        or (144 * value) % 1 == pytest.approx(1, abs=1e-6)
        for value in held_out
    )


def test_the_part_trained_on_differs_by_seed_only():
    parts = [part_to_train_on(100, 0.1, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert len(np.unique(parts[0])) == 90 and not np.array_equal(parts[0], parts[2])


@pytest.mark.slow
def test_regularizers_reach_the_training(command, tmp_path):
    out = tmp_path / "run"
    flags = ("--seeds", "0", "--max-epochs", "45", "--weight-decay", "0.01", "--out", str(out))
    assert command("explicit_regularizers", *flags) == 0
    run = RunDir.open(out)
    rows = {row["regularizer"]: row for row in run.summary["table"]}
    assert list(rows) == ["none", "weight_decay", "random_crop", "dropout"]
    assert rows["none"]["train_accuracy"] == 1
    # Same seed, same start: what differs is what the regularizer did.
    assert rows["weight_decay"]["parameter_norm"] < rows["none"]["parameter_norm"]
    for name in ("random_crop", "dropout"):
        assert rows[name]["train_accuracy"] < 1 and rows[name]["epochs_to_fit"] is None
    starts = [run.load_params(index, "initial")[0] for index in range(4)]
    for start in starts[1:]:
        np.testing.assert_array_equal(
            start["hidden1"]["dense"]["kernel"], starts[0]["hidden1"]["dense"]["kernel"]
        )
        np.testing.assert_array_equal(start["head"]["kernel"], starts[0]["head"]["kernel"])


def test_slow_decay_is_for_crops_alone(experiment):
    module = experiment("explicit_regularizers")
    paper = module.PRESETS["paper"]
    decays = {
        name: module.treatment(paper, "inception_small", name)["settings"].learning_rate_decay
        for name in module.REGULARIZERS
    }
    assert decays == {
        "none": 0.95,
        "weight_decay": 0.95,
        "random_crop": 0.999,
        "augmentation": 0.999,
        "dropout": 0.95,
    }


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("table1", ("--augment", "crop"), "augment: crop; leave it out"),
        ("table1", ("--weight-decay", "0"), "weight_decay: 0; expected the coefficient"),
        ("explicit_regularizers", ("--augment", "crop"), "augment: crop; leave it out"),
        ("explicit_regularizers", ("--weight-decay", "0"), "weight_decay: 0; expected the"),
        ("early_stopping", ("--num-train", "10", "--held-out", "0.01"), "of 10 examples are 0"),
        ("early_stopping", ("--held-out", "1"), "held_out: 1.0; expected a fraction"),
        ("explicit_regularizers", ("--regularizers", "l3"), "unknown regularizer 'l3'"),
        ("explicit_regularizers", ("--slow-epochs", "0"), "slow_epochs: 0; expected a positive"),
        ("explicit_regularizers", ("--slow-decay", "-1"), "slow_decay: -1.0; expected a positive"),
        ("explicit_regularizers", ("--dropout", "0"), "dropout: 0.0; expected a probability"),
        ("explicit_regularizers", ("--model", "cnn"), "dropout: cnn takes none"),
        ("table1", ("--model", "resnet_20", "--init", "glorot_uniform"), "init: resnet_20 takes"),
    ],
)
def test_bad_input_is_one_line(command, name, flags, message, tmp_path, capsys):
    assert command(name, *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_summaries_are_json(table1):
    assert json.loads(json.dumps(table1.summary)) == table1.summary
