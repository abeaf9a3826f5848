"""TFDS's preparation of a data set, without TensorFlow where the package knows the originals."""

import contextlib
import difflib
import importlib
import importlib.util
import io
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from rote.core import InputError, unknown_name
from rote.data import cache, originals
from rote.data.features import image_and_label

NAMES = originals.NAMES
"""The sets that can be prepared without TensorFlow."""

_PROBE_SECONDS = 3.0


def prepare(name: str, root: Path, *, download: bool) -> None:
    """Make TFDS's directory of a data set from originals on the disk, or from downloads.

    Args:
      name: TFDS's name, ``"NAME"`` or ``"NAME/CONFIG"``.
      root: the data root, in which the directory is made and originals are searched.
      download: whether files that are missing may be fetched.

    Raises:
      InputError: if that cannot be done: what is missing, where to put it, what else to do.
    """
    stock, config = _stock_builder(name)
    urls = {url: (info.filename, info.checksum) for url, info in (stock.url_infos or {}).items()}
    copy = None
    if name in NAMES:
        bases = (root / "downloads" / "manual", root / "downloads", root)
        copy = originals.find(name, bases, dict(urls.values()), _downloads(name, root, urls))
    elif importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"{name!r} is not in {root}, and TFDS cannot prepare it without TensorFlow: "
            'pip install "rote[tensorflow]" and load it with download=True, put a directory that '
            "is prepared already there, or use the data set in the package, 'digits'"
        )
    if copy is None:
        _require_network(name, root, urls, download=download)
    if not cache.is_writable(root):
        raise InputError(
            f"{name!r} has to be prepared in {root}, which is read-only; set TFDS_DATA_DIR, or "
            "data_dir, to a folder you can write to"
        )
    if name in NAMES:
        content = _content(name, urls) if copy is None else lambda _: copy.read()
        stock = _without_tensorflow(stock, content)
    else:
        _leave_accelerators_alone()
    _run(name, root, lambda: stock(data_dir=root, config=config))


def _stock_builder(name: str) -> tuple[Any, str | None]:
    """TFDS's own class, and the name of the configuration."""
    import tensorflow_datasets as tfds

    base, _, config = name.partition("/")
    known = tfds.list_builders(with_community_datasets=False)
    if base not in known:
        near = difflib.get_close_matches(base, known, n=3)
        raise unknown_name("data set", name, {"digits", *NAMES, *near})
    stock: Any = tfds.builder_cls(base)
    if config and config not in stock.builder_configs:
        raise unknown_name(f"configuration of {base}", config, stock.builder_configs)
    return stock, config or None


def _downloads(name: str, root: Path, urls: Mapping[str, tuple[str, str]]) -> dict[str, Path]:
    """Where TFDS keeps the files of a data set that it has downloaded, by their own names."""
    from tensorflow_datasets.core.download.resource import get_dl_fname

    folder = root / "downloads" / name
    return {file: folder / get_dl_fname(url, sha256) for url, (file, sha256) in urls.items()}


def _require_network(
    name: str, root: Path, urls: Mapping[str, tuple[str, str]], *, download: bool
) -> None:
    """Raise unless files may and can be downloaded."""
    host = urlsplit(next(iter(urls), "")).hostname
    if not download:
        problem = f"{name!r} is not in {root}: load it with download=True"
    elif host and not is_reachable(next(iter(urls))):
        problem = f"{name!r} is not in {root}, and {host} cannot be reached: connect to a network"
    else:
        return
    if name in NAMES:
        folder = root / "downloads" / "manual" / originals.TFDS_LAYOUTS[name][0][0]
        files = ", ".join(f"{file} (sha256 {sha256})" for file, sha256 in urls.values())
        problem += f", put the originals into {folder}: {files}"
    raise InputError(f"{problem}; or use the data set in the package, 'digits'")


def is_reachable(url: str) -> bool:
    """Whether a connection to the URL's host, or to the proxy in front of it, opens in seconds.

    The name look-up has no time limit of its own, hence the thread.
    """
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    address = (parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    opened: list[bool] = []

    def connect() -> None:
        with contextlib.suppress(OSError), socket.create_connection(address, _PROBE_SECONDS):
            opened.append(True)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(2 * _PROBE_SECONDS)
    return bool(opened)


def _content(name: str, urls: Mapping[str, tuple[str, str]]) -> Callable[[Any], originals.Content]:
    """Reads a data set's files as TFDS's download manager fetches and checks them."""

    def read(dl_manager: Any) -> originals.Content:
        paths = dl_manager.download({file: url for url, (file, _) in urls.items()})
        return originals.read_tfds_files(name, {file: Path(path) for file, path in paths.items()})

    return read


def _without_tensorflow(stock: Any, content: Callable[[Any], originals.Content]) -> Any:
    """The stock builder with its two uses of TensorFlow replaced: unpacking and PNG encoding.

    Example keys are the stock ones, because the order of the records follows from them.
    """
    from tensorflow_datasets.core import registered

    with registered.skip_registration():

        class Builder(stock):
            __module__ = stock.__module__  # what TFDS writes into the directory
            name = stock.name
            url_infos = stock.url_infos

            def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
                images, labels, names = content(dl_manager)
                for label, classes in names.items():
                    self.info.features[label].names = classes
                return {
                    split: self._generate_examples(split, images[split], labels[split])
                    for split in images
                }

            def _generate_examples(
                self, split: str, images: np.ndarray, labels: dict[str, np.ndarray]
            ) -> Iterator[tuple[int, dict[str, Any]]]:
                for index, image in enumerate(images):
                    example: dict[str, Any] = {"image": io.BytesIO(_png(image))}
                    if "id" in self.info.features:
                        example["id"] = f"{split}_{index:05d}"
                    for label, values in labels.items():
                        example[label] = int(values[index])
                    yield index, example

    return Builder


def _leave_accelerators_alone() -> None:
    """TensorFlow would take all of a GPU's memory, to prepare images on the CPU."""
    with contextlib.suppress(RuntimeError):  # it runs already, on devices that the user has chosen
        importlib.import_module("tensorflow").config.set_visible_devices([], "GPU")


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()


def _run(name: str, root: Path, make_builder: Callable[[], Any]) -> None:
    """Run TFDS's preparation; its progress goes to the standard error stream."""
    import tensorflow_datasets as tfds

    builder = None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            builder = make_builder()
            image_and_label(builder.info)
            builder.download_and_prepare(
                file_format="array_record",
                download_dir=root / "downloads",
                download_config=tfds.download.DownloadConfig(try_download_gcs=False),
            )
    except InputError:
        raise
    except Exception as error:  # TFDS, requests and TensorFlow raise what they like
        if builder is not None and Path(builder.data_dir).is_dir():
            return  # another process was first
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"could not prepare {name!r} in {root}: {reason}") from error
