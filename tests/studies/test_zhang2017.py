"""The settings of Zhang et al. 2017, and what the conditions mean for a network."""

import dataclasses

import jax
import numpy as np
import pytest

from rote import data
from rote.core import Batch, Dataset, InputError, Split
from rote.models import mlp
from rote.optim import momentum
from rote.studies import zhang2017
from rote.studies.config import TrainConfig
from rote.train import init_train_state, make_step

DIGITS = data.load("digits")


def test_an_mlp_cannot_tell_shuffled_pixels_from_true_ones():
    """Permuting the pixels and the rows of the first kernel alike changes nothing."""
    positions = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    label = np.zeros(1, np.int32)
    index = Dataset("index", *[Split(positions, label, label)] * 2, 1)
    order = data.shuffled_pixels(index, seed=3).train.images.ravel()
    assert sorted(order) == list(range(64)) and list(order) != list(range(64))
    shuffled = data.shuffled_pixels(DIGITS, seed=3)

    model = mlp((32,), num_classes=10)
    transform = zhang2017.preprocessing((8, 8, 1), augment=False)
    optimizer = momentum(0.1)
    step = jax.jit(make_step(model, optimizer, transform=transform))
    params, state = model.init(jax.random.key(0), transform(DIGITS.train.images[:1], train=False))
    kernel = params["hidden1"]["dense"]["kernel"]
    dense = {**params["hidden1"]["dense"], "kernel": kernel[order]}
    permuted = {**params, "hidden1": {**params["hidden1"], "dense": dense}}

    losses = {}
    for name, dataset, start in (("true", DIGITS, params), ("shuffled", shuffled, permuted)):
        train_state = init_train_state(start, state, optimizer, jax.random.key(1))
        losses[name] = []
        for first in range(0, 1024, 128):
            rows = slice(first, first + 128)
            batch = Batch(dataset.train.images[rows], dataset.train.labels[rows])
            train_state, loss = step(train_state, batch)
            losses[name].append(float(loss))
    assert losses["true"][-1] < losses["true"][0] / 2
    np.testing.assert_allclose(losses["true"], losses["shuffled"], rtol=1e-4)


def test_preprocessing_is_the_papers():
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    x = zhang2017.preprocessing((32, 32, 3), augment=False)(images, train=True)
    crop = images[:, 2:30, 2:30].astype(np.float64) / 255
    mean = crop.mean((1, 2, 3), keepdims=True)
    std = np.maximum(crop.std((1, 2, 3), keepdims=True), 1 / np.sqrt(28 * 28 * 3))
    np.testing.assert_allclose(x, (crop - mean) / std, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (8, 8, 1)])
def test_augmentation_acts_in_training_only_and_keeps_the_size(shape):
    images = np.random.default_rng(0).integers(0, 256, (16, *shape)).astype(np.uint8)
    plain = zhang2017.preprocessing(shape, augment=False)(images, train=False)
    augment = zhang2017.preprocessing(shape, augment=True)
    np.testing.assert_array_equal(augment(images, train=False), plain)
    trained = augment(images, train=True, key=jax.random.key(0))
    assert trained.shape == plain.shape
    assert not np.allclose(trained, plain)


def test_resolve_takes_the_recipe_and_leaves_what_is_given():
    config = zhang2017.resolve(TrainConfig(batch_size=64))
    recipe = zhang2017.RECIPES["digits", "mlp_1x512"]
    assert zhang2017.settled(config) == recipe._replace(batch_size=64)
    assert zhang2017.resolve(config) == config
    paper = zhang2017.resolve(TrainConfig(dataset="cifar10", model="inception_small"))
    assert (paper.learning_rate, paper.learning_rate_decay) == ((0.1,), 0.95)
    other = zhang2017.resolve(TrainConfig(dataset="mnist", model="mlp_3x512"))
    assert zhang2017.settled(other) == zhang2017.DEFAULT_RECIPE
    adam = zhang2017.resolve(TrainConfig(optimizer="adam"))
    assert adam.learning_rate == zhang2017.ADAM_LEARNING_RATE
    with pytest.raises(InputError, match="did you mean 'alexnet_small'"):
        zhang2017.resolve(TrainConfig(model="alexnet_smal"))
    with pytest.raises(InputError, match="resolve"):
        zhang2017.settled(TrainConfig())


