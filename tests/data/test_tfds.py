"""Prepared TFDS directories, read without TFDS."""

import json
import shutil
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rote import data
from rote.core import InputError
from rote.data import tfds


def pixels(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(count, *shape)).astype(np.uint8)


def test_real_mnist(real_data):
    mnist = data.load("mnist", data_dir=real_data)
    assert mnist.train.images.shape == (60_000, 28, 28, 1)
    assert mnist.test.images.shape == (10_000, 28, 28, 1)
    assert np.bincount(mnist.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009
    ]  # fmt: skip
    assert np.bincount(mnist.train.labels)[:2].tolist() == [5923, 6742]
    assert mnist.train.images.mean() == pytest.approx(0.1307 * 255, rel=1e-3)
    assert mnist.provenance == (
        {
            "operation": "load",
            "name": "mnist",
            "version": "3.0.1",
            "test_split": "test",
            "image_format": "PNG",
        },
    )


def test_real_cifar10_and_the_second_load(real_data):
    cifar10 = data.load("cifar10", data_dir=real_data)
    assert cifar10.train.images.shape == (50_000, 32, 32, 3)
    assert np.bincount(cifar10.train.labels).tolist() == [5000] * 10
    assert np.bincount(cifar10.test.labels).tolist() == [1000] * 10
    means = cifar10.train.images[:5000].mean((0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.491, 0.482, 0.447], atol=0.01)
    assert cifar10.provenance[0]["image_format"] in ("PNG", "JPEG")

    start = time.monotonic()
    again = data.load("cifar10", data_dir=real_data)
    assert time.monotonic() - start < 1
    assert isinstance(again.train.images, np.memmap)


def test_real_data_are_left_as_they_are(real_data):
    before = sorted(real_data.rglob("*"))
    data.load("mnist", data_dir=real_data)
    if not real_data.stat().st_mode & 0o222:
        assert sorted(real_data.rglob("*")) == before


def test_images_and_labels_are_what_tfds_reads(tiny):
    import tensorflow_datasets

    dataset = data.load("tiny", data_dir=tiny.parents[1])
    builder: Any = tensorflow_datasets.builder_from_directory(tiny)
    for split in ("train", "test"):
        examples = list(builder.as_data_source(split))
        ours = getattr(dataset, split)
        assert np.array_equal(ours.images, [example["image"] for example in examples])
        assert np.array_equal(ours.labels, [example["label"] for example in examples])
        assert ours.images.shape[1:] == (6, 5, 1)
    assert dataset.num_classes == 3
    assert dataset.name == "tiny"


def test_the_data_root_comes_from_the_environment_or_the_home_folder(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tiny.parents[1]))
    expected = data.load("tiny").fingerprint
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(tiny.parents[1], tmp_path / "tensorflow_datasets")
    assert data.load("tiny").fingerprint == expected


def test_the_newest_version_is_read(tiny):
    for version in ("2.0.0", "10.0.0"):
        shutil.copytree(tiny, tiny.parent / version)
    root = tiny.parents[1]
    assert tfds.find_prepared(root, "tiny") == tiny.parent / "10.0.0"
    assert tfds.find_prepared(root, "absent") is None


def test_configurations_and_the_default_one(tiny):
    base = tiny.parents[1] / "many"
    for config in ("one", "two"):
        shutil.copytree(tiny, base / config / "1.0.0")
    (base / ".config").mkdir()
    (base / ".config" / "metadata.json").write_text('{"default_config_name": "two"}')
    root = tiny.parents[1]
    assert tfds.find_prepared(root, "many") == base / "two" / "1.0.0"
    assert tfds.find_prepared(root, "many/one") == base / "one" / "1.0.0"


@pytest.mark.parametrize("split, used", [("test", "test"), ("validation", "validation")])
def test_validation_stands_in_for_a_missing_test_split(split, used, tmp_path, write_tfds):
    arrays = (pixels(6, (4, 4, 3)), np.arange(6) % 3)
    write_tfds(tmp_path, splits={"train": arrays, split: arrays}, shape=(4, 4, 3))
    dataset = data.load("tiny", data_dir=tmp_path)
    assert dataset.provenance[0]["test_split"] == used
    assert len(dataset.test.labels) == 6


def test_jpeg_is_recorded(tmp_path, write_tfds):
    arrays = (pixels(6, (8, 8, 3)), np.arange(6) % 3)
    splits = {"train": arrays, "test": arrays}
    write_tfds(tmp_path, splits=splits, shape=(8, 8, 3), image_format="JPEG")
    assert data.load("tiny", data_dir=tmp_path).provenance[0]["image_format"] == "JPEG"


