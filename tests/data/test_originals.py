"""Originals, as TFDS and torchvision name them, with small contents under true names."""

import functools
import gzip
import hashlib
import http.server
import io
import os
import pickle
import shutil
import socket
import struct
import tarfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rote import data
from rote.core import InputError
from rote.data import originals, prepare, tfds

ROOT = Path(__file__).resolve().parents[2]
RAW_MNIST = ROOT.parent / "shared" / "data" / "raw"


def pixels(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(count, *shape)).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = {"train": pixels(30, (28, 28)), "t10k": pixels(12, (28, 28), 1)}
LABELS = {split: (np.arange(len(IMAGES[split])) % 10).astype(np.uint8) for split in IMAGES}
IDX = {f"{split}-images-idx3-ubyte": idx(IMAGES[split]) for split in IMAGES}
IDX |= {f"{split}-labels-idx1-ubyte": idx(LABELS[split]) for split in IMAGES}
IDX_GZ = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in IDX.items()}

COLORS = {"train": pixels(25, (3, 32, 32)), "test": pixels(10, (3, 32, 32), 1)}
FINE = {split: np.arange(len(COLORS[split])) * 7 % 100 for split in COLORS}
COARSE = {split: FINE[split] // 5 for split in COLORS}
TEN = {split: FINE[split] % 10 for split in COLORS}
FINE_NAMES, COARSE_NAMES = [f"fine{i}" for i in range(100)], [f"coarse{i}" for i in range(20)]
TEN_NAMES = [f"class{i}" for i in range(10)]


def python2(value: Any) -> bytes:
    """Pickled as by Python 2 and an early NumPy: text is bytes, flags are 0 and 1."""
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode()
    if isinstance(value, int):
        return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(python2(k) + python2(v) for k, v in value.items()) + b"u"
    assert isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype == np.uint8
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
        b"(K\1" + b"".join(map(python2, value.shape)) + b"\x86"
        b"cnumpy\ndtype\nU\x02u1K\0K\1\x87R"
        b"(K\3U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        b"\x89T" + struct.pack("<I", value.nbytes) + value.tobytes() + b"tb"
    )


def python2_pickle(content: dict[str, Any]) -> bytes:
    return b"\x80\2" + python2(content) + b"."


def cifar10_python() -> dict[str, bytes]:
    files: dict[str, dict[str, Any]] = {"batches.meta": {"label_names": TEN_NAMES}}
    for i in range(5):
        part = slice(5 * i, 5 * i + 5)
        rows = COLORS["train"][part].reshape(5, -1)
        files[f"data_batch_{i + 1}"] = {"data": rows, "labels": TEN["train"][part].tolist()}
    rows = COLORS["test"].reshape(10, -1)
    files["test_batch"] = {"data": rows, "labels": TEN["test"].tolist()}
    return {name: python2_pickle(content) for name, content in files.items()}


def cifar100_python() -> dict[str, bytes]:
    files: dict[str, dict[str, Any]] = {
        "meta": {"fine_label_names": FINE_NAMES, "coarse_label_names": COARSE_NAMES}
    }
    for split in COLORS:
        files[split] = {
            "data": COLORS[split].reshape(len(COLORS[split]), -1),
            "fine_labels": FINE[split].tolist(),
            "coarse_labels": COARSE[split].tolist(),
        }
    return {name: python2_pickle(content) for name, content in files.items()}


def cifar_binary(columns: list[dict[str, np.ndarray]], split: str, part: slice) -> bytes:
    labels = [column[split][part, None] for column in columns]
    rows = COLORS[split][part].reshape(len(labels[0]), -1)
    return np.concatenate([*labels, rows], axis=1).astype(np.uint8).tobytes()


def cifar10_binary() -> dict[str, bytes]:
    files = {
        f"data_batch_{i + 1}.bin": cifar_binary([TEN], "train", slice(5 * i, 5 * i + 5))
        for i in range(5)
    }
    files["test_batch.bin"] = cifar_binary([TEN], "test", slice(None))
    return files | {"batches.meta.txt": "\n".join([*TEN_NAMES, "", ""]).encode()}


