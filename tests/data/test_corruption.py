import itertools

import numpy as np
import pytest

from rote import data
from rote.core import Dataset, InputError, Split
from rote.data import corruption

LABEL_OPERATIONS = {
    "random_labels": lambda dataset, seed: data.random_labels(dataset, 0.5, seed=seed),
    "wrong_labels": lambda dataset, seed: data.wrong_labels(dataset, 0.5, seed=seed),
    "shuffled_labels": lambda dataset, seed: data.shuffled_labels(dataset, seed=seed),
}
IMAGE_OPERATIONS = {
    "shuffled_pixels": lambda dataset, seed: data.shuffled_pixels(dataset, seed=seed),
    "random_pixels": lambda dataset, seed: data.random_pixels(dataset, seed=seed),
    "gaussian": lambda dataset, seed: data.gaussian(dataset, seed=seed),
    "noise_inputs": lambda dataset, seed: data.noise_inputs(dataset, 0.5, seed=seed),
}
OPERATIONS = LABEL_OPERATIONS | IMAGE_OPERATIONS


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return data.load("digits")


@pytest.fixture(scope="module")
def colored() -> Dataset:
    """Color images in which every position of every image has a triple of its own."""

    def split(count: int, seed: int) -> Split:
        rng = np.random.default_rng(seed)
        red, green = np.divmod(rng.permuted(np.tile(np.arange(80), (count, 1)), axis=1), 9)
        blue = rng.integers(20, 40, size=red.shape)
        images = np.stack([red, green, blue], axis=-1).reshape(count, 8, 10, 3).astype(np.uint8)
        labels = rng.integers(5, size=count).astype(np.int32)
        return Split(images, labels, labels)

    return Dataset("colored", split(300, 1), split(100, 2), num_classes=5)


def large(num_classes: int, count: int = 20_000) -> Dataset:
    """Many labels on tiny images."""
    labels = (np.arange(count) % num_classes).astype(np.int32)
    split = Split(np.zeros((count, 1, 1, 1), np.uint8), labels, labels)
    return Dataset("large", split, split, num_classes)


def positions(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1, images.shape[-1])


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_same_seed_same_data_and_another_seed_other_data(operation, digits):
    first, again, other = operation(digits, 3), operation(digits, 3), operation(digits, 4)
    assert first.fingerprint == again.fingerprint
    assert first.train.fingerprint != other.train.fingerprint
    assert first.train.fingerprint != digits.train.fingerprint


@pytest.mark.parametrize("name", OPERATIONS)
def test_provenance_records_the_operation_and_its_seed(name, digits):
    changed = OPERATIONS[name](digits, np.int64(3))
    assert changed.provenance[:-1] == digits.provenance
    assert changed.provenance[-1]["operation"] == name
    assert type(changed.provenance[-1]["seed"]) is int


@pytest.mark.parametrize("operation", LABEL_OPERATIONS.values(), ids=LABEL_OPERATIONS)
def test_randomized_labels_leave_images_clean_labels_and_test_split_alone(operation, digits):
    changed = operation(digits, 0)
    assert changed.test is digits.test
    assert changed.train.images is digits.train.images
    assert changed.train.clean_labels is digits.train.clean_labels
    assert changed.train.labels.dtype == np.int32


@pytest.mark.parametrize("operation", IMAGE_OPERATIONS.values(), ids=IMAGE_OPERATIONS)
def test_randomized_images_leave_labels_alone(operation, digits):
    changed = operation(digits, 0)
    for before, after in zip(
        (digits.train, digits.test), (changed.train, changed.test), strict=True
    ):
        assert after.labels is before.labels
        assert after.clean_labels is before.clean_labels


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_the_input_is_not_written_to(operation):
    digits = data.load("digits")
    before = digits.train.fingerprint, digits.test.fingerprint
    operation(digits, 0)
    assert (digits.train.fingerprint, digits.test.fingerprint) == before


@pytest.mark.parametrize("num_classes", [2, 10])
@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 1.0])
def test_share_of_wrong_random_labels(probability, num_classes):
    dataset = large(num_classes)
    wrong = data.random_labels(dataset, probability, seed=0).train.changed.mean()
    expected = probability * (num_classes - 1) / num_classes
    deviation = np.sqrt(expected * (1 - expected) / 20_000)
    assert abs(wrong - expected) <= 4 * deviation


