import dataclasses
import functools

import chex
import jax
import numpy as np
import optax
import pytest

from rote import optim
from rote.combinators import serial
from rote.core import Dataset, InputError, Split
from rote.data import load
from rote.layers import activation, batch_norm, conv, dense, dropout, flatten, global_avg_pool
from rote.models import mlp
from rote.train import (
    Advanced,
    DivergedError,
    Evaluated,
    Finished,
    Run,
    Started,
    TrainingInterrupted,
    accuracy_reached,
    epoch_order,
    fit,
    fit_runs,
    make_forward,
    order_keys,
    pace,
    patience,
)
from rote.transforms import unit_scale

LINEAR = serial(flatten(), dense(4))
MLP = serial(flatten(), dense(64), activation(jax.nn.relu), dense(4))
CNN = serial(conv(8), batch_norm(), activation(jax.nn.relu), dropout(0.2), flatten(), dense(4))
SETTINGS = {"batch_size": 32, "transform": unit_scale()}


def same(a, b):
    """Equality of results bit for bit, timing aside."""
    chex.assert_trees_all_equal(a.final, b.final)
    rows = [[{**row, "seconds": 0} for row in result.history] for result in (a, b)]
    assert rows[0] == rows[1]
    np.testing.assert_array_equal(a.record.margin, b.record.margin)


def test_agrees_with_sgd_written_by_hand(noise):
    result = fit(LINEAR, optax.sgd(0.05), noise, seed=3, max_epochs=2, **SETTINGS)
    weights = np.asarray(result.initial.params["1"]["kernel"], np.float64)
    biases = np.asarray(result.initial.params["1"]["bias"], np.float64)
    x = noise.train.images.reshape(300, -1) / 255.0
    onehot = np.eye(4)[noise.train.labels]
    shuffle_key, _ = order_keys(3)
    for epoch in range(2):
        order = np.asarray(epoch_order(shuffle_key, epoch, 300))
        assert sorted(order) == list(range(300))
        for rows in order[: 9 * 32].reshape(9, 32):
            logits = x[rows] @ weights + biases
            chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
            error = (chances - onehot[rows]) / 32
            weights -= 0.05 * x[rows].T @ error
            biases -= 0.05 * error.sum(0)
    np.testing.assert_allclose(result.params["1"]["kernel"], weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.params["1"]["bias"], biases, rtol=1e-4, atol=1e-5)
    assert result.steps_per_epoch == 9
    assert [row["step"] for row in result.history] == [0, 9, 18]


def test_the_size_of_a_chunk_changes_nothing(noise, monkeypatch):
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.0)
    steps = fit(CNN, optax.sgd(0.1, 0.9), noise, seed=0, max_epochs=2, **SETTINGS)
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 1e9)
    epochs = fit(CNN, optax.sgd(0.1, 0.9), noise, seed=0, max_epochs=2, **SETTINGS)
    same(steps, epochs)


@pytest.mark.parametrize("model", [MLP, CNN], ids=["mlp", "cnn"])
def test_runs_of_a_list_equal_runs_alone(noise, model):
    relabelled = dataclasses.replace(
        noise, train=noise.train._replace(labels=noise.train.clean_labels)
    )
    runs = [
        Run(0, hparams={"learning_rate": 0.1}),
        Run(1, order_seed=7, hparams={"learning_rate": 0.02}, dataset=relabelled),
    ]
    make = functools.partial(optax.sgd, momentum=0.9)
    together = fit_runs(model, make, noise, runs, max_epochs=3, **SETTINGS)
    for run, result in zip(runs, together, strict=True):
        (alone,) = fit_runs(model, make, noise, [run], max_epochs=3, **SETTINGS)
        same(result, alone)
    first = fit(model, optax.sgd(0.1, momentum=0.9), noise, seed=0, max_epochs=3, **SETTINGS)
    chex.assert_trees_all_close(first.final, together[0].final, rtol=1e-4, atol=1e-6)


def test_each_seed_decides_what_it_should(noise):
    runs = [Run(0, order_seed=5), Run(0, order_seed=6), Run(1, order_seed=5)]
    a, b, c = fit_runs(MLP, lambda: optax.sgd(0.1), noise, runs, max_epochs=1, **SETTINGS)
    chex.assert_trees_all_equal(a.initial, b.initial)
    assert not np.array_equal(a.params["1"]["kernel"], b.params["1"]["kernel"])
    assert not np.array_equal(a.initial.params["1"]["kernel"], c.initial.params["1"]["kernel"])
    params, _ = MLP.init(jax.random.key(0), np.zeros((1, 6, 6, 1), np.float32))
    chex.assert_trees_all_close(a.initial.params, params, rtol=1e-6)