def test_tfrecord_directories_are_read_without_tensorflow(tiny):
    import tensorflow_datasets

    expected = data.load("tiny", data_dir=tiny.parents[1]).fingerprint
    builder: Any = tensorflow_datasets.builder_from_directory(tiny)
    raw = tensorflow_datasets.decode.DeserializeMethod.RAW_BYTES
    for split in ("train", "test"):
        records = list(builder.as_data_source(split, deserialize_method=raw))
        content = b"".join(
            struct.pack("<Q", len(r)) + b"crc." + bytes(r) + b"crc." for r in records
        )
        (tiny / f"tiny-{split}.tfrecord-00000-of-00001").write_bytes(content)
        (tiny / f"tiny-{split}.array_record-00000-of-00001").unlink()
    info = json.loads((tiny / "dataset_info.json").read_text()) | {"fileFormat": "tfrecord"}
    (tiny / "dataset_info.json").write_text(json.dumps(info))
    assert data.load("tiny", data_dir=tiny.parents[1]).fingerprint == expected

    shutil.rmtree(tiny / "rote")
    file = tiny / "tiny-test.tfrecord-00000-of-00001"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"cannot read the prepared data set .* ends within"):
        data.load("tiny", data_dir=tiny.parents[1])


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"nonsense")])
def test_damaged_directories(damage, tiny):
    damage(tiny / "tiny-test.array_record-00000-of-00001")
    with pytest.raises(
        InputError, match=f"cannot read the prepared data set in {tiny}: "
    ) as caught:
        data.load("tiny", data_dir=tiny.parents[1])
    assert "\n" not in str(caught.value)
    assert not list((tiny / "rote").iterdir())


def test_more_examples_than_the_directory_says(tiny):
    info = json.loads((tiny / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["21"]
    (tiny / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match="cannot read the prepared data set"):
        data.load("tiny", data_dir=tiny.parents[1])


UNSUITABLE: dict[str, tuple[dict[str, Any], str]] = {
    "sizes vary": ({"shape": (None, None, 1)}, r"expected 8-bit images of one size"),
    "16 bits": ({"dtype": np.uint16}, r"uint16 images .*expected 8-bit images"),
    "no labels": ({"supervised": False}, r"no set of images with one class label each"),
    "other sizes than it says": ({"shape": (7, 5, 1)}, r"cannot read the prepared data set"),
}


@pytest.mark.parametrize("how, message", UNSUITABLE.values(), ids=UNSUITABLE)
def test_unsuitable_sets(how, message, tmp_path, write_tfds):
    arrays = (pixels(6, (6, 5, 1)), np.arange(6) % 3)
    write_tfds(tmp_path, splits={"train": arrays, "test": arrays}, **how)
    with pytest.raises(InputError, match=message):
        data.load("tiny", data_dir=tmp_path)


def test_images_of_several_sizes_are_brought_to_one(tmp_path, write_tfds):
    from PIL import Image

    tall, wide = (np.zeros((*size, 3), np.uint8) for size in ((16, 8), (8, 24)))
    tall[4:12] = 200  # what a cut to the middle keeps
    wide[:, 8:16] = 100
    arrays = ([tall, wide, tall], np.arange(3))
    write_tfds(tmp_path, splits={"train": arrays, "test": arrays}, shape=(None, None, 3))
    with pytest.raises(InputError, match="bring images to one size with image_size"):
        data.load("tiny", data_dir=tmp_path)
    eight = data.load("tiny", data_dir=tmp_path, image_size=8)
    assert eight.train.images.shape == (3, 8, 8, 3)
    assert [set(np.unique(image)) for image in eight.train.images] == [{200}, {100}, {200}]
    assert eight.provenance[0]["image_size"] == 8
    four = data.load("tiny", data_dir=tmp_path, image_size=4)  # another entry of the cache
    scaled = Image.fromarray(tall[4:12]).resize((4, 4), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(four.train.images[0], np.asarray(scaled), atol=25)
    assert data.load("tiny", data_dir=tmp_path, image_size=8).train.images.shape[1] == 8
    for name, size in (("digits", 8), ("tiny", 0)):
        with pytest.raises(InputError, match=f"image_size: {size} for '{name}'"):
            data.load(name, data_dir=tmp_path, image_size=size)


def test_nothing_to_test_on(tmp_path, write_tfds):
    arrays = (pixels(6, (6, 5, 1)), np.arange(6) % 3)
    write_tfds(tmp_path, splits={"train": arrays, "extra": arrays})
    with pytest.raises(InputError, match="splits train, extra, expected train and either test or"):
        data.load("tiny", data_dir=tmp_path)