def test_random_labels_are_uniform_over_all_classes():
    noisy = data.random_labels(large(10), 1.0, seed=1)
    for label in range(10):  # whatever the clean label was
        counts = np.bincount(noisy.train.labels[noisy.train.clean_labels == label], minlength=10)
        assert counts.sum() == 2000
        assert np.abs(counts - 200).max() < 5 * np.sqrt(2000 * 0.1 * 0.9)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 1.0])
def test_wrong_labels_are_exactly_that_many_and_uniform_over_the_others(fraction):
    dataset = large(5)
    noisy = data.wrong_labels(dataset, fraction, seed=0).train
    assert noisy.changed.sum() == round(fraction * 20_000)
    shift = (noisy.labels - noisy.clean_labels)[noisy.changed] % 5
    counts = np.bincount(shift, minlength=5)[1:]
    n = counts.sum()
    assert np.abs(counts - n / 4).max() <= 5 * np.sqrt(n * 3 / 16)


@pytest.mark.parametrize("operation", [data.random_labels, data.wrong_labels])
def test_label_draws_are_nested(operation, digits):
    levels = [operation(digits, p, seed=7).train for p in (0.1, 0.3, 0.6, 1.0)]
    for smaller, larger in itertools.pairwise(levels):
        assert smaller.changed.sum() < larger.changed.sum()
        assert (larger.labels == smaller.labels)[smaller.changed].all()


@pytest.mark.parametrize("operation", [data.random_labels, data.wrong_labels])
def test_labels_are_drawn_relative_to_the_clean_ones(operation, digits):
    twice = operation(data.shuffled_labels(digits, seed=1), 0.3, seed=2)
    assert np.array_equal(twice.train.labels, operation(digits, 0.3, seed=2).train.labels)
    assert [each["operation"] for each in twice.provenance][-2:] == [
        "shuffled_labels",
        operation.__name__,
    ]


def test_shuffled_labels_keep_the_class_counts(digits):
    shuffled = data.shuffled_labels(digits, seed=0).train
    assert np.array_equal(np.bincount(shuffled.labels), np.bincount(digits.train.labels))
    assert 0.85 < shuffled.changed.mean() < 0.95  # nine in ten, by chance


def test_shuffled_pixels_is_one_permutation_of_positions(colored):
    shuffled = data.shuffled_pixels(colored, seed=0)
    # An image whose pixels are their positions shows the permutation.
    ramp = np.arange(80, dtype=np.uint8).reshape(1, 8, 10, 1).repeat(3, axis=-1)
    one = Split(ramp, *(np.zeros(1, np.int32),) * 2)
    order = data.shuffled_pixels(Dataset("ramp", one, one, 5), seed=0).train.images[0, ..., 0]
    assert sorted(order.ravel()) == list(range(80))
    assert not np.array_equal(order.ravel(), np.arange(80))
    for before, after in zip(
        (colored.train, colored.test), (shuffled.train, shuffled.test), strict=True
    ):
        assert np.array_equal(positions(after.images), positions(before.images)[:, order.ravel()])


def test_random_pixels_permutes_each_image_by_itself_with_its_colors_together(colored):
    shuffled = data.random_pixels(colored, seed=0)
    orders = []
    for before, after in zip(
        (colored.train, colored.test), (shuffled.train, shuffled.test), strict=True
    ):
        assert after.images.dtype == np.uint8
        for old, new in zip(positions(before.images), positions(after.images), strict=True):
            place = {tuple(triple): i for i, triple in enumerate(old.tolist())}
            assert len(place) == 80  # each triple says where it came from
            orders.append([place[tuple(triple)] for triple in new.tolist()])
    assert all(sorted(order) == list(range(80)) for order in orders)
    # Independent: no two alike, and every position comes from everywhere equally often.
    assert len(set(map(tuple, orders))) == len(orders)
    counts = np.bincount(np.asarray(orders)[:, 0], minlength=80)
    assert counts.max() < 5 + 6 * np.sqrt(5)


def test_random_pixels_does_not_depend_on_the_chunks(colored, monkeypatch):
    whole = data.random_pixels(colored, seed=0).train.images
    monkeypatch.setattr(corruption, "_CHUNK", 7)
    assert np.array_equal(data.random_pixels(colored, seed=0).train.images, whole)