def test_compiles_once_for_many_runs_and_not_at_all_for_the_same_call_again(noise):
    traces = []

    def loss_fn(logits, labels):
        traces.append(logits.shape)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels)

    def train(runs):
        traces.clear()
        fit_runs(MLP, optax.sgd, noise, runs, max_epochs=2, loss_fn=loss_fn, **SETTINGS)
        return len(traces)

    first = train([Run(i, hparams={"learning_rate": 0.1 / (i + 1)}) for i in range(3)])
    again = train([Run(i, hparams={"learning_rate": 0.3}) for i in range(4, 7)])
    assert first == 3  # the training step, and the evaluation of each split
    assert again == 0


def test_history_is_a_full_pass_in_eval_mode(noise):
    result = fit(CNN, optax.sgd(0.1), noise, seed=0, max_epochs=2, **SETTINGS)
    logits, _ = make_forward(CNN, unit_scale())(
        result.params, result.state, noise.train.images, train=False
    )
    logits = np.asarray(logits, np.float64)
    labels, clean, changed = noise.train.labels, noise.train.clean_labels, noise.train.changed
    predicted = logits.argmax(-1)
    row = result.history[-1]
    loss = np.log(np.exp(logits).sum(-1)) - logits[np.arange(300), labels]
    assert row["train_loss"] == pytest.approx(loss.mean(), rel=1e-4)
    assert row["train_accuracy"] == np.mean(predicted == labels)
    assert row["changed_accuracy"] == np.mean((predicted == labels)[changed])
    assert row["unchanged_accuracy"] == np.mean((predicted == labels)[~changed])
    assert row["clean_accuracy"] == np.mean(predicted == clean)
    assert row["held_out_accuracy"] is None

    record = result.record
    assert record.epochs.tolist() == [0, 1, 2]
    assert record.predicted.dtype == np.uint8
    np.testing.assert_array_equal(record.predicted[-1], predicted)
    own = logits[np.arange(300), labels]
    others = np.where(np.eye(4, dtype=bool)[labels], -np.inf, logits).max(-1)
    np.testing.assert_allclose(record.margin[-1], own - others, rtol=1e-3, atol=1e-4)


def test_a_subset_is_trained_on_and_all_are_evaluated(noise):
    subset = np.random.default_rng(1).permutation(300)[:200]
    held_out = np.setdiff1d(np.arange(300), subset)
    part = Dataset("part", Split(*(array[subset] for array in noise.train)), noise.test, 4)
    (result,) = fit_runs(
        MLP, lambda: optax.sgd(0.1), noise, [Run(0, subset=subset)], max_epochs=3, **SETTINGS
    )
    alone = fit(MLP, optax.sgd(0.1), part, seed=0, max_epochs=3, **SETTINGS)
    chex.assert_trees_all_close(result.final, alone.final, rtol=1e-5, atol=1e-6)
    row = result.history[-1]
    assert row["train_accuracy"] == alone.history[-1]["train_accuracy"]
    correct = result.record.predicted[-1] == noise.train.labels
    assert row["held_out_accuracy"] == np.mean(correct[held_out])


def test_a_data_set_can_be_made_when_its_run_begins(noise):
    made = []

    def make():
        made.append(True)
        return dataclasses.replace(
            noise, train=noise.train._replace(labels=noise.train.clean_labels)
        )

    settings = {"max_epochs": 1, **SETTINGS}
    (late,) = fit_runs(MLP, lambda: optax.sgd(0.1), noise, [Run(0, dataset=make)], **settings)
    assert made == [True]
    (early,) = fit_runs(MLP, lambda: optax.sgd(0.1), noise, [Run(0, dataset=make())], **settings)
    same(late, early)
    np.testing.assert_array_equal(late.data.labels, noise.train.clean_labels)
    assert late.data.fingerprint == make().fingerprint


def test_a_run_whose_data_do_not_fit_is_named(noise):
    more = dataclasses.replace(noise, num_classes=5)
    with pytest.raises(InputError, match=r"'odd' has a number of classes of 5, .* 4"):
        fit_runs(
            MLP,
            lambda: optax.sgd(0.1),
            noise,
            [Run(0, dataset=more, label="odd")],
            max_epochs=1,
            **SETTINGS,
        )


def test_time_to_names_an_unknown_metric(noise):
    result = fit(LINEAR, optax.sgd(0.01), noise, seed=0, max_epochs=1, **SETTINGS)
    with pytest.raises(InputError, match="did you mean 'train_accuracy'"):
        result.time_to("train_acc")
    assert dataclasses.replace(result, history=[]).time_to() is None