def cifar100_binary() -> dict[str, bytes]:
    files = {f"{s}.bin": cifar_binary([COARSE, FINE], s, slice(None)) for s in COLORS}
    names = {"fine_label_names.txt": FINE_NAMES, "coarse_label_names.txt": COARSE_NAMES}
    return files | {file: "\n".join([*each, ""]).encode() for file, each in names.items()}


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def tar(folder: str, members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


CIFAR10_TAR = tar("cifar-10-batches-bin", cifar10_binary())
CIFAR100_TAR = tar("cifar-100-binary", cifar100_binary())

# name: (data set, where in the data root, files)
COPIES: dict[str, tuple[str, str, dict[str, bytes]]] = {
    "mnist, manual": ("mnist", "downloads/manual", IDX_GZ),
    "mnist, root": ("mnist", ".", IDX_GZ),
    "mnist, unpacked": ("mnist", "downloads", IDX),
    "mnist, torchvision": ("mnist", "MNIST/raw", IDX),
    "fashion, manual": ("fashion_mnist", "downloads/manual/fashion_mnist", IDX_GZ),
    "fashion, torchvision": ("fashion_mnist", "FashionMNIST/raw", IDX),
    "cifar10, tfds": ("cifar10", "downloads/manual", {"cifar-10-binary.tar.gz": CIFAR10_TAR}),
    "cifar10, torchvision": ("cifar10", "cifar-10-batches-py", cifar10_python()),
    "cifar10, archive": (
        "cifar10",
        "downloads",
        {"cifar-10-python.tar.gz": tar("cifar-10-batches-py", cifar10_python())},
    ),
    "cifar100, tfds": ("cifar100", ".", {"cifar-100-binary.tar.gz": CIFAR100_TAR}),
    "cifar100, torchvision": ("cifar100", "cifar-100-python", cifar100_python()),
    "cifar100, archive": (
        "cifar100",
        "downloads/manual",
        {"cifar-100-python.tar.gz": tar("cifar-100-python", cifar100_python())},
    ),
}


def with_url_infos(stock: Any, files: dict[str, bytes], base: str = "") -> Any:
    """TFDS's builder, expecting other files: at another address, if one is given."""
    from tensorflow_datasets.core import registered
    from tensorflow_datasets.core.download.checksums import UrlInfo
    from tensorflow_datasets.core.utils import Size

    infos: dict[str, Any] = {}
    for url, info in stock.url_infos.items():
        content = files.get(info.filename, b"")
        checksum = hashlib.sha256(content).hexdigest()
        address = f"{base}/{info.filename}" if base else url
        infos[address] = UrlInfo(Size(len(content)), checksum, info.filename)
    with registered.skip_registration():

        class Other(stock):
            __module__ = stock.__module__
            name = stock.name
            url_infos = infos

    return Other


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Declares small files to be the published ones of a data set."""

    def declare(name: str, files: dict[str, bytes], base: str = "") -> None:
        stock, _ = prepare._stock_builder(name)
        other = with_url_infos(stock, files, base)
        monkeypatch.setattr(prepare, "_stock_builder", lambda _: (other, None))
        inner = {"cifar10": cifar10_python, "cifar100": cifar100_python}.get(name, lambda: IDX)()
        md5 = {file: hashlib.md5(content).hexdigest() for file, content in inner.items()}
        layout = originals._TORCHVISION[name]
        assert layout.files.keys() == md5.keys()
        monkeypatch.setitem(originals._TORCHVISION, name, layout._replace(files=md5))

    return declare


def check_content(name: str, dataset: Any) -> None:
    if name.startswith("cifar"):
        images = {split: COLORS[split].transpose(0, 2, 3, 1) for split in COLORS}
        labels = TEN if name == "cifar10" else FINE
    else:
        images = {"train": IMAGES["train"][..., None], "test": IMAGES["t10k"][..., None]}
        labels = {"train": LABELS["train"], "test": LABELS["t10k"]}

    def pairs(images: np.ndarray, labels: np.ndarray) -> set[tuple[bytes, int]]:
        return {(i.tobytes(), int(k)) for i, k in zip(images, labels, strict=True)}

    for split in ("train", "test"):
        ours = getattr(dataset, split)  # TFDS shuffles when it writes
        assert len(ours.labels) == len(labels[split])
        assert pairs(ours.images, ours.labels) == pairs(images[split], labels[split])
    assert dataset.num_classes == (100 if name == "cifar100" else 10)


@pytest.mark.parametrize("name, place, files", COPIES.values(), ids=COPIES)
def test_copies_that_the_user_has_are_prepared(name, place, files, tmp_path, published, capsys):
    import tensorflow_datasets

    published(name, files)
    write(tmp_path / place, files)
    dataset = data.load(name, data_dir=tmp_path)
    check_content(name, dataset)
    assert capsys.readouterr().out == ""
    prepared = tfds.find_prepared(tmp_path, name)
    assert prepared is not None
    info: Any = tensorflow_datasets.builder_from_directory(prepared).info
    if name.startswith("cifar"):
        names = TEN_NAMES if name == "cifar10" else FINE_NAMES
        assert info.features["label"].names == names
    assert info.name == name
    # The originals are not needed any more.
    shutil.rmtree(tmp_path / "downloads")
    assert data.load(name, data_dir=tmp_path).fingerprint == dataset.fingerprint


def test_the_layouts_of_one_set_give_the_same_dataset(tmp_path, published):
    fingerprints = set()
    for label in ("cifar10, tfds", "cifar10, torchvision", "cifar10, archive"):
        name, place, files = COPIES[label]
        published(name, {"cifar-10-binary.tar.gz": CIFAR10_TAR})
        write(tmp_path / label / place, files)
        dataset = data.load(name, data_dir=tmp_path / label)
        fingerprints.add(tuple(dataset.fingerprint.values()))
    assert len(fingerprints) == 1


@pytest.mark.parametrize("name, place, files", COPIES.values(), ids=COPIES)
def test_a_flipped_byte_is_found(name, place, files, tmp_path, published):
    published(name, files)
    file, content = next(iter(files.items()))
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    write(tmp_path / place, files | {file: bytes(flipped)})
    with pytest.raises(InputError) as caught:
        data.load(name, data_dir=tmp_path)
    message = str(caught.value)
    assert file in message and "\n" not in message
    assert "expected" in message or "cannot read" in message
    assert tfds.find_prepared(tmp_path, name) is None


def test_pickles_hold_arrays_and_nothing_else():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    read = originals._unpickle(python2_pickle({"data": array, "labels": [1, 2]}))
    assert np.array_equal(read["data"], array) and read["labels"] == [1, 2]
    with pytest.raises(pickle.UnpicklingError, match="unexpected"):
        originals._unpickle(pickle.dumps(print, protocol=2))
    with pytest.raises(pickle.UnpicklingError, match="unexpected"):
        originals._unpickle(pickle.dumps(np.load, protocol=2))


def test_the_published_checksums_are_enforced(tmp_path):
    write(tmp_path, IDX_GZ)  # not MNIST
    with pytest.raises(InputError, match=r"has the sha256 .* not the published file"):
        data.load("mnist", data_dir=tmp_path)
    write(tmp_path / "cifar-10-batches-py", cifar10_python())
    with pytest.raises(
        InputError, match=r"has the md5 .* expected 5ff9c542aee3614f3951f8cda6e48888"
    ):
        data.load("cifar10", data_dir=tmp_path)


def test_fashion_mnist_is_not_taken_for_mnist(tmp_path, monkeypatch):
    write(tmp_path / "FashionMNIST" / "raw", IDX_GZ)
    with pytest.raises(InputError, match="'mnist' is not in"):
        data.load("mnist", data_dir=tmp_path, download=False)
    write(tmp_path / "other", IDX_GZ)
    with pytest.raises(InputError, match=r"'fashion_mnist' is not in .*/manual/fashion_mnist:"):
        data.load("fashion_mnist", data_dir=tmp_path / "other", download=False)


def test_a_read_only_root_cannot_be_prepared_in(tmp_path, published):
    published("mnist", IDX_GZ)
    write(tmp_path / "root", IDX_GZ)
    (tmp_path / "root").chmod(0o555)
    try:
        with pytest.raises(InputError, match="read-only; set TFDS_DATA_DIR"):
            data.load("mnist", data_dir=tmp_path / "root")
    finally:
        (tmp_path / "root").chmod(0o755)


@pytest.fixture
def raw_mnist() -> Path:
    if not RAW_MNIST.is_dir():
        pytest.skip(f"no original MNIST files in {RAW_MNIST}")
    return RAW_MNIST


def test_a_flipped_byte_in_the_real_mnist(raw_mnist, tmp_path):
    for file in raw_mnist.glob("*.gz"):
        shutil.copyfile(file, tmp_path / file.name)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    content = bytearray(labels.read_bytes())
    content[5000] ^= 1
    labels.write_bytes(content)
    with pytest.raises(InputError, match=f"{labels} has the sha256 .*expected 3552534a0a"):
        data.load("mnist", data_dir=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("unpacked", [False, True])
def test_the_real_mnist_is_prepared_as_tfds_prepares_it(unpacked, raw_mnist, real_data, tmp_path):
    folder = tmp_path / ("MNIST/raw" if unpacked else "downloads/manual")
    folder.mkdir(parents=True)
    for file in raw_mnist.glob("*.gz"):
        if unpacked:
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copyfile(file, folder / file.name)
    ours = data.load("mnist", data_dir=tmp_path)
    assert ours.fingerprint == data.load("mnist", data_dir=real_data).fingerprint


# Downloads.


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address on this machine, and the folder that is served there."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()
        thread.join()


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("label", ["mnist, manual", "cifar10, tfds"])
def test_downloads_are_checked_prepared_and_kept(label, server, tmp_path, published, no_proxy):
    name, _, files = COPIES[label]
    address, folder = server
    write(folder, files)
    published(name, files, address)
    root = tmp_path / "root"
    with pytest.raises(InputError, match="download=True"):
        data.load(name, data_dir=root, download=False)
    dataset = data.load(name, data_dir=root)
    check_content(name, dataset)
    # What TFDS has downloaded is found again, without a network.
    shutil.rmtree(folder)
    shutil.rmtree(root / name)
    again = data.load(name, data_dir=root, download=False)
    assert again.fingerprint == dataset.fingerprint


def test_a_wrong_download_is_refused(server, tmp_path, published, no_proxy):
    address, folder = server
    write(folder, IDX)
    published("mnist", IDX_GZ, address)
    write(folder, {name: b"something else" for name in IDX_GZ})
    with pytest.raises(InputError, match=r"could not prepare 'mnist' .*wrong checksum") as caught:
        data.load("mnist", data_dir=tmp_path / "root")
    assert "\n" not in str(caught.value)
    assert tfds.find_prepared(tmp_path / "root", "mnist") is None


def test_a_download_that_is_not_there(server, tmp_path, published, no_proxy):
    published("mnist", IDX_GZ, server[0])
    with pytest.raises(InputError, match=r"could not prepare 'mnist' .*404"):
        data.load("mnist", data_dir=tmp_path / "root")


OFFLINE = {
    "mnist": [
        "train-images-idx3-ubyte.gz (sha256 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8",
        "t10k-labels-idx1-ubyte.gz (sha256 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259",
        "/downloads/manual: ",
    ],
    "fashion_mnist": [
        "train-images-idx3-ubyte.gz (sha256 3aede38d61863908ad78613f6a32ed271626dd12800ba263656951",
        "/downloads/manual/fashion_mnist: ",
    ],
    "cifar10": [
        "cifar-10-binary.tar.gz (sha256 c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a",
        "/downloads/manual: ",
    ],
    "cifar100": [
        "cifar-100-binary.tar.gz (sha256 58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a1991",
    ],
}


@pytest.mark.parametrize("download", [False, True])
@pytest.mark.parametrize("name", OFFLINE)
def test_without_a_network_the_error_says_what_to_do(name, download, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "is_reachable", lambda url: False)
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        data.load(name, data_dir=tmp_path, download=download)
    assert time.monotonic() - start < 10
    message = str(caught.value)
    assert ("download=True" in message) is not download
    assert ("cannot be reached" in message) is download
    for part in (*OFFLINE[name], str(tmp_path), "'digits'"):
        assert part in message
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


def test_sets_that_need_tensorflow_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'without TensorFlow: pip install "rote\[tensorflow\]"'):
        data.load("svhn_cropped", data_dir=tmp_path, download=True)


def test_an_address_that_answers_is_reachable(no_proxy, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert prepare.is_reachable(f"http://127.0.0.1:{port}/file")
        proxies = {"https": f"http://127.0.0.1:{port}"}
        monkeypatch.setattr(urllib.request, "getproxies", lambda: proxies)
        assert prepare.is_reachable("https://nowhere.invalid/file")
    assert not prepare.is_reachable(f"http://127.0.0.1:{port}/file")


def test_an_address_that_does_not_exist_is_given_up_in_time(no_proxy):
    start = time.monotonic()
    assert not prepare.is_reachable("https://nowhere.invalid/file")
    assert time.monotonic() - start < 8


def test_a_name_server_that_does_not_answer_is_given_up_in_time(no_proxy, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(prepare, "_PROBE_SECONDS", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answer.wait(20) and [])
    start = time.monotonic()
    assert not prepare.is_reachable("https://nowhere.invalid/file")
    assert time.monotonic() - start < 5
    answer.set()
