"""The settings that every training experiment shares: one name, one meaning everywhere."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

from rote.core import InputError

Augment = Literal["none", "crop", "crop_flip"]
Initialization = Literal["he_normal", "glorot_uniform", "uniform_kaiming"]
Look = Literal["range_test", "monitor"]


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Settings of a training experiment; ``None`` means: from the recipe of (data set, model).

    Where several networks have different recipes, each keeps its own.
    """

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10, cifar100, any TFDS set."""
    model: tuple[str, ...] = ("mlp_1x512",)
    """Networks, such as mlp_1x512, cnn, alexnet_small, inception_small, resnet_18; several are
    trained one after another, each with every seed."""
    optimizer: Literal["sgd", "momentum", "adam"] = "momentum"
    """Update rule; momentum is heavy ball with 0.9."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    num_test: int | None = None
    """Test on a class-balanced subset of this many examples; None: on all."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run per seed, of initialization, data order and (without --label-seed) the labels."""
    label_seed: int | None = None
    """Seed of the label and pixel randomisation; None: the run's seed."""
    batch_size: int | None = None
    """Examples per step."""
    init: Initialization | None = None
    """How weights and biases start (rote.layers says what each is)."""
    micro_batches: int = 1
    """Compute each batch in so many parts, to need less memory."""
    learning_rate: tuple[float, ...] | None = None
    """Initial learning rate; several are trained side by side, each with every seed."""
    learning_rate_decay: float | None = None
    """Factor on the learning rate after every epoch; 1 keeps it constant."""
    weight_decay: float | None = None
    """Coefficient of the l2 term that is added to the gradient of the weights (not biases); None:
    0, or the network's own where training with and without it is compared."""
    augment: Augment = "none"
    """Random crop, or crop and flip (of color images), of the training images; leave it at none to
    memorise."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Dtype of the computation inside the net."""
    max_epochs: int | None = None
    """Epochs after which a run ends unfitted."""
    patience: int | None = None
    """Hold out a tenth of the training examples, and stop when accuracy on them has not been better
    for so many epochs; None: go on until all is fitted."""
    look: tuple[Look, ...] = ()
    """Look first, at the first training of each network: range_test (the loss against a growing
    learning rate), monitor (inputs, layers, gradients of the first steps). Leaves figures."""

    def __post_init__(self) -> None:
        """Checks what can be checked before anything is loaded.

        Raises:
          InputError: if a value cannot be used.
        """
        check_list("model", self.model)
        check_seeds(self.seeds)
        check_seeds((self.label_seed or 0,), name="label_seed")
        for name in ("num_train", "batch_size", "max_epochs", "micro_batches", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}: {value}; expected at least 1")
        if self.learning_rate is not None:
            check_list("learning_rate", self.learning_rate)
        for rate in self.learning_rate or ():
            check_positive("learning_rate", rate)
        if self.learning_rate_decay is not None:
            check_positive("learning_rate_decay", self.learning_rate_decay)
        if self.weight_decay is not None and not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: {self.weight_decay}; expected 0 or a positive number")


def check_positive(name: str, value: float) -> None:
    """Checks that a number is positive and finite.

    Raises:
      InputError: if not.
    """
    if not 0 < value < math.inf:
        raise InputError(f"{name}: {value}; expected a positive number")


def check_seeds(seeds: Sequence[int], limit: int = 2**32, *, name: str = "seeds") -> None:
    """Checks seeds, a flag ``name``: one or more, different, from 0 and below ``limit``.

    Raises:
      InputError: if they are not.
    """
    check_list(name, seeds)
    for seed in seeds:
        if not 0 <= seed < limit:
            raise InputError(f"{name}: {seed}; expected integers from 0 to {limit - 1:,}")


def check_list(name: str, values: Sequence[object]) -> None:
    """Checks that a flag that takes a list got one, without repetitions.

    Raises:
      InputError: if not.
    """
    if isinstance(values, str):
        raise InputError(f"{name}: {values!r}; expected a tuple, such as ({values!r},)")
    if not values or len(set(values)) < len(values):
        given = " ".join(map(str, values)) or "none"
        raise InputError(f"{name}: {given}; expected one or more different values")