def test_stops_when_fitted_and_says_when(noise):
    result = fit(
        MLP,
        optax.sgd(0.1, 0.9),
        noise,
        seed=0,
        max_epochs=500,
        stop=accuracy_reached(),
        record="last",
        **SETTINGS,
    )
    assert result.status == "fitted"
    accuracies = [row["train_accuracy"] for row in result.history]
    assert accuracies[-1] == 1.0 and max(accuracies[:-1]) < 1.0
    epoch = result.history[-1]["epoch"]
    assert result.time_to() == (epoch, 9 * epoch)
    assert result.record.epochs.tolist() == [epoch]
    assert (result.record.margin[-1] > 0).all()


def test_a_run_that_does_not_fit_is_censored(noise):
    result = fit(
        LINEAR,
        optax.sgd(0.01),
        noise,
        seed=0,
        max_epochs=2,
        stop=accuracy_reached(),
        **SETTINGS,
    )
    assert (result.status, result.error, result.time_to()) == ("max_epochs", None, None)


def test_patience_keeps_the_best_parameters(noise):
    result = fit(
        MLP, optax.sgd(0.3, 0.9), noise, seed=0, max_epochs=200, stop=patience(4), **SETTINGS
    )
    losses = [row["test_loss"] for row in result.history[1:]]
    assert result.status == "patience"
    assert result.best is not None and result.best.epoch == 1 + int(np.argmin(losses))
    assert result.history[-1]["epoch"] == result.best.epoch + 4
    logits, _ = make_forward(MLP, unit_scale())(
        result.best.params, result.best.state, noise.test.images, train=False
    )
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, noise.test.labels).mean()
    assert float(loss) == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.parametrize("chunk_seconds", [0.0, 1e9])
def test_a_loss_that_stops_being_finite_ends_the_run_soundly(noise, monkeypatch, chunk_seconds):
    monkeypatch.setattr(pace, "CHUNK_SECONDS", chunk_seconds)

    def exploding(step):  # the update of step 12 (counted from 1) ruins the parameters
        return jax.numpy.where(step == 11, float("inf"), 0.01)

    with pytest.raises(DivergedError, match="epoch 2, step 13") as caught:
        fit(LINEAR, optax.sgd(exploding), noise, seed=0, max_epochs=4, **SETTINGS)
    result = caught.value.result
    assert result.status == "diverged"
    assert [row["epoch"] for row in result.history] == [0, 1]
    steady = fit(LINEAR, optax.sgd(0.01), noise, seed=0, max_epochs=2, **SETTINGS)
    chex.assert_tree_all_finite(result.params)
    assert not np.array_equal(result.params["1"]["kernel"], steady.params["1"]["kernel"])
    eleven = _after_steps(noise, 11)
    chex.assert_trees_all_close(result.params, eleven, rtol=1e-5, atol=1e-7)


def _after_steps(noise, count):
    """The linear net's parameters after ``count`` steps, without the engine's loop."""
    result = fit(LINEAR, optax.sgd(0.0), noise, seed=0, max_epochs=1, **SETTINGS)
    params, _ = result.initial.params, None
    shuffle_key, _ = order_keys(0)

    def loss(params, rows):
        logits, _ = make_forward(LINEAR, unit_scale())(
            params, result.state, noise.train.images[rows], train=False
        )
        labels = noise.train.labels[rows]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    for step in range(count):
        epoch, first = divmod(step, 9)
        rows = np.asarray(epoch_order(shuffle_key, epoch, 300))[first * 32 :][:32]
        gradient = jax.grad(loss)(params, rows)
        params = jax.tree.map(lambda p, g: p - 0.01 * g, params, gradient)
    return params


def test_a_diverging_run_does_not_end_the_others(noise):
    runs = [Run(0, hparams={"learning_rate": rate}) for rate in (float("inf"), 0.1)]
    bad, good = fit_runs(MLP, optax.sgd, noise, runs, max_epochs=2, **SETTINGS)
    assert bad.status == "diverged" and "epoch 1, step 2" in bad.error
    assert good.status == "max_epochs" and len(good.history) == 3


def test_an_event_gives_the_net_that_was_evaluated(noise):
    seen = {}

    def look(event):
        if isinstance(event, Evaluated):
            seen[event.run, event.row["epoch"]] = event.net(), event.row["train_accuracy"]

    runs = [Run(seed, hparams={"learning_rate": 0.1}) for seed in range(2)]
    results = fit_runs(MLP, optax.sgd, noise, runs, max_epochs=2, on_event=look, **SETTINGS)
    assert set(seen) == {(run, epoch) for run in range(2) for epoch in range(3)}
    x = noise.train.images / np.float32(255)
    for (_, epoch), (net, accuracy) in seen.items():
        assert net.epoch == epoch
        logits, _ = MLP.apply(net.params, net.state, x, train=False)
        assert np.mean(np.argmax(logits, -1) == noise.train.labels) == pytest.approx(accuracy)
    for run, result in enumerate(results):
        chex.assert_trees_all_equal(seen[run, 0][0], result.initial)
        chex.assert_trees_all_equal(seen[run, 2][0], result.final)


