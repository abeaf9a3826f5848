"""Many runs at once: each result is the one that the run would have alone."""

import dataclasses
import functools

import chex
import jax
import numpy as np
import optax
import pytest

from rote import optim
from rote.combinators import serial
from rote.core import InputError
from rote.layers import activation, batch_norm, conv, dense, dropout, flatten
from rote.train import (
    Advanced,
    Checkpoints,
    Evaluated,
    Execution,
    Finished,
    Group,
    Resumed,
    Run,
    Started,
    TrainingInterrupted,
    accuracy_reached,
    fit_groups,
    fit_runs,
)
from rote.train.moment import arrange
from rote.train.placement import choose_placement
from rote.transforms import unit_scale

MLP = serial(flatten(), dense(64), activation(jax.nn.relu), dense(4))
CNN = serial(conv(8), batch_norm(), activation(jax.nn.relu), dropout(0.2), flatten(), dense(4))
SETTINGS = {"batch_size": 32, "transform": unit_scale()}
decaying = functools.partial(optim.momentum, weight_decay=0.01)


def runs_of(noise, count=5):
    """Runs that differ in everything they can."""
    subsets = [np.random.default_rng(seed).permutation(300)[:200] for seed in range(5)]
    relabelled = [
        dataclasses.replace(
            noise,
            train=noise.train._replace(labels=np.roll(noise.train.labels, seed)),
        )
        for seed in range(5)
    ]
    brighter = dataclasses.replace(
        relabelled[1], train=relabelled[1].train._replace(images=255 - noise.train.images)
    )
    return [
        Run(
            seed,
            order_seed=seed + 7,
            dataset=[None, brighter, *relabelled[2:]][seed],
            subset=subsets[seed],
            hparams={"learning_rate": 0.02 * (seed + 1)},
            label=f"run {seed}",
        )
        for seed in range(count)
    ]


def train(model, noise, runs, max_epochs=3, **options):
    execution = Execution(**{k: options.pop(k) for k in list(options) if k in EXECUTION})
    return fit_runs(
        model,
        decaying,
        noise,
        runs,
        max_epochs=max_epochs,
        execution=execution,
        **SETTINGS,
        **options,
    )


EXECUTION = {field.name for field in dataclasses.fields(Execution)}


def rows(result):
    return [{**row, "seconds": 0} for row in result.history]


