"""Images averaged over squares."""

import numpy as np
import pytest

from rote.core import Dataset, InputError, Split
from rote.studies.foundations import averaged


def dataset(images):
    labels = np.zeros(len(images), np.int32)
    split = Split(images, labels, labels)
    return Dataset("tiny", split, split, 2)


def test_squares_are_averaged_and_what_is_left_over_is_cut_off():
    image = np.arange(15, dtype=np.uint8).reshape(1, 3, 5, 1)
    made = averaged(dataset(image), 2)
    # Rows 0 and 1 hold 0..4 and 5..9; the third row and the fifth column fill no square.
    np.testing.assert_array_equal(made.train.images[0, :, :, 0], [[(0 + 1 + 5 + 6) / 4, 5]])
    assert made.train.images.dtype == np.float32 and made.image_shape == (1, 2, 1)
    assert made.provenance[-1] == {"operation": "averaged", "side": 2}


def test_channels_stay_apart_and_labels_are_the_same():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[..., 1] = 200  # would overflow 8 bits when summed
    given = dataset(images)
    made = averaged(given, 4)
    np.testing.assert_array_equal(made.test.images, np.tile([0, 200, 0], (2, 1, 1, 1)))
    assert made.train.labels is given.train.labels
    assert averaged(given, 1) is given


@pytest.mark.parametrize("side", [0, 5])
def test_squares_that_do_not_fit_are_refused(side):
    with pytest.raises(InputError, match="expected a side from 1"):
        averaged(dataset(np.zeros((1, 4, 6, 1), np.uint8)), side)
