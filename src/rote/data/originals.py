"""The published files of MNIST, Fashion-MNIST and CIFAR, in every layout that users have them.

Either TFDS's own files, under their published names, or what torchvision leaves on a disk. All are
checked against the checksums that those two libraries check, before anything in them is parsed.
"""

import functools
import gzip
import hashlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rote.core import InputError


class Content(NamedTuple):
    """A data set in memory.

    Attributes:
      images: for ``"train"`` and ``"test"``, ``[N, H, W, C]`` uint8, in the published order.
      labels: for each split, ``[N]`` integers by the name of the label.
      names: the names of the classes by the name of the label, where the files hold them.
    """

    images: dict[str, np.ndarray]
    labels: dict[str, dict[str, np.ndarray]]
    names: dict[str, list[str]]


class _Layout(NamedTuple):
    """One way in which a data set lies on a disk.

    Attributes:
      folders: the folders that may hold it, relative to those that are searched.
      files: its files, or the archive's members, with their checksums.
      parse: from the files' bytes to the content.
    """

    folders: tuple[str, ...]
    files: Mapping[str, str]
    parse: Callable[[Mapping[str, bytes]], Content]


class Copy(NamedTuple):
    """Originals that were found: where, and how to read them."""

    where: Path
    read: Callable[[], Content]


_IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class _Cifar(NamedTuple):
    """The file names of a CIFAR set; a binary batch has the python batch's name and ``.bin``."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels: dict[str, str]  # name of the label: its key in a python batch
    class_names: dict[str, str]  # name of the label: its key in the python meta file
    class_files: dict[str, str]  # name of the label: the text file of the binary version


_CIFAR = {
    "cifar10": _Cifar(
        train=tuple(f"data_batch_{i}" for i in range(1, 6)),
        test=("test_batch",),
        meta="batches.meta",
        labels={"label": "labels"},
        class_names={"label": "label_names"},
        class_files={"label": "batches.meta.txt"},
    ),
    "cifar100": _Cifar(
        train=("train",),
        test=("test",),
        meta="meta",
        labels={"coarse_label": "coarse_labels", "label": "fine_labels"},
        class_names={"coarse_label": "coarse_label_names", "label": "fine_label_names"},
        class_files={"coarse_label": "coarse_label_names.txt", "label": "fine_label_names.txt"},
    ),
}


def _parse_idx(files: Mapping[str, bytes]) -> Content:
    """From the four idx files, compressed or not."""
    raw = {
        name.removesuffix(".gz"): gzip.decompress(data) if name.endswith(".gz") else data
        for name, data in files.items()
    }
    images = {split: _idx(raw[names[0]])[..., None] for split, names in _IDX_FILES.items()}
    labels = {split: {"label": _idx(raw[names[1]])} for split, names in _IDX_FILES.items()}
    return Content(images, labels, {})


def _idx(data: bytes) -> np.ndarray:
    """The uint8 array of an idx file: a 4-byte magic number, big-endian sizes, the values."""
    sizes = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(tuple(map(int, sizes)))


def _parse_cifar_python(name: str) -> Callable[[Mapping[str, bytes]], Content]:
    cifar = _CIFAR[name]

    def parse(files: Mapping[str, bytes]) -> Content:
        images, labels = {}, {}
        for split, batches in (("train", cifar.train), ("test", cifar.test)):
            contents = [_unpickle(files[batch]) for batch in batches]
            images[split] = _channels_last(np.concatenate([each["data"] for each in contents]))
            labels[split] = {
                label: np.concatenate([each[key] for each in contents])
                for label, key in cifar.labels.items()
            }
        meta = _unpickle(files[cifar.meta])
        return Content(
            images, labels, {label: meta[key] for label, key in cifar.class_names.items()}
        )

    return parse


def _parse_cifar_binary(name: str) -> Callable[[Mapping[str, bytes]], Content]:
    cifar = _CIFAR[name]

    def parse(files: Mapping[str, bytes]) -> Content:
        ((_, archive),) = files.items()
        images, labels = {}, {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = dict(_members(tar))
        for split, batches in (("train", cifar.train), ("test", cifar.test)):
            rows = np.frombuffer(b"".join(members[f"{batch}.bin"] for batch in batches), np.uint8)
            rows = rows.reshape(-1, len(cifar.labels) + 3 * 32 * 32)
            images[split] = _channels_last(rows[:, len(cifar.labels) :])
            labels[split] = {label: rows[:, i] for i, label in enumerate(cifar.labels)}
        names = {label: members[file].decode().split() for label, file in cifar.class_files.items()}
        return Content(images, labels, names)

    return parse


def _channels_last(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


class _Unpickler(pickle.Unpickler):
    """Reads dicts of NumPy arrays, as Python 2 and an early NumPy wrote them, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            "_reconstruct": np.empty(0).__reduce__()[0],
            "ndarray": np.ndarray,
            # Old files give the flags as 0 and 1, which NumPy no longer takes for booleans.
            "dtype": lambda kind, align, copy: np.dtype(kind, align=bool(align), copy=bool(copy)),
        }
        if module.split(".")[0] != "numpy" or name not in allowed:
            raise pickle.UnpicklingError(f"unexpected {module}.{name}")
        return allowed[name]


