"""The settings of Zhang et al. 2017, and what the conditions mean for a network."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from rote import data
from rote.core import Batch, Dataset, InputError, Split
from rote.models import mlp
from rote.optim import momentum
from rote.studies import catalog, zhang2017
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
    transform = zhang2017.preprocessing((8, 8, 1), augment="none")
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
    x = zhang2017.preprocessing((32, 32, 3), augment="none")(images, train=True)
    crop = images[:, 2:30, 2:30].astype(np.float64) / 255
    mean = crop.mean((1, 2, 3), keepdims=True)
    std = np.maximum(crop.std((1, 2, 3), keepdims=True), 1 / np.sqrt(28 * 28 * 3))
    np.testing.assert_allclose(x, (crop - mean) / std, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("augment", ["crop", "crop_flip"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (8, 8, 1)])
def test_augmentation_acts_in_training_only_and_keeps_the_size(shape, augment):
    images = np.random.default_rng(0).integers(0, 256, (16, *shape)).astype(np.uint8)
    plain = zhang2017.preprocessing(shape, augment="none")(images, train=False)
    augment = zhang2017.preprocessing(shape, augment)
    np.testing.assert_array_equal(augment(images, train=False), plain)
    trained = augment(images, train=True, key=jax.random.key(0))
    assert trained.shape == plain.shape
    assert not np.allclose(trained, plain)


def test_flips_mirror_color_images_only():
    """A crop of every window of a gray image, or of a color image without flips, is a window."""
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8).repeat(64, axis=0)
    crop, flip = (
        np.asarray(
            zhang2017.preprocessing((32, 32, 3), augment)(color, train=True, key=jax.random.key(0))
        )
        for augment in ("crop", "crop_flip")
    )
    windows = np.lib.stride_tricks.sliding_window_view(color[0], (28, 28), axis=(0, 1))
    flat = windows.reshape(25, 3, 28, 28).transpose(0, 2, 3, 1) / 255.0
    white = (flat - flat.mean((1, 2, 3), keepdims=True)) / flat.std((1, 2, 3), keepdims=True)

    def known(images):
        return [bool(np.abs(white - image).max((1, 2, 3)).min() < 1e-3) for image in images]

    assert all(known(crop))
    straight, mirrored = known(flip), known(flip[:, :, ::-1])
    assert all(a != b for a, b in zip(straight, mirrored, strict=True))
    assert 16 < sum(mirrored) < 48
    with pytest.raises(InputError, match="augment: 'flip'; expected 'none'"):
        zhang2017.preprocessing((8, 8, 1), "flip")


def test_resolve_takes_the_recipe_and_leaves_what_is_given():
    config = zhang2017.resolve(TrainConfig(batch_size=64))
    recipe = zhang2017.settings.RECIPES["digits", "mlp_1x512"]
    assert zhang2017.settled(config, "mlp_1x512") == recipe._replace(batch_size=64)
    assert zhang2017.resolve(config) == config
    paper = zhang2017.resolve(TrainConfig(dataset="cifar10", model=("inception_small",)))
    assert (paper.learning_rate, paper.learning_rate_decay) == ((0.1,), 0.95)
    other = TrainConfig(dataset="mnist", model=("mlp_3x512",))
    assert zhang2017.settled(other, "mlp_3x512") == zhang2017.settings.DEFAULT_RECIPE
    adam = zhang2017.resolve(TrainConfig(optimizer="adam"))
    assert adam.learning_rate == zhang2017.settings.ADAM_LEARNING_RATE
    with pytest.raises(InputError, match="did you mean 'alexnet_small'"):
        zhang2017.resolve(TrainConfig(model=("alexnet_smal",)))


def test_networks_with_different_recipes_keep_their_own():
    config = TrainConfig(dataset="cifar10", model=("inception_small", "mlp_1x512"), seeds=(0,))
    assert zhang2017.resolve(config) == config
    cases = zhang2017.condition_cases(DIGITS, ["true"], config)
    assert [case.label for case in cases] == [
        "inception_small true seed=0",
        "mlp_1x512 true seed=0",
    ]
    assert [case.learning_rate for case in cases] == [0.1, 0.01]
    assert [case.settings.learning_rate_decay for case in cases] == [0.95, 1.0]
    same = TrainConfig(dataset="mnist", model=("mlp_3x512", "mlp_1x512"))
    assert zhang2017.resolve(same).learning_rate == (0.01,)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet_small", "inception_small_no_bn"])
def test_networks_start_soundly_at_the_papers_rates(name):
    """From Glorot's weights the first losses stay near ln 10; from He's they leave it at once."""
    recipe = zhang2017.settings.RECIPES["cifar10", name]
    rng = np.random.default_rng(0)
    batches = Batch(rng.normal(size=(12, 32, 28, 28, 3)), rng.integers(0, 10, (12, 32)))
    worst = {}
    for init in ("glorot_uniform", "he_normal"):
        net = catalog.build(name, 10, init=init)
        optimizer = momentum(recipe.learning_rate[0])
        step = jax.jit(make_step(net, optimizer, transform=lambda x, **_: x.astype("float32")))
        made = net.init(jax.random.key(0), np.zeros((1, 28, 28, 3), np.float32))
        train = init_train_state(*made, optimizer, jax.random.key(1))
        losses = []
        for images, labels in zip(*batches, strict=True):
            train, loss = step(train, Batch(images, labels))
            losses.append(float(loss))
        worst[init] = np.max(losses)  # NaN, if any is
    assert recipe.init == "glorot_uniform"
    assert worst["glorot_uniform"] < 3
    assert not worst["he_normal"] < 5


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
    assert cases[2].factors == {
        "model": "mlp_1x512",
        "corruption": 0.5,
        "learning_rate": 0.01,
        "seed": 0,
    }
    assert [case.learning_rate for case in cases[:4]] == [0.1, 0.1, 0.01, 0.01]
    parts = zhang2017.by_net([case.factors for case in cases])
    assert {name: len(rows) for name, rows in parts.items()} == {
        "learning_rate=0.1": 4,
        "learning_rate=0.01": 4,
    }
    assert list(zhang2017.by_net([{"model": "cnn", "seed": 0}])) == [""]
    assert list(zhang2017.by_net([{"model": "cnn"}, {"model": "mlp"}])) == ["cnn", "mlp"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("model", "cnn", r"model: 'cnn'; expected a tuple, such as \('cnn',\)"),
        ("seeds", (), "one or more different"),
        ("seeds", (1, 1), "one or more different"),
        ("label_seed", -2, "label_seed: -2; expected integers from 0"),
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
    table = zhang2017.outcomes(cases, results)
    assert [row["epochs_to_fit"] for row in table] == [None] * 4
    assert {row["max_steps"] for row in table} == {2}
    for row, result in zip(table, results, strict=True):
        assert row["test_error"] == 1 - result.history[-1]["test_accuracy"]


def test_titles_say_how_the_images_were_stored():
    config = TrainConfig(model=("cnn",))
    assert zhang2017.title(config, DIGITS) == "cnn on 1,437 images of digits"
    assert zhang2017.title(config, DIGITS, "cnn").count("cnn") == 1
    several = TrainConfig(model=("cnn", "mlp_1x512"))
    assert zhang2017.title(several, DIGITS) == "1,437 images of digits"
    stored = dataclasses.replace(DIGITS, name="cifar10", provenance=({"image_format": "JPEG"},))
    assert zhang2017.title(config, stored) == "cnn on 1,437 images of cifar10 (stored as JPEG)"


def test_weight_decay_and_optimizer_reach_the_training():
    base = zhang2017.resolve(TrainConfig(num_train=200, seeds=(0,), max_epochs=3))
    dataset = data.load("digits", num_train=200)

    def norms(*changes):
        """Of trainings that share an optimizer; those that share a program are compiled once."""
        configs = [dataclasses.replace(base, **change) for change in changes]
        cases = [
            case
            for config in configs
            for case in zhang2017.condition_cases(dataset, ["true"], config)
        ]
        results = zhang2017.train(configs[0], dataset, cases)
        kernels = [result.params["hidden1"]["dense"]["kernel"] for result in results]
        return [float(np.linalg.norm(kernel)) for kernel in kernels]

    plain, decayed, slowed = norms({}, {"weight_decay": 0.5}, {"learning_rate_decay": 0.1})
    assert decayed < 0.95 * plain
    assert slowed != plain
    assert norms({"optimizer": "sgd"}) != norms({"optimizer": "adam"}) != [plain]


def test_what_was_memorised_is_counted_from_the_record():
    dataset = data.load("digits", num_train=100)
    config = zhang2017.resolve(
        TrainConfig(num_train=100, seeds=(0,), max_epochs=60, batch_size=50, learning_rate=(0.1,))
    )
    cases = zhang2017.corruption_cases(dataset, [0.0, 0.5], config)
    clean, noisy = zhang2017.train(config, dataset, cases)
    table = zhang2017.outcomes(cases, [clean, noisy])
    assert table[0]["changed_clean_accuracy"] is table[0]["changed_learned_epoch"] is None

    labels, truth, record = noisy.data.labels, noisy.data.clean_labels, noisy.record
    by_hand = {"clean": [], "learned": [], "forgotten": []}
    for example in np.flatnonzero(labels != truth):
        right = [row[example] == labels[example] for row in record.predicted]
        by_hand["clean"].append([row[example] == truth[example] for row in record.predicted])
        if right[-1]:
            wrong = [epoch for epoch, fits in enumerate(right) if not fits]
            by_hand["learned"].append(max(wrong, default=-1) + 1)
        by_hand["forgotten"].append(sum(a and not b for a, b in itertools.pairwise(right)))
    row = table[1]
    curve = np.mean(by_hand["clean"], axis=0)
    assert row["changed_clean_accuracy"] == pytest.approx(curve[-1])
    assert row["peak_changed_clean_accuracy"] == pytest.approx(curve.max())
    assert row["changed_learned_epoch"] == pytest.approx(np.mean(by_hand["learned"]))
    assert row["changed_forgetting"] == pytest.approx(np.mean(by_hand["forgotten"]))
    leaves = jax.tree.leaves(jax.tree.map(np.subtract, noisy.params, noisy.initial.params))
    way = np.sqrt(sum(np.sum(np.square(leaf, dtype=float)) for leaf in leaves))
    assert row["distance_from_init"] == pytest.approx(way)
    assert row["num_params"] == 64 * 512 + 512 + 512 * 10 + 10

    order = zhang2017.learning_order(cases, [clean, noisy])
    changed = [each["fraction"] for each in order if each["part"] == "changed"]
    assert changed == sorted(changed) and changed[-1] == row["changed_accuracy"]
    paired = zhang2017.ratio_to_clean(table, "epochs_to_fit")
    assert paired[0] in (1.0, None)


def test_ratio_is_of_the_same_seed_and_net():
    rows = [
        {"model": model, "corruption": level, "seed": seed, "epochs_to_fit": epochs}
        for model, level, seed, epochs in (
            ("a", 0.0, 0, 10),
            ("a", 0.0, 1, 20),
            ("a", 1.0, 0, 30),
            ("a", 1.0, 1, 30),
            ("b", 1.0, 0, 30),
            ("a", 0.5, 0, None),
        )
    ]
    ratios = [1.0, 1.0, 3.0, 1.5, None, None]
    assert zhang2017.ratio_to_clean(rows, "epochs_to_fit") == ratios
