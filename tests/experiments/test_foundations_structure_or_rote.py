"""The closing question: shapes, minima, and who else learns by rote."""

import importlib.util
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from rote import data
from rote.record import RunDir

HAS_SKLEARN = importlib.util.find_spec("sklearn") is not None


@pytest.fixture(scope="module")
def lesson(experiment):
    return experiment("foundations/structure_or_rote")


@pytest.fixture(scope="module")
def done(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("structure_or_rote") / "run"
    flags = ("--num-train", "200", "--seeds", "0", "--batch-size", "20", "--widths", "2", "16")
    flags += ("--starts", "3", "--minima-num-train", "300", "--minima-epochs", "10")
    learners = ("--learners", "1 neighbour", "tree of 16 leaves")
    code = command("foundations/structure_or_rote", *flags, *learners, "--out", str(out))
    assert code == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_the_net_fits_all_labels_and_learns_from_the_true_ones(lesson, done):
    rows = {row["labels"]: row for row in done.summary["table"]}
    assert set(rows) == set(lesson.CONDITIONS)
    for row in rows.values():
        assert row["train_accuracy"] == 1 and row["epochs_to_fit"] > 0
    assert rows["true"]["test_accuracy"] > 0.8
    for labels in ("shuffled_labels", "random_labels"):
        assert rows[labels]["test_accuracy"] < 0.25
        # Without structure the climb is straighter and takes a larger share of a longer time.
        assert rows[labels]["r2_accuracy"] > rows["true"]["r2_accuracy"]
        assert rows[labels]["rises_accuracy"] > rows["true"]["rises_accuracy"]
        assert rows[labels]["rise_steps"] > 5 * rows["true"]["rise_steps"]
    names = {path.stem for path in done.figures()}
    assert {"minima", "learners", "shape_train_accuracy", "train_loss_mlp_1x512"} <= names


def test_a_learner_that_diverged_is_neither(lesson):
    accuracies = {"a": (1.0, 0.99), "b": (0.2, 0.3), "c": (1.0, None)}
    rows = [
        {"learner": name, "labels": labels, "train_accuracy": value}
        for name, values in accuracies.items()
        for value in values
        for labels in ("true", "random_labels")
    ]
    assert lesson.verdict(rows) == "by rote: a\nnot by rote: b\ndiverged: c"


@pytest.mark.slow
def test_wider_nets_end_in_lower_minima(done):
    ends = done.summary["minima"]
    loss = {width: [row["test_loss"] for row in ends if row["width"] == width] for width in (2, 16)}
    assert len(loss[2]) == len(loss[16]) == 3
    assert max(loss[16]) < min(loss[2])
    assert {row["num_params"] for row in ends} == {64 * 2 + 2 + 30, 64 * 16 + 16 + 170}
    assert all(0 < row["gradient"] < 1 for row in ends)


@pytest.mark.skipif(not HAS_SKLEARN, reason="scikit-learn is needed for the other learners")
@pytest.mark.slow
def test_one_neighbour_learns_by_rote_and_a_small_tree_does_not(lesson, done):
    rows = {(row["learner"], row["labels"]): row for row in done.summary["learners"]}
    assert rows["1 neighbour", "random_labels"]["train_accuracy"] == 1
    assert rows["1 neighbour", "random_labels"]["test_accuracy"] < 0.25
    assert rows["1 neighbour", "true"]["test_accuracy"] > 0.9
    assert rows["tree of 16 leaves", "random_labels"]["train_accuracy"] < 0.5
    assert rows["tree of 16 leaves", "true"]["train_accuracy"] > 0.7
    assert "by rote: mlp_1x512, 1 neighbour" in done.summary["text"]
    assert "not by rote: tree of 16 leaves" in done.summary["text"]


@pytest.mark.skipif(not HAS_SKLEARN, reason="scikit-learn is needed for the other learners")
def test_every_learner_can_be_made_and_gets_the_nets_labels(lesson):
    digits = data.load("digits", num_train=100)
    for name in lesson.LEARNERS:
        row = lesson.learn(name, digits, "true", 0)
        assert 0.5 < row["test_accuracy"] <= 1
    fit = lesson.learn("1 neighbour", digits, "shuffled_labels", 3)
    assert fit["train_accuracy"] == 1  # measured against the labels given, not the clean ones


def test_without_scikit_learn_one_line_says_what_is_missing(lesson, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    rows, note = lesson.other_learners(lesson.Config(), data.load("digits", num_train=20))
    assert rows == [] and "\n" not in note
    assert 'pip install "rote[sklearn]"' in note and "--overwrite" in note


def result_of(accuracies, losses, status="fitted"):
    rows = [
        {"epoch": i, "step": 10 * i, "train_accuracy": a, "train_loss": b, "test_accuracy": 0.1}
        for i, (a, b) in enumerate(zip(accuracies, losses, strict=True))
    ]
    return SimpleNamespace(history=rows, status=status)


def test_the_shape_of_a_line_and_of_a_drop(lesson):
    line = lesson.shape_of(result_of(np.linspace(0.1, 1, 11), np.linspace(2.3, 0.1, 11)))
    drop = lesson.shape_of(result_of([0.1, *np.ones(10)], [2.3, *np.full(10, 0.1)]))
    for metric in ("accuracy", "loss"):
        assert line[f"r2_{metric}"] == pytest.approx(1)
        assert line[f"begins_{metric}"] == pytest.approx(0.1)
        assert line[f"rises_{metric}"] == pytest.approx(0.8)
        assert drop[f"r2_{metric}"] == pytest.approx(3 / 12)
        assert drop[f"rises_{metric}"] == pytest.approx(0.08)  # within the first of ten epochs
    assert line["rise_steps"] == pytest.approx(80) and line["epochs_to_fit"] == 10


def test_a_curve_that_did_not_fit_has_no_shape(lesson):
    row = lesson.shape_of(result_of([0.1, 0.3, 0.5], [2.3, 2, 1], "max_epochs"))
    assert row["epochs_to_fit"] is row["r2_accuracy"] is row["rise_steps"] is None
    assert row["train_accuracy"] == 0.5


def test_the_gradient_of_softmax_regression_by_hand(lesson):
    digits = data.load("digits", num_train=50)
    model = lesson.models.mlp((), num_classes=10)
    params, state = model.init(jax.random.key(0), np.zeros((1, 8, 8, 1), np.float32))
    x, labels = lesson.flat(digits.train.images), digits.train.labels
    kernel, bias = (np.asarray(params["head"][name]) for name in ("kernel", "bias"))
    logits = x @ kernel + bias
    error = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(10)[labels]
    by_hand = np.hypot(np.linalg.norm(x.T @ error / len(x)), np.linalg.norm(error.mean(0)))
    found = lesson.gradient_norm(model, params, state, digits)
    assert found == pytest.approx(by_hand, rel=1e-4)


def test_the_verdict_is_by_the_mean_over_seeds(lesson):
    rows = [
        {"learner": name, "labels": "random_labels", "train_accuracy": value}
        for name, value in (("a", 1.0), ("a", 0.985), ("b", 1.0), ("b", 0.9))
    ]
    rows.append({"learner": "b", "labels": "true", "train_accuracy": 1.0})
    assert lesson.verdict(rows) == "by rote: a\nnot by rote: b"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--learners", "trees"), "did you mean 'tree'"),
        (("--models", "mlp_1x513"), "did you mean 'mlp_1x512'"),
        (("--widths", "0"), "widths: 0; expected a positive number"),
        (("--starts", "0"), "starts: 0; expected a positive number"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert command("foundations/structure_or_rote", *flags, "--out", str(out)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not out.exists()