def test_an_interruption_keeps_what_is_there(noise):
    def interrupt(event):
        if isinstance(event, Evaluated) and event.row["epoch"] == 2:
            raise KeyboardInterrupt

    settings = {"max_epochs": 3, **SETTINGS}
    runs = [Run(0, hparams={"learning_rate": float("inf")}), Run(1, hparams={"learning_rate": 0.1})]
    with pytest.raises(TrainingInterrupted) as caught:
        fit_runs(MLP, optax.sgd, noise, runs, on_event=interrupt, **settings)
    first, second = caught.value.results
    assert (first.status, second.status) == ("diverged", "interrupted")
    assert [row["epoch"] for row in second.history] == [0, 1, 2]
    assert second.final.epoch == 2
    (alone,) = fit_runs(MLP, optax.sgd, noise, runs[1:], **SETTINGS, max_epochs=2)
    chex.assert_trees_all_equal(second.final, alone.final)


def test_an_interruption_when_a_run_has_ended_keeps_it(noise):
    def interrupt(event):
        if isinstance(event, Finished):
            raise KeyboardInterrupt

    runs = [Run(seed) for seed in range(3)]
    with pytest.raises(TrainingInterrupted) as caught:
        fit_runs(
            MLP,
            lambda: optax.sgd(0.1),
            noise,
            runs,
            max_epochs=1,
            on_event=interrupt,
            **SETTINGS,
        )
    assert [result.status for result in caught.value.results] == ["max_epochs"] * 3


def test_events_tell_what_happens(noise):
    events = []
    results = fit_runs(
        MLP,
        lambda: optax.sgd(0.1),
        noise,
        [Run(0, label="a"), Run(1, label="b")],
        max_epochs=2,
        on_event=events.append,
        **SETTINGS,
    )
    started, *rest = events
    assert isinstance(started, Started)
    assert (started.num_runs, started.max_epochs, started.steps_per_epoch) == (2, 2, 9)
    assert started.max_seconds > 0
    rows = [e.row for e in rest if isinstance(e, Evaluated)]
    assert rows == [result.history[epoch] for epoch in range(3) for result in results]
    chunks = [e for e in rest if isinstance(e, Advanced)]
    assert sum(e.steps for e in chunks) == 2 * 9 and chunks[-1].taken == 9
    assert chunks[-1].runs == {0: "a", 1: "b"}
    assert chunks[-1].loss == pytest.approx(np.mean([r.history[-1]["batch_loss"] for r in results]))
    assert [e.result for e in rest if isinstance(e, Finished)] == results
    assert [e.label for e in rest if isinstance(e, Finished)] == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 301}, "batch_size: 301; expected 1 to 300"),
        ({"batch_size": 0}, "batch_size: 0"),
        ({"max_epochs": 0}, "max_epochs: 0; expected at least 1"),
        ({"record": "some"}, "record: 'some'"),
        ({"compute_dtype": "bfloat"}, "compute_dtype: 'bfloat'; expected one of bfloat16"),
        ({"runs": []}, "empty list of runs"),
        ({"runs": [Run(0, subset=np.array([1, 1]))]}, "different indices"),
        ({"runs": [Run(0, subset=np.array([1, 300]))]}, "expected 0..299"),
        ({"runs": [Run(0, subset=np.array([1.0, 2.0]))]}, "different indices"),
        ({"runs": [Run(0), Run(1, subset=np.arange(50))]}, "different numbers of examples"),
        ({"compute_dtype": "float64"}, "float64 without 64-bit types"),
        ({"stop": 0.99}, "stop: 0.99; expected a rule"),
        ({"model": serial(flatten(), dense(5))}, r"shape \(1, 5\).*expected \(1, 4\)"),
        ({"model": serial(conv(4, 9, padding="VALID"), global_avg_pool())}, "too small"),
    ],
)
def test_bad_input_is_named(noise, change, message):
    arguments = {
        "model": MLP,
        "runs": [Run(0)],
        "max_epochs": 1,
        **SETTINGS,
        **change,
    }
    model, runs = arguments.pop("model"), arguments.pop("runs")
    with pytest.raises(InputError, match=message):
        fit_runs(model, lambda: optax.sgd(0.1), noise, runs, **arguments)


def test_bfloat16_memorises_digits():
    """Every label of the training set, and as many of the test set as in float32."""
    result = fit(
        mlp((512,), num_classes=10),
        optim.momentum(0.1),
        load("digits"),
        seed=0,
        max_epochs=100,
        batch_size=128,
        transform=unit_scale(),
        compute_dtype="bfloat16",
        stop=accuracy_reached(1.0),
    )
    assert result.status == "fitted"
    assert result.history[-1]["test_accuracy"] > 0.95
    assert {leaf.dtype.name for leaf in jax.tree.leaves(result.params)} == {"float32"}