def test_gaussian_matches_the_moments_of_the_training_set(colored):
    per_set = data.gaussian(colored, seed=0)
    per_channel = data.gaussian(colored, seed=0, moments="channel")
    assert per_set.provenance[-1]["moments"] == "dataset"
    assert per_channel.provenance[-1]["moments"] == "channel"
    pixels = colored.train.images.astype(np.float64)
    for dataset, axes in ((per_set, (0, 1, 2, 3)), (per_channel, (0, 1, 2))):
        mean, std = pixels.mean(axes), pixels.std(axes)
        for split in (dataset.train, dataset.test):
            assert split.images.dtype == np.float32
            n = split.images.size // np.size(mean)
            assert (np.abs(split.images.mean(axes) - mean) < 5 * std / np.sqrt(n)).all()
            assert (np.abs(split.images.std(axes) / std - 1) < 5 / np.sqrt(2 * n)).all()


def test_moments_do_not_depend_on_the_chunks(colored, monkeypatch):
    monkeypatch.setattr(corruption, "_CHUNK", 7)
    mean, std = corruption._moments(colored.train.images, "channel")
    np.testing.assert_allclose(mean, colored.train.images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, colored.train.images.std((0, 1, 2)), rtol=1e-12)


def test_gaussian_noise_is_neither_clipped_nor_rounded(digits):
    noise = data.gaussian(digits, seed=0)
    assert noise.train.images.min() < 0 and noise.train.images.max() > 255
    assert np.mean(noise.train.images == np.round(noise.train.images)) < 0.001
    count = len(noise.test.images)
    assert not np.array_equal(noise.train.images[:count], noise.test.images)


def test_noise_inputs_replaces_a_nested_share_of_the_training_images(digits):
    clean = digits.train.images.astype(np.float32)
    shares = [data.noise_inputs(digits, share, seed=5) for share in (0.0, 0.2, 0.7, 1.0)]
    replaced = []
    for dataset, share in zip(shares, (0.0, 0.2, 0.7, 1.0), strict=True):
        assert dataset.test is digits.test
        assert dataset.train.images.dtype == np.float32
        noise = (dataset.train.images != clean).all(axis=(1, 2, 3))
        assert noise.sum() == round(share * len(clean))
        assert np.array_equal(dataset.train.images[~noise], clean[~noise])
        replaced.append(noise)
    for i in (0, 1, 2):
        both = replaced[i]
        assert (replaced[i + 1] >= both).all()
        images = shares[i].train.images[both], shares[i + 1].train.images[both]
        assert np.array_equal(*images)


def test_operations_under_one_seed_are_independent():
    labels = [
        data.random_labels(large(10), 1.0, seed=0).train.labels,
        data.shuffled_labels(large(10), seed=0).train.labels,
        data.wrong_labels(large(10), 1.0, seed=0).train.labels,
    ]
    for i in range(3):
        for j in range(i):
            assert abs(np.corrcoef(labels[i], labels[j])[0, 1]) < 0.05


def test_conditions_are_the_named_operations(digits):
    assert data.corrupt(digits, "true", seed=0) is digits
    every = data.random_labels(digits, 1.0, seed=2)
    assert data.corrupt(digits, "random_labels", seed=2).fingerprint == every.fingerprint
    for condition in data.CONDITIONS[2:]:
        expected = OPERATIONS[condition](digits, 2)
        assert data.corrupt(digits, condition, seed=2).fingerprint == expected.fingerprint


@pytest.mark.parametrize("operation", [data.random_labels, data.wrong_labels, data.noise_inputs])
@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan")])
def test_shares_lie_between_zero_and_one(operation, share, digits):
    with pytest.raises(
        InputError, match=r"(probability|fraction) .*: expected a number in \[0, 1\]"
    ):
        operation(digits, share, seed=0)


@pytest.mark.parametrize("seed", [-1, 0.5, "0"])
def test_seeds_are_integers_from_zero(seed, digits):
    with pytest.raises(InputError, match="expected an integer >= 0"):
        data.random_labels(digits, 0.5, seed=seed)


def test_unknown_names_are_answered_with_the_nearest(digits):
    with pytest.raises(
        InputError, match="unknown condition 'random_label': did you mean 'random_l"
    ):
        data.corrupt(digits, "random_label", seed=0)
    with pytest.raises(InputError, match="unknown moments 'chanel': did you mean 'channel'"):
        data.gaussian(digits, seed=0, moments="chanel")


def test_draws_are_what_they_were():
    """Labels of an earlier run can be drawn again: the first ones under seed 0, written down."""
    labels = data.random_labels(large(10, 50), 1.0, seed=0).train.labels
    assert labels[:12].tolist() == [4, 0, 2, 9, 2, 1, 1, 7, 4, 9, 6, 5]
