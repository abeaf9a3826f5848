"""Small data sets in TFDS's own layout, written by TFDS."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the user's cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def pixels(count: int, shape: tuple[int, ...] = (6, 5, 1), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(count, *shape)).astype(np.uint8)


def encode(image: np.ndarray, image_format: str) -> io.BytesIO:
    from PIL import Image

    file = io.BytesIO()
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(squeezed).save(file, image_format)
    return io.BytesIO(file.getvalue())


@pytest.fixture
def write_tfds() -> Callable[..., Path]:
    """Writes ``ROOT/NAME/1.0.0`` from arrays; returns that directory."""

    def write(
        root: Path,
        name: str = "tiny",
        *,
        splits: dict[str, tuple[Any, Any]],
        shape: tuple[int | None, ...] = (6, 5, 1),
        dtype: Any = np.uint8,
        num_classes: int = 3,
        image_format: str = "PNG",
        supervised: bool = True,
    ) -> Path:
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core import registered

        dataset_name = name
        with registered.skip_registration():

            class Tiny(tfds.core.GeneratorBasedBuilder):
                name = dataset_name
                VERSION = tfds.core.Version("1.0.0")

                def _info(self) -> Any:
                    features = {
                        "image": tfds.features.Image(shape=shape, dtype=dtype),
                        "label": tfds.features.ClassLabel(num_classes=num_classes),
                    }
                    return tfds.core.DatasetInfo(
                        builder=self,
                        features=tfds.features.FeaturesDict(features),
                        supervised_keys=("image", "label") if supervised else None,
                    )

                def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
                    return {
                        split: self._generate_examples(*arrays) for split, arrays in splits.items()
                    }

                def _generate_examples(self, images: Any, labels: Any) -> Iterator[Any]:
                    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                        yield i, {"image": encode(image, image_format), "label": int(label)}

        builder = Tiny(data_dir=root)
        builder.download_and_prepare(file_format="array_record")
        return Path(builder.data_dir)

    return write


@pytest.fixture
def tiny(tmp_path: Path, write_tfds: Callable[..., Path]) -> Path:
    """A prepared data set of 20 + 8 grey images in three classes."""
    return write_tfds(
        tmp_path / "root",
        splits={
            "train": (pixels(20), np.arange(20) % 3),
            "test": (pixels(8, seed=1), np.arange(8) % 3),
        },
    )
