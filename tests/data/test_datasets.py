import dataclasses
import io
import runpy
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from rote import data
from rote.core import Dataset, InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return data.load("digits")


def test_digits_are_what_the_notice_says(digits):
    assert digits.train.images.shape == (1437, 8, 8, 1)
    assert digits.test.images.shape == (360, 8, 8, 1)
    assert digits.num_classes == 10
    assert np.bincount(digits.test.labels).tolist() == [36] * 10
    # scikit-learn's class counts, less the 36
    total = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert (np.bincount(digits.train.labels) == total - 36).all()
    for split in (digits.train, digits.test):
        assert split.images.dtype == np.uint8
        assert set(np.unique(split.images)) == {(v * 255 + 8) // 16 for v in range(17)}
        assert not split.changed.any()
    assert digits.provenance[0]["split_seed"] == 1998


def test_digits_are_the_same_everywhere(digits):
    assert digits.fingerprint == {
        "train": "8478e95038deaa88298a514fb39419b80afbf5a1743d5d1ca7fe43bb64198795",
        "test": "dfbda505ea0a07ad1d5ab4e0a683b4fe0932f53cb36bd46e9a5dcf7b1bdfd053",
    }


def test_no_image_of_digits_is_in_both_splits(digits):
    train, test = ({image.tobytes() for image in s.images} for s in (digits.train, digits.test))
    assert len(train & test) == 0


def test_the_script_makes_the_digits_again(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is needed to make the digits again")
    made = tmp_path / "digits.npz"
    runpy.run_path(str(ROOT / "scripts" / "make_digits.py"))["make"](made)
    shipped = resources.files("rote.data").joinpath("digits.npz").read_bytes()
    # Byte for byte before compression: another zlib compresses to other bytes.
    with zipfile.ZipFile(made) as new, zipfile.ZipFile(io.BytesIO(shipped)) as old:
        assert new.namelist() == old.namelist()
        assert [new.read(name) for name in new.namelist()] == [old.read(n) for n in old.namelist()]
        assert [i.date_time for i in new.infolist()] == [i.date_time for i in old.infolist()]


def test_the_notice_names_authors_and_license():
    notice = resources.files("rote.data").joinpath("digits.NOTICE.txt").read_text()
    for part in ("Alpaydin", "Kaynak", "UCI", "CC BY 4.0", "rescaled", "1998"):
        assert part in notice


@pytest.mark.parametrize("num_train", [10, 57, 100, 1000])
def test_subsets_are_balanced_and_recorded(digits, num_train):
    part = data.subset(digits, num_train, seed=0)
    counts = np.bincount(part.train.labels, minlength=10)
    assert counts.sum() == num_train
    assert counts.max() - counts.min() <= 1
    assert part.test is digits.test
    assert part.provenance[-1] == {"operation": "subset", "num_train": num_train, "seed": 0}
    assert data.load("digits", num_train=num_train).fingerprint == part.fingerprint


def test_subsets_are_nested_and_drawn_by_the_seed(digits):
    def members(num_train, seed):
        images = data.subset(digits, num_train, seed=seed).train.images
        return {image.tobytes() for image in images}

    assert members(50, 0) < members(203, 0) < members(1000, 0)
    assert members(50, 0) == members(50, 0) != members(50, 1)


def test_the_largest_subset_is_everything_in_its_order(digits):
    assert data.subset(digits, 1437, seed=0).train.fingerprint == digits.train.fingerprint


def test_a_subset_of_corrupted_labels_is_balanced_over_the_clean_ones(digits):
    part = data.subset(data.corrupt(digits, "random_labels", seed=0), 100, seed=0).train
    assert np.bincount(part.clean_labels).tolist() == [10] * 10
    assert 0.75 < part.changed.mean() < 1
    assert np.array_equal(part.images, data.subset(digits, 100, seed=0).train.images)


def test_a_part_of_the_test_split(digits):
    part = data.subset(digits, num_test=50, seed=3)
    assert part.train is digits.train
    assert np.bincount(part.test.labels).tolist() == [5] * 10
    assert part.provenance[-1] == {"operation": "test_subset", "num_test": 50, "seed": 3}
    both = data.load("digits", num_train=100, num_test=50, subset_seed=3)
    np.testing.assert_array_equal(both.test.images, part.test.images)
    np.testing.assert_array_equal(
        both.train.images, data.load("digits", num_train=100, subset_seed=3).train.images
    )
    with pytest.raises(InputError, match=r"num_test 361: expected 10 .* to 360 for 'digits'"):
        data.subset(digits, num_test=361, seed=0)


def test_a_description_says_what_was_left_out_and_how_images_were_stored(digits):
    assert data.describe(digits) == {
        "name": "digits",
        "num_train": 1437,
        "num_test": 360,
        "subset": False,
        "stored_as": None,
    }
    part = data.describe(data.subset(digits, 100, seed=0))
    assert part["subset"] and part["num_train"] == 100
    stored = dataclasses.replace(digits, provenance=({"image_format": "JPEG"},))
    assert data.describe(stored)["stored_as"] == "JPEG"


@pytest.mark.parametrize("num_train", [0, 9, 1438])
def test_impossible_subsets(num_train):
    with pytest.raises(InputError, match=rf"num_train {num_train}: expected 10 .* to 1437"):
        data.load("digits", num_train=num_train)


@pytest.mark.parametrize("name", ["digit", "mnits", "cifar-10", "../mnist", "", "CIFAR10"])
def test_unknown_names(name, tmp_path):
    with pytest.raises(InputError, match=r"unknown data set .* Known: .*digits"):
        data.load(name, data_dir=tmp_path)


def test_unknown_names_get_the_nearest_names_of_tfds(tmp_path):
    with pytest.raises(InputError, match="did you mean 'imagenette'"):
        data.load("imagenete", data_dir=tmp_path)
    with pytest.raises(InputError, match=r"unknown configuration of emnist 'leters'.*'letters'"):
        data.load("emnist/leters", data_dir=tmp_path)
