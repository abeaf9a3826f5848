"""The experiments as a user runs them: what they claim, what they leave, what they refuse."""

import json
import re

import numpy as np
import pytest

from rote import load_run, random_labels, viz
from rote.data import load
from rote.record import RunDir
from rote.studies import zhang2017
from rote.train import make_forward


@pytest.fixture(scope="module")
def sweep(command, tmp_path_factory):
    """The smoke preset, run once: five corruption levels, three seeds."""
    out = tmp_path_factory.mktemp("sweep") / "run"
    assert command("corruption_sweep", "--preset", "smoke", "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_every_corruption_of_digits_is_memorised(sweep):
    """What the README says of digits: fitted, slower, and no longer generalising."""
    table = sweep.summary["table"]
    groups = {
        level: [row for row in table if row["corruption"] == level]
        for level in (0.0, 0.25, 0.5, 0.75, 1.0)
    }
    for rows in groups.values():
        assert [row["train_accuracy"] for row in rows] == [1.0] * 3
    assert all(row["test_accuracy"] >= 0.95 for row in groups[0.0])
    assert 0.05 <= np.mean([row["test_accuracy"] for row in groups[1.0]]) <= 0.15
    epochs = [np.mean([row["epochs_to_fit"] for row in rows]) for rows in groups.values()]
    assert all(later >= 3 * epochs[0] for later in epochs[1:])
    errors = [np.mean([row["test_error"] for row in rows]) for rows in groups.values()]
    assert errors == sorted(errors)

    by_20 = {
        (row["corruption"], row["seed"]): row["train_accuracy"]
        for row in sweep.rows()
        if row["epoch"] <= 20
    }
    at_20 = [np.mean([by_20[level, seed] for seed in range(3)]) for level in groups]
    assert at_20 == sorted(at_20, reverse=True) and at_20[-1] < 0.9 * at_20[0]


def test_the_run_directory_holds_everything(sweep):
    assert sweep.complete
    names = {"corruption_sweep.png", "learning_order.png"}
    assert {path.name for path in sweep.figures()} == names
    assert (sweep.folder / "figures" / "corruption_sweep.svg").stat().st_size > 1000
    assert sweep.config["learning_rate"] == [0.1]  # resolved
    runs = sweep.runs()
    assert len(runs) == 15
    assert runs[-1]["provenance"][-1] == {
        "operation": "random_labels",
        "probability": 1.0,
        "seed": 2,
    }
    labels = random_labels(load("digits"), 1.0, seed=2).train.labels
    record = sweep.load_examples(14)
    np.testing.assert_array_equal(record["labels"], labels)
    np.testing.assert_array_equal(record["predicted"][-1], labels)


def test_a_trained_net_comes_back(sweep):
    model, params, state, config = load_run(sweep.folder, "corruption=1 seed=2")
    dataset = random_labels(load("digits"), 1.0, seed=2)
    transform = zhang2017.preprocessing(dataset.image_shape, config["augment"])
    logits, _ = make_forward(model, transform)(params, state, dataset.train.images, train=False)
    np.testing.assert_array_equal(logits.argmax(-1), dataset.train.labels)


def test_the_same_command_finds_its_run_again(command, sweep, capsys):
    before = (sweep.folder / "metrics.jsonl").read_bytes()
    assert command("corruption_sweep", "--out", str(sweep.folder)) == 0
    shown = capsys.readouterr()
    assert "this run is there already" in shown.err
    assert sweep.summary["text"] in shown.out
    assert (sweep.folder / "metrics.jsonl").read_bytes() == before


def test_a_config_file_repeats_a_run_exactly(command, sweep, tmp_path):
    small = ("--seeds", "2", "--corruptions", "1", "--target-accuracy", "0.5")
    out = tmp_path / "again"
    config = str(sweep.folder / "config.json")
    assert command("corruption_sweep", "--config", config, "--out", str(out), *small) == 0
    (run,) = RunDir.open(out).runs()
    first = sweep.run("corruption=1 seed=2")
    assert run["fingerprint"] == first["fingerprint"]
    for row in (run["last"], first["last"]):
        row.pop("seconds")
    assert run["last"] == first["last"]

    again = RunDir.open(out)
    (row,) = again.summary["table"]
    half = next(each["epoch"] for each in again.rows() if each["train_accuracy"] >= 0.5)
    assert row["epochs_to_target"] == half < row["epochs_to_fit"] == run["last"]["epoch"]
    assert again.summary["summary"][0]["epochs to 50 %"] == f"{half:.1f} (1)"


@pytest.mark.slow
def test_raising_max_epochs_continues_a_run_as_if_it_had_never_ended(command, tmp_path, capsys):
    small = ("--seeds", "0", "1", "--corruptions", "0", "1", "--num-train", "500")

    def run(folder, *arguments):
        out = tmp_path / folder
        assert command("corruption_sweep", "--out", str(out), *small, *arguments) == 0
        rows = RunDir.open(out).rows()
        return RunDir.open(out), [{**row, "seconds": None} for row in rows]

    run("raised", "--max-epochs", "20")
    first, rows = run("raised", "--max-epochs", "40")
    shown = capsys.readouterr().err
    assert "max_epochs was 20, is 40" in shown
    assert "continuing: 2 of 4 runs finished, 2 under way from epoch 21" in shown
    whole, expected = run("whole", "--max-epochs", "40")
    assert rows == expected
    assert first.summary["table"] == whole.summary["table"]
    figure = "figures/corruption_sweep.png"
    assert (first.folder / figure).read_bytes() == (whole.folder / figure).read_bytes()
    for label in ("corruption=0 seed=0", "corruption=1 seed=1"):
        kernels = [out.load_params(label)[0]["head"]["kernel"] for out in (first, whole)]
        np.testing.assert_array_equal(*kernels)


@pytest.mark.slow
def test_a_run_that_does_not_stop_goes_on_after_its_labels_are_fitted(command, tmp_path):
    small = ("--seeds", "0", "--corruptions", "0", "--num-train", "200", "--max-epochs", "60")
    tables = {}
    for flag in ("--stop-when-fitted", "--no-stop-when-fitted"):
        out = tmp_path / flag
        assert command("corruption_sweep", flag, "--out", str(out), *small) == 0
        tables[flag] = RunDir.open(out)
    stopped, whole = tables.values()
    epochs = stopped.summary["table"][0]["epochs_to_fit"]
    assert whole.summary["table"][0]["epochs_to_fit"] == epochs == stopped.rows()[-1]["epoch"] < 60
    assert whole.rows()[-1]["epoch"] == 60


@pytest.mark.slow
def test_learning_curves_on_digits(command, tmp_path):
    """Every condition is fitted, true labels first, random labels last."""
    out = tmp_path / "run"
    assert command("learning_curves", "--seeds", "0", "--out", str(out)) == 0
    run_dir = RunDir.open(out)
    table = {row["condition"]: row for row in run_dir.summary["table"]}
    assert {row["train_accuracy"] for row in table.values()} == {1.0}
    steps = {condition: row["steps_to_fit"] for condition, row in table.items()}
    assert min(steps, key=steps.get) == "true" and max(steps, key=steps.get) == "random_labels"
    assert table["true"]["test_accuracy"] >= 0.95
    for condition in ("random_labels", "gaussian"):
        assert table[condition]["test_accuracy"] <= 0.2
    assert len(run_dir.figures()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "digit"], "did you mean 'digits'"),
        (["--model", "mpl_1x512"], "did you mean 'mlp_1x512'"),
        (["--learning-rat", "1"], "did you mean '--learning-rate'"),
        (["--corruptions", "0", "1.5"], "corruptions: 1.5; expected"),
        (["--batch-size", "5000"], "batch_size: 5000; expected 1 to 1437"),
        (["--max-epochs", "0"], "max_epochs: 0"),
        (["--num-train", "99999"], "num_train 99999"),
        (["--model", "inception_small", "--dataset", "digits", "--batch-size", "9999"], "9999"),
        (["--preset", "smok"], "did you mean 'smoke'"),
        (["--config", "nowhere.json"], "nowhere.json"),
        (["--seeds", "1", "1"], "one or more different"),
        (["--seeds", "-1"], "seeds: -1"),
        (["--corruptions"], "corruptions: none"),
        (["--target-accuracy", "95"], "target_accuracy: 95.0; expected a fraction"),
        (["--corruptions", "0.5", "0.5"], "one or more different"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, tmp_path, capsys, arguments, message):
    out = tmp_path / "run"
    assert command("corruption_sweep", "--out", str(out), *arguments) == 2
    shown = capsys.readouterr().err.strip().splitlines()
    errors = [line for line in shown if line.startswith("error: ")]
    assert len(errors) == 1 and shown[-1] == errors[0]
    assert message in errors[0]
    assert not out.exists()


