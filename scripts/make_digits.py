"""Make src/rote/data/digits.npz from scikit-learn's copy of the UCI digits.

The result depends on nothing but the images: fixed time stamps, a split from raw generator output.

    pip install "rote[sklearn]"
    python scripts/make_digits.py [FILE]
"""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np

TARGET = Path(__file__).resolve().parents[1] / "src" / "rote" / "data" / "digits.npz"
SPLIT_SEED = 1998
TEST_PER_CLASS = 36


def make(file: Path) -> None:
    """Write the training and the test split, 8-bit, to one npz file."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    # 0..16 to 0..255, rounded to the nearest integer, halves up.
    images = (digits.images.astype(np.uint16) * 255 + 8) // 16
    labels = digits.target.astype(np.uint8)
    test = choose_test(labels)
    arrays = {
        "train_images": images[~test].astype(np.uint8),
        "train_labels": labels[~test],
        "test_images": images[test].astype(np.uint8),
        "test_labels": labels[test],
        "split_seed": np.asarray(SPLIT_SEED, np.int32),
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue(), compresslevel=9)


def choose_test(labels: np.ndarray) -> np.ndarray:
    """``[N]`` bool: of each class the 36 examples with the smallest 64-bit random number."""
    numbers = np.random.PCG64(SPLIT_SEED).random_raw(len(labels))
    test = np.zeros(len(labels), bool)
    for label in range(10):
        members = np.flatnonzero(labels == label)
        test[members[np.argsort(numbers[members])[:TEST_PER_CLASS]]] = True
    return test


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