def test_a_label_seed_fixes_the_labels_of_all_runs():
    free = zhang2017.resolve(TrainConfig(seeds=(0, 1)))
    fixed = dataclasses.replace(free, label_seed=5)
    a, b = zhang2017.corruption_cases(DIGITS, [0.5], free)
    assert (a.seed, b.seed) == (0, 1)
    assert not np.array_equal(a.make().train.labels, b.make().train.labels)
    c, d = zhang2017.corruption_cases(DIGITS, [0.5], fixed)
    np.testing.assert_array_equal(c.make().train.labels, d.make().train.labels)
    assert c.make().provenance[-1]["seed"] == 5


def test_each_learning_rate_is_tried_with_each_seed():
    config = TrainConfig(seeds=(0, 1), learning_rate=(0.1, 0.01))
    cases = zhang2017.corruption_cases(DIGITS, [0.5, 1.0], zhang2017.resolve(config))
    assert len({case.label for case in cases}) == len(cases) == 8
    assert cases[2].label == "corruption=0.5 learning_rate=0.01 seed=0"
    assert cases[2].factors == {"corruption": 0.5, "learning_rate": 0.01, "seed": 0}
    assert [case.learning_rate for case in cases[:4]] == [0.1, 0.1, 0.01, 0.01]
    parts = zhang2017.by_learning_rate([case.factors for case in cases])
    assert {name: len(rows) for name, rows in parts.items()} == {
        "learning_rate=0.1": 4,
        "learning_rate=0.01": 4,
    }
    assert list(zhang2017.by_learning_rate([{"seed": 0}])) == [""]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seeds", (), "one or more different"),
        ("seeds", (1, 1), "one or more different"),
        ("label_seed", -2, "seed: -2; expected an integer >= 0"),
        ("batch_size", 0, "batch_size: 0; expected at least 1"),
        ("max_epochs", 0, "max_epochs: 0; expected at least 1"),
        ("learning_rate", (), "learning_rate: none; expected one or more different"),
        ("learning_rate", (-0.1,), "learning_rate: -0.1; expected a positive"),
        ("learning_rate_decay", 0.0, "learning_rate_decay: 0.0; expected a positive"),
        ("weight_decay", -1.0, "weight_decay: -1.0; expected 0 or"),
    ],
)
def test_bad_settings_are_named(field, value, message):
    with pytest.raises(InputError, match=message):
        TrainConfig(**{field: value})


def test_tables_of_a_small_study():
    config = zhang2017.resolve(TrainConfig(num_train=200, seeds=(0, 1), max_epochs=2))
    dataset = data.load("digits", num_train=200)
    cases = zhang2017.condition_cases(dataset, ["true", "random_labels"], config)
    results = zhang2017.train(config, dataset, cases)
    curves = zhang2017.curves(cases, results)
    assert [(r["condition"], r["seed"], r["epoch"]) for r in curves[:4]] == [
        ("true", 0, 0),
        ("true", 0, 1),
        ("true", 0, 2),
        ("true", 1, 0),
    ]
    table = zhang2017.outcomes(cases, results, config)
    assert [row["epochs_to_fit"] for row in table] == [None] * 4
    assert {row["max_steps"] for row in table} == {2}
    for row, result in zip(table, results, strict=True):
        assert row["test_error"] == 1 - result.history[-1]["test_accuracy"]
    groups = zhang2017.grouped(table, "condition")
    assert {name: len(rows) for name, rows in groups.items()} == {"true": 2, "random_labels": 2}
    at_one = zhang2017.train_accuracy_at(zhang2017.grouped(curves, "condition")["true"], 1)
    assert at_one == [result.history[1]["train_accuracy"] for result in results[:2]]


def test_titles_say_how_the_images_were_stored():
    config = TrainConfig(model="cnn")
    assert zhang2017.title(config, DIGITS) == "cnn on 1,437 images of digits"
    stored = dataclasses.replace(DIGITS, name="cifar10", provenance=({"image_format": "JPEG"},))
    assert zhang2017.title(config, stored) == "cnn on 1,437 images of cifar10 (stored as JPEG)"


def test_weight_decay_and_optimizer_reach_the_training():
    base = zhang2017.resolve(TrainConfig(num_train=200, seeds=(0,), max_epochs=3))
    dataset = data.load("digits", num_train=200)

    def norm(**change):
        config = dataclasses.replace(base, **change)
        cases = zhang2017.condition_cases(dataset, ["true"], config)
        (result,) = zhang2017.train(config, dataset, cases)
        return float(np.linalg.norm(result.params["hidden1"]["dense"]["kernel"]))

    plain, decayed = norm(), norm(weight_decay=0.5)
    assert decayed < 0.95 * plain
    assert norm(optimizer="sgd") != norm(optimizer="adam") != plain
    assert norm(learning_rate_decay=0.1) != plain