def test_an_unknown_condition_is_named(command, tmp_path, capsys):
    out = tmp_path / "run"
    assert command("learning_curves", "--conditions", "true", "gausian", "--out", str(out)) == 2
    assert "did you mean 'gaussian'" in capsys.readouterr().err
    assert not out.exists()


def test_a_diverging_run_is_reported_and_the_rest_kept(command, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["--optimizer", "sgd", "--learning-rate", "1e38", "--seeds", "0"]
    code = command("corruption_sweep", "--corruptions", "0", "--out", str(out), *arguments)
    assert code == 1
    assert "the loss is not finite at epoch 1, step 2" in capsys.readouterr().err
    run_dir = RunDir.open(out)
    (run,) = run_dir.runs()
    assert run["status"] == "diverged"
    params, _ = run_dir.load_params(0)
    assert np.isfinite(params["head"]["kernel"]).all()


TRAININGS = (
    "corruption_sweep",
    "early_stopping",
    "explicit_regularizers",
    "learning_curves",
    "table1",
)


@pytest.mark.parametrize("name", TRAININGS)
def test_presets_resolve(experiment, name):
    presets = experiment(name).PRESETS
    assert {"smoke", "cpu", "paper"} <= presets.keys()
    for config in presets.values():
        for model in zhang2017.resolve(config).model:
            zhang2017.settled(config, model)
    paper = presets["paper"]
    assert (paper.dataset, paper.num_train, paper.optimizer) == ("cifar10", None, "momentum")
    for model in paper.model:
        recipe = zhang2017.settled(paper, model)
        rate = (0.1,) if model.startswith("inception") else (0.01,)
        assert (recipe.learning_rate, recipe.learning_rate_decay) == (rate, 0.95)
    assert json.loads(json.dumps(paper.seeds)) == [0, 1, 2]


# --- the flags that all of them share


@pytest.mark.slow
def test_looking_first_and_stopping_early(command, tmp_path, capsys, monkeypatch):
    seen = []
    show = viz.dashboard
    monkeypatch.setattr(viz, "dashboard", lambda **given: seen.append(given) or show(**given))
    out = tmp_path / "run"
    flags = ("--conditions", "random_labels", "--model", "mlp_1x512", "--seeds", "0")
    more = ("--max-epochs", "30", "--patience", "3", "--look", "range_test", "monitor")
    assert command("learning_curves", *flags, *more, "--out", str(out)) == 0
    said = capsys.readouterr().out
    (tested,) = re.findall(
        r"range_test, mlp_1x512, .*: steepest descent at (\S+), often .*lowest loss", said
    )
    assert 1e-5 < float(tested) < 1
    assert "monitor, mlp_1x512, random_labels seed=0: nothing found wrong" in said
    done = RunDir.open(out)
    names = {path.stem for path in done.figures()}
    assert {"range_test_mlp_1x512", "monitor_mlp_1x512"} <= names
    (row,) = done.summary["table"]
    assert row["status"] == "patience" and row["epoch"] == row["kept_epoch"] + 3
    held_out = [each["held_out_accuracy"] for each in done.rows()]
    assert len(held_out) == row["epoch"] + 1
    steps = done.rows()[1]["step"]  # of an epoch of what is not held out
    losses = [each["loss"] for each in seen[0]["steps"][:steps]]
    assert np.mean(losses) == pytest.approx(done.rows()[1]["batch_loss"], rel=1e-4)
    assert held_out[row["kept_epoch"]] == max(held_out)
    assert "test accuracy, kept" in done.summary["text"]


def test_patience_must_be_positive(command, tmp_path, capsys):
    assert command("learning_curves", "--patience", "0", "--out", str(tmp_path / "run")) == 2
    assert "patience: 0; expected at least 1" in capsys.readouterr().err