@pytest.mark.parametrize("model", [MLP, CNN], ids=["mlp", "cnn"])
@pytest.mark.parametrize("run_devices", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_runs_mapped_one_after_another_are_exactly_those_alone(noise, model, run_devices):
    runs = runs_of(noise)
    together = train(model, noise, runs, run_devices=run_devices)
    for run, result in zip(runs, together, strict=True):
        (alone,) = train(model, noise, [run])
        chex.assert_trees_all_equal(result.final, alone.final)
        assert rows(result) == rows(alone)
        np.testing.assert_array_equal(result.record.margin, alone.record.margin)


@pytest.mark.parametrize(
    "model", [MLP, pytest.param(CNN, marks=pytest.mark.slow)], ids=["mlp", "cnn"]
)
def test_vectorized_runs_agree_over_twenty_steps(noise, model):
    runs = runs_of(noise)
    assert len(runs[0].subset) // 32 == 6
    mapped = train(model, noise, runs, max_epochs=3)  # 18 steps
    together = train(model, noise, runs, max_epochs=3, mapping="vmap", run_devices=2)
    for one, other in zip(mapped, together, strict=True):
        chex.assert_trees_all_close(one.final, other.final, rtol=1e-4, atol=1e-5)
        chex.assert_trees_all_equal(one.initial, other.initial)


@pytest.mark.parametrize(
    ("run_devices", "batch_devices", "mapping"),
    [
        pytest.param(1, 2, "map", marks=pytest.mark.slow),
        pytest.param(1, 8, "map", marks=pytest.mark.slow),
        pytest.param(2, 4, "map", marks=pytest.mark.slow),
        (2, 2, "vmap"),
    ],
)
def test_a_batch_over_several_devices_has_the_statistics_of_the_whole(
    noise, run_devices, batch_devices, mapping
):
    runs = runs_of(noise, 3)
    one = train(CNN, noise, runs, run_devices=1)
    many = train(
        CNN,
        noise,
        runs,
        run_devices=run_devices,
        batch_devices=batch_devices,
        mapping=mapping,
    )
    for a, b in zip(one, many, strict=True):
        chex.assert_trees_all_close(a.final, b.final, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mapping", ["map", "vmap"])
def test_each_run_stops_at_its_own_epoch(noise, mapping):
    """They end at different times; the others move to other slots and go on as they would."""
    runs = runs_of(noise, 5)
    stop = accuracy_reached(0.6)
    options = {"max_epochs": 60, "stop": stop}
    together = train(MLP, noise, runs, mapping=mapping, run_devices=2, **options)
    alone = [train(MLP, noise, [run], **options)[0] for run in runs]
    epochs = [result.final.epoch for result in together]
    assert len(set(epochs)) >= 3
    for a, b in zip(together, alone, strict=True):
        assert a.status == b.status == "fitted"
        assert abs(a.final.epoch - b.final.epoch) <= (0 if mapping == "map" else 1)
        if mapping == "map":
            assert rows(a) == rows(b)


def test_a_finished_run_takes_no_more_steps(noise):
    """One run ends after an epoch; from then on the chunks hold the other alone."""
    events = []
    runs = [
        Run(0, hparams={"learning_rate": float("inf")}, label="bad"),
        Run(1, hparams={"learning_rate": 0.1}, label="good"),
    ]
    fit_runs(MLP, optax.sgd, noise, runs, max_epochs=3, on_event=events.append, **SETTINGS)
    chunks = [event for event in events if isinstance(event, Advanced)]
    assert chunks[0].runs == {0: "bad", 1: "good"}
    assert all(chunk.runs == {1: "good"} for chunk in chunks if chunk.epoch > 1)


@pytest.mark.slow
def test_runs_that_do_not_fit_in_memory_go_in_groups(noise, monkeypatch):
    runs = runs_of(noise, 4)
    whole = train(MLP, noise, runs, run_devices=1)
    events = []
    images = 2 * noise.train.images.nbytes + noise.test.images.nbytes
    for mapping in ("map", "vmap"):
        parts = train(
            MLP,
            noise,
            runs,
            run_devices=1,
            mapping=mapping,
            memory=images + 250_000,
            stream=False,
            on_event=events.append,
        )
        sizes = {len(e.runs) for e in events if isinstance(e, Advanced)}
        assert sizes <= {1, 2, 3}, sizes
        for a, b in zip(whole, parts, strict=True):
            chex.assert_trees_all_close(a.final, b.final, rtol=1e-4, atol=1e-5)


def test_runs_with_other_kinds_of_images_share_a_call(noise):
    """Generated inputs are float32: they are trained in a group of their own."""
    inputs = noise.train.images.astype(np.float32)
    floating = dataclasses.replace(noise, train=noise.train._replace(images=inputs))
    runs = [Run(0), Run(0, dataset=floating), Run(0)]
    results = fit_runs(MLP, lambda: optax.sgd(0.1), noise, runs, max_epochs=2, **SETTINGS)
    chex.assert_trees_all_equal(results[0].final, results[2].final)
    chex.assert_trees_all_close(results[0].final, results[1].final, rtol=1e-5)


def test_the_rule_is_told(noise):
    events = []
    train(MLP, noise, runs_of(noise, 3), max_epochs=1, run_devices=2, on_event=events.append)
    (started,) = (event for event in events if isinstance(event, Started))
    assert started.mapping == "3 runs on 2 cpu devices, one after another (map) on each"
    assert started.epochs_left == 3


@pytest.mark.parametrize(
    ("execution", "num_runs", "expected"),
    [
        (Execution(), 1, ("map", 1, 1)),
        (Execution(), 3, ("map", 3, 1)),
        (Execution(), 20, ("map", 8, 1)),
        (Execution(mapping="vmap"), 20, ("vmap", 8, 1)),
        (Execution(run_devices=2), 20, ("map", 2, 1)),
        (Execution(batch_devices=4), 20, ("map", 2, 4)),
        (Execution(run_devices=1, batch_devices=8), 1, ("map", 1, 8)),
    ],
)
def test_the_rule(execution, num_runs, expected):
    mode, mesh = choose_placement(execution, num_runs, 128)
    assert (mode, mesh.shape["run"], mesh.shape["batch"]) == expected


def test_the_rule_on_an_accelerator(monkeypatch):
    """Vectorized, unless the net has convolutions; one run takes what divides its batch."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert choose_placement(Execution(), 20, 128).mode == "vmap"
    assert choose_placement(Execution(), 20, 128, has_convolutions=True).mode == "map"
    assert choose_placement(Execution(), 1, 128).batch_devices == 8
    assert choose_placement(Execution(), 1, 100).batch_devices == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mapping": "both"}, "unknown mapping 'both'"),
        ({"run_devices": 0}, "run_devices: 0; expected at least 1"),
        ({"run_devices": 9}, "9 x 1; there are 8 devices"),
        ({"batch_devices": 9}, "1 x 9; there are 8 devices"),
        ({"batch_devices": 3}, "batch_size: 32 on 3 devices .* a multiple of 3"),
        ({"micro_batches": 5}, "micro_batches: 5; expected a divisor of 32"),
    ],
)
def test_bad_input_is_named(noise, options, message):
    with pytest.raises(InputError, match=message):
        train(MLP, noise, runs_of(noise, 1), **options)


def test_runs_with_different_hparams_are_refused(noise):
    runs = [Run(0, hparams={"learning_rate": 0.1}), Run(1)]
    with pytest.raises(InputError, match="different hparams"):
        fit_runs(MLP, optax.sgd, noise, runs, max_epochs=1, **SETTINGS)


def test_hparams_that_the_optimizer_does_not_take_are_refused(noise):
    runs = [Run(0, hparams={"rate": 0.1})]
    with pytest.raises(InputError, match=r"make_optimizer\(learning_rate\).*\('rate',\): missing"):
        fit_runs(MLP, lambda learning_rate: None, noise, runs, max_epochs=1, **SETTINGS)


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([Run(2**32)], {}, "seed: 4294967296; expected an integer from 0 to"),
        ([Run(-1)], {}, "seed: -1; expected an integer from 0"),
        ([Run(0, order_seed=2**40)], {}, "seed: 1099511627776; expected"),
        ([0], {}, r"runs: 0; expected rote.Run"),
        ([Run(0)], {"max_epochs": 1.5}, "max_epochs: 1.5; expected an integer"),
    ],
)
def test_seeds_that_would_repeat_and_other_odd_numbers_are_refused(noise, runs, options, message):
    with pytest.raises(InputError, match=message):
        options = {"max_epochs": 1, **options, **SETTINGS}
        fit_runs(MLP, lambda: optax.sgd(0.1), noise, runs, **options)


def test_slots_are_dealt_out():
    assert arrange([0, 1, 2, 3, 4], 2) == (0, 2, 4, 1, 3, None)
    assert arrange([7], 3, per_device=2) == (7, None, None, None, None, None)


def small_groups(noise):
    """Two architectures on two batch sizes, five runs in all."""
    narrow = serial(flatten(), dense(8), activation(jax.nn.relu), dense(4))
    options = {"make_optimizer": decaying, "dataset": noise, "transform": unit_scale()}
    runs = runs_of(noise)
    return [
        Group(model=narrow, runs=runs[:2], batch_size=32, max_epochs=2, **options),
        Group(model=MLP, runs=runs[2:], batch_size=16, max_epochs=3, **options),
    ]


def test_groups_of_architectures_are_one_sweep(noise):
    groups, events = small_groups(noise), []
    results = fit_groups(groups, on_event=events.append)
    for group, ended in zip(groups, results, strict=True):
        alone = fit_groups([group])[0]
        for a, b in zip(ended, alone, strict=True):
            chex.assert_trees_all_equal(a.final, b.final)
    (started,) = (event for event in events if isinstance(event, Started))
    assert events[0] == started
    assert (started.num_runs, started.max_epochs, started.epochs_left) == (5, 3, 2 * 2 + 3 * 3)
    assert started.max_seconds == sum(group.max_seconds for group in started.groups) > 0
    assert [e.run for e in events if isinstance(e, Finished)] == [0, 1, 2, 3, 4]
    labels = {e.run: e.label for e in events if isinstance(e, Evaluated)}
    assert labels == {run: f"run {run}" for run in range(5)}


def test_an_interrupted_sweep_of_groups_goes_on(noise, tmp_path):
    whole = fit_groups(small_groups(noise))
    execution = Execution(checkpoints=Checkpoints(tmp_path))

    def interrupt(event):
        if isinstance(event, Evaluated) and (event.run, event.row["epoch"]) == (3, 2):
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted) as caught:
        fit_groups(small_groups(noise), execution=execution, on_event=interrupt)
    assert [r.status for r in caught.value.results] == ["max_epochs"] * 2 + ["interrupted"] * 3
    events = []
    again = fit_groups(small_groups(noise), execution=execution, on_event=events.append)
    (resumed,) = (event for event in events if isinstance(event, Resumed))
    assert (set(resumed.finished), set(resumed.histories)) == ({0, 1}, {2, 3, 4})
    for ended, others in zip(again, whole, strict=True):
        for a, b in zip(ended, others, strict=True):
            chex.assert_trees_all_equal(a.final, b.final)
            assert rows(a) == rows(b)