def _unpickle(data: bytes) -> Any:
    return _Unpickler(io.BytesIO(data), encoding="latin1").load()


_MNIST_FOLDERS = (".", "mnist", "MNIST/raw")
_FASHION_FOLDERS = ("fashion_mnist", "FashionMNIST/raw")  # its files have MNIST's names

TFDS_LAYOUTS: dict[str, tuple[tuple[str, ...], Callable[[Mapping[str, bytes]], Content]]] = {
    "mnist": (_MNIST_FOLDERS, _parse_idx),
    "fashion_mnist": (_FASHION_FOLDERS, _parse_idx),
    "cifar10": ((".",), _parse_cifar_binary("cifar10")),
    "cifar100": ((".",), _parse_cifar_binary("cifar100")),
}
"""Of each set, where TFDS's own files may lie and how they are parsed."""

NAMES = tuple(TFDS_LAYOUTS)

# MD5, as torchvision checks it; it has none for the unpacked idx files: theirs are of what the
# compressed files contain.
_TORCHVISION: dict[str, _Layout] = {
    "mnist": _Layout(
        folders=_MNIST_FOLDERS,
        files={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
        parse=_parse_idx,
    ),
    "fashion_mnist": _Layout(
        folders=_FASHION_FOLDERS,
        files={
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
        parse=_parse_idx,
    ),
    "cifar10": _Layout(
        folders=("cifar-10-batches-py", "cifar-10-python.tar.gz"),
        files={
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        parse=_parse_cifar_python("cifar10"),
    ),
    "cifar100": _Layout(
        folders=("cifar-100-python", "cifar-100-python.tar.gz"),
        files={
            "meta": "7973b15100ade9c7d40fb424638fde48",
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        },
        parse=_parse_cifar_python("cifar100"),
    ),
}


def find(
    name: str,
    bases: tuple[Path, ...],
    tfds_files: Mapping[str, str],
    downloads: Mapping[str, Path],
) -> Copy | None:
    """The first copy of a data set's originals.

    The copy is chosen by its file names; the checksums are compared when it is read.

    Args:
      name: one of `NAMES`.
      bases: the folders to search.
      tfds_files: TFDS's file names with their sha256.
      downloads: where TFDS keeps what it has downloaded, by file name.
    """
    folders, parse = TFDS_LAYOUTS[name]
    own = _Layout(folders, tfds_files, parse)
    for base in bases:
        for layout, algorithm in ((own, "sha256"), (_TORCHVISION[name], "md5")):
            for where in (base / folder for folder in layout.folders):
                paths = {file: where / file for file in layout.files}
                if where.is_file() or _all_exist(paths):
                    return Copy(where, functools.partial(_read, paths, layout, algorithm))
    if _all_exist(downloads):
        where = next(iter(downloads.values())).parent
        return Copy(where, functools.partial(_read, downloads, own, "sha256"))
    return None


def read_tfds_files(name: str, paths: Mapping[str, Path]) -> Content:
    """The content of TFDS's own files, given by their published names and already checked."""
    _, parse = TFDS_LAYOUTS[name]
    return parse({file: path.read_bytes() for file, path in paths.items()})


def _all_exist(paths: Mapping[str, Path]) -> bool:
    return all(path.is_file() for path in paths.values())


def _read(paths: Mapping[str, Path], layout: _Layout, algorithm: str) -> Content:
    contents = _contents(paths)
    for file, expected in layout.files.items():
        given = hashlib.new(algorithm, contents.get(file, b""), usedforsecurity=False).hexdigest()
        if given != expected:
            raise InputError(
                f"{paths[file]} has the {algorithm} {given}, expected {expected}: it is not the "
                "published file; delete it, or put the published one there"
            )
    return layout.parse(contents)


def _contents(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """The bytes of files, or of the members of the archive that is in their folder's place."""
    folder = next(iter(paths.values())).parent
    try:
        if folder.is_dir():
            return {file: path.read_bytes() for file, path in paths.items()}
        with tarfile.open(folder) as tar:
            return {file: data for file, data in _members(tar) if file in paths}
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise InputError(f"cannot read {folder}: {error}; delete or replace it") from error


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """The files of an archive by their names without folders."""
    for member in tar:
        content = tar.extractfile(member)
        if content is not None:
            yield Path(member.name).name, content.read()
