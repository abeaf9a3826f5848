import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote.core import Dataset, InputError, Split, count_params, unknown_name


def split(n: int = 4, **changes) -> Split:
    labels = np.arange(n, dtype=np.int32) % 3
    whole = Split(np.zeros((n, 2, 2, 1), np.uint8), labels, labels.copy())
    return whole._replace(**changes)


def dataset(train: Split | None = None, test: Split | None = None) -> Dataset:
    return Dataset("toy", train or split(), test or split(2), num_classes=3)


INT32 = np.arange(4, dtype=np.int32) % 3
NAN = np.zeros((4, 2, 2, 1), np.float32)
NAN[2, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((4, 2, 2, 1))}, "toy train images: got float64 of shape"),
        ({"images": np.zeros((4, 2, 2), np.uint8)}, r"expected uint8 or float32 of shape \[N, H"),
        ({"images": NAN}, "toy train images: image 2 is not finite"),
        ({"labels": INT32.astype(np.int64)}, "toy train labels: got int64"),
        ({"labels": INT32[:3]}, r"got int32 of shape \(3,\); expected int32 of shape \(4,\)"),
        ({"labels": INT32 + 1}, r"toy train labels: values 1\.\.3; expected 0\.\.2 for 3 classes"),
        ({"labels": INT32 - 1}, r"values -1\.\.1; expected 0\.\.2"),
        ({"clean_labels": INT32 + 1}, "toy train clean labels: values"),
    ],
)
def test_a_split_that_cannot_be_used_is_an_error(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        dataset(train=split(**changes))
    assert "\n" not in str(raised.value)


def test_each_split_is_checked() -> None:
    with pytest.raises(InputError, match="toy test labels"):
        dataset(test=split(2, labels=np.array([0, 9], np.int32)))
    with pytest.raises(InputError, match="toy train: no images"):
        dataset(train=split(0))
    with pytest.raises(InputError, match="give both splits the same image shape"):
        dataset(test=split(2, images=np.zeros((2, 3, 2, 1), np.uint8)))


def test_a_data_set_is_frozen_and_knows_its_shape() -> None:
    toy = dataset()
    assert toy.image_shape == (2, 2, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        toy.num_classes = 4  # type: ignore[misc]


def test_changed_tells_which_labels_differ() -> None:
    labels = np.array([0, 2, 2, 1], np.int32)
    np.testing.assert_array_equal(split(labels=labels).changed, [False, True, False, True])


@pytest.mark.parametrize(
    "changes",
    [
        {"images": np.ones((4, 2, 2, 1), np.uint8)},
        {"images": np.zeros((4, 2, 2, 1), np.float32)},
        {"images": np.zeros((4, 4, 1, 1), np.uint8)},
        {"labels": INT32[::-1].copy()},
        {"clean_labels": INT32[::-1].copy()},
    ],
)
def test_a_fingerprint_tells_any_change(changes: dict) -> None:
    assert split(**changes).fingerprint != split().fingerprint


def test_a_fingerprint_is_of_the_values_not_of_the_memory() -> None:
    whole = split(8)
    assert Split(*(array[::2] for array in whole)).fingerprint == (
        Split(*(array[::2].copy() for array in whole)).fingerprint
    )
    assert set(dataset().fingerprint) == {"train", "test"}


def test_count_params_counts_arrays_and_shapes() -> None:
    params = {"a": {"kernel": jnp.zeros((3, 4)), "bias": jnp.zeros(4)}, "b": jnp.zeros(())}
    assert count_params(params) == 17
    assert count_params(jax.eval_shape(lambda: params)) == 17
    assert count_params({}) == 0


def test_unknown_name_offers_the_nearest() -> None:
    near = unknown_name("data set", "cifar", ["mnist", "cifar100", "cifar10"])
    assert isinstance(near, InputError)
    assert str(near) == (
        "unknown data set 'cifar': did you mean 'cifar10' or 'cifar100'? "
        "Known: cifar10, cifar100, mnist"
    )
    assert str(unknown_name("model", "xyz", ["mlp"])) == "unknown model 'xyz': Known: mlp"
