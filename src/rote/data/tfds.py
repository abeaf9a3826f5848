"""Data sets of tensorflow-datasets (TFDS), read from its prepared directories without TensorFlow.

A data set lies in ``ROOT/NAME/VERSION``, or ``ROOT/NAME/CONFIG/VERSION``, as TFDS lays it out.
"""

import contextlib
import io
import json
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rote.core import Dataset, InputError, Split, unknown_name
from rote.data import cache, prepare
from rote.data.features import MODES, Features, image_and_label

NAMES = prepare.NAMES
"""The sets that can be prepared without TensorFlow."""

_CHUNK = 1024  # examples decoded at once


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None,
    download: bool,
    image_size: int | None = None,
) -> Dataset:
    """A data set of TFDS: the decoded copy in the cache, made first where there is none.

    Args:
      name: TFDS's name, ``"NAME"`` or ``"NAME/CONFIG"``.
      data_dir: the data root; by default ``TFDS_DATA_DIR``, else ``~/tensorflow_datasets``.
      download: whether files that are missing may be fetched.
      image_size: height and width to which images are brought.

    Raises:
      InputError: if the name is unknown, or the data are missing, unreadable or no images of one
        size with class labels.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*(/[A-Za-z0-9][\w.+-]*)?", name):
        raise unknown_name("data set", name, ("digits", *NAMES))
    root = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    root = root.expanduser().absolute()
    prepared = find_prepared(root, name)
    if prepared is None:
        prepare.prepare(name, root, download=download)
        prepared = find_prepared(root, name)
        if prepared is None:
            raise InputError(
                f"{root / name} holds something that is no prepared data set: a version without "
                "dataset_info.json; delete that folder and load again"
            )
    arrays, meta = cache.read_or_build(
        prepared,
        lambda folder: _decode(prepared, folder, image_size),
        "" if image_size is None else f"image_size={image_size}",
    )
    source: dict[str, Any] = {"operation": "load", "name": name, "version": prepared.name}
    if image_size is not None:
        source["image_size"] = image_size
    return Dataset(
        name=name,
        train=Split(arrays["train-images"], arrays["train-labels"], arrays["train-labels"]),
        test=Split(arrays["test-images"], arrays["test-labels"], arrays["test-labels"]),
        num_classes=meta["num_classes"],
        provenance=(source | {key: meta[key] for key in ("test_split", "image_format")},),
    )


def find_prepared(root: Path, name: str) -> Path | None:
    """The directory of the newest prepared version, or None."""
    base = root / name
    versions = [file.parent for file in base.glob("[0-9]*.*.*/dataset_info.json")]
    if versions:
        return max(versions, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])
    default = base / ".config" / "metadata.json"
    if "/" not in name and default.is_file():
        config = json.loads(default.read_text())["default_config_name"]
        return find_prepared(root, f"{name}/{config}")
    return None


def _decode(prepared: Path, folder: Path, image_size: int | None) -> dict[str, Any]:
    """Write the images and labels of both splits into the folder; what they are."""
    import tensorflow_datasets as tfds

    with _reading(prepared):
        builder: Any = tfds.builder_from_directory(prepared)
        features = image_and_label(builder.info, image_size)
        names = _split_names(builder.info)
    formats: set[str] = set()
    for split, name in names.items():
        labels: list[int] = []
        images = _images(prepared, builder, name, features, labels, formats, image_size)
        shape = (builder.info.splits[name].num_examples, *features.shape)
        cache.write_npy(folder / f"{split}-images.npy", shape, images)
        np.save(folder / f"{split}-labels.npy", np.asarray(labels, np.int32))
    return {
        "num_classes": features.num_classes,
        "test_split": names["test"],
        "image_format": "+".join(sorted(formats)),
    }


@contextlib.contextmanager
def _reading(prepared: Path) -> Iterator[None]:
    """What goes wrong inside is the prepared directory's fault."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the record readers and Pillow raise what they like
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(
            f"cannot read the prepared data set in {prepared}: {reason}; delete that folder and "
            "prepare it again"
        ) from error


def _split_names(info: Any) -> dict[str, str]:
    """TFDS's names of what is trained and tested on."""
    test = next((split for split in ("test", "validation") if split in info.splits), None)
    if "train" not in info.splits or test is None:
        raise InputError(
            f"{info.full_name} has the splits {', '.join(info.splits)}, expected train and either "
            "test or validation; choose another set"
        )
    return {"train": "train", "test": test}


def _examples(builder: Any, split: str, image: str) -> Iterator[dict[str, Any]]:
    """The examples of a split in their stored order, images still encoded.

    Array records have a reader that needs no TensorFlow. TFRecord files, which TFDS writes by
    default where TensorFlow is there, are simple enough to be read here.
    """
    import tensorflow_datasets as tfds

    decoders = {image: tfds.decode.SkipDecoding()}
    if builder.info.file_format == tfds.core.FileFormat.TFRECORD:
        for file in builder.info.splits[split].filepaths:
            for record in _tfrecords(Path(file)):
                yield builder.info.features.deserialize_example_np(record, decoders=decoders)
        return
    source = builder.as_data_source(split, decoders=decoders)
    for start in range(0, len(source), _CHUNK):
        yield from source.__getitems__(range(start, min(start + _CHUNK, len(source))))


def _tfrecords(file: Path) -> Iterator[bytes]:
    """Of each record: the length (8 bytes, little-endian), its CRC (4), the data, their CRC (4)."""
    with file.open("rb") as stream:
        while head := stream.read(12):
            (length,) = struct.unpack("<Q", head[:8])
            record = stream.read(length + 4)
            if len(record) != length + 4:
                raise ValueError(f"{file.name} ends within a record")
            yield record[:length]


def _images(
    prepared: Path,
    builder: Any,
    split: str,
    features: Features,
    labels: list[int],
    formats: set[str],
    image_size: int | None,
) -> Iterator[np.ndarray]:
    """The decoded images ``[H, W, C]`` of a split; their labels and formats are collected."""
    # Pillow decodes always, though TFDS would take OpenCV where that is installed: the two differ
    # on JPEG, and a data set has to be the same on every machine.
    from PIL import Image, ImageOps
    from tqdm import tqdm

    expected = builder.info.splits[split].num_examples
    mode = MODES[features.shape[-1]]
    examples = _examples(builder, split, features.image)
    with _reading(prepared):
        for example in tqdm(examples, f"Decoding {split}", expected, leave=False, disable=None):
            with Image.open(io.BytesIO(example[features.image])) as image:
                formats.add(str(image.format))
                found = image if image.mode == mode else image.convert(mode)
                if image_size is not None:
                    found = ImageOps.fit(found, (image_size,) * 2, Image.Resampling.BICUBIC)
                pixels = np.asarray(found)
            labels.append(int(example[features.label]))
            yield pixels.reshape(features.shape)
        if len(labels) != expected:
            raise ValueError(f"{len(labels)} examples in {split}, expected {expected}")
