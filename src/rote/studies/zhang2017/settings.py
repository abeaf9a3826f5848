"""The settings of Zhang et al. 2017, and what is taken where the paper is silent.

What the paper fixes (appendix A): pixels divided by 255, center crop to 28x28, per-image whitening;
SGD with momentum 0.9; initial learning rate 0.01 for small Alexnet and the MLPs and (second-hand)
0.1 for small Inception, times 0.95 after every epoch; no weight decay, dropout or augmentation on
randomised data.

What it leaves open, and what is taken here: batch size 128 (as reproductions do); biases from 0,
weights from He's normal distribution in the MLPs and from Glorot's uniform one in small Alexnet and
small Inception: at the paper's learning rates small Alexnet, and small Inception without batch
norm, start badly or diverge from He's; epochs until every label is fitted up to a limit (or a
fixed number, where an experiment says so), data reshuffled every epoch with the remainder dropped;
weight decay, where it is compared, 5e-4 for the convolutional networks and 1e-4 for the MLPs (a
reproduction's choice; the paper prints none), as the l2 term of its era, added to the gradient
before momentum, on kernels and not on biases. The networks' own constants, of batch norm and of
local response normalisation, are named in rote.layers.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from rote import transforms
from rote.core import InputError
from rote.studies import catalog
from rote.studies.config import Augment, Initialization, TrainConfig

C = TypeVar("C", bound=TrainConfig)


class Recipe(NamedTuple):
    """Training settings of a model on a data set.

    The README of the experiment says which of them have been run, and what they reached.

    Attributes:
      learning_rate: initial learning rates; each is tried.
      max_epochs: epochs after which a run counts as not fitted.
      learning_rate_decay: factor per epoch.
      batch_size: examples per step.
      init: how weights and biases start.
    """

    learning_rate: tuple[float, ...]
    max_epochs: int
    learning_rate_decay: float = 1.0
    batch_size: int = 128
    init: Initialization = "he_normal"


PAPER_INCEPTION = Recipe((0.1,), 300, learning_rate_decay=0.95, init="glorot_uniform")
PAPER_ALEXNET = Recipe((0.01,), 300, learning_rate_decay=0.95, init="glorot_uniform")
RECIPES: dict[tuple[str, str], Recipe] = {
    ("digits", "mlp_1x512"): Recipe((0.1,), 400),
    ("digits", "mlp_3x512"): Recipe((0.05,), 400),
    ("digits", "cnn"): Recipe((0.02,), 200),
    ("digits", "cnn_no_bn"): Recipe((0.02,), 200),
    ("cifar10", "cnn_16_32"): Recipe((0.005,), 200),
    ("cifar10", "cnn_16_32_no_bn"): Recipe((0.005,), 200),
    ("cifar10", "alexnet_small"): PAPER_ALEXNET,
    ("cifar10", "inception_small"): PAPER_INCEPTION,
    ("cifar10", "inception_small_no_bn"): PAPER_INCEPTION,
}
ADAM_LEARNING_RATE = (0.001,)
DEFAULT_RECIPE = Recipe((0.01,), 300)
"""For every other pair: the paper's rate for MLPs, constant. Its decay of 0.95 leaves a hundredth
of the rate after 90 epochs, too early for random labels of small sets or of MNIST."""


def resolve(config: C) -> C:
    """Fills what is ``None`` from the recipe of (data set, model), where the models' recipes agree.

    Raises:
      InputError: if a model is unknown.
    """
    recipes = [settled(config, model) for model in config.model]
    if len(set(recipes)) > 1:
        return config
    return dataclasses.replace(config, **recipes[0]._asdict())


def settled(config: TrainConfig, model: str) -> Recipe:
    """How a model is trained: as the configuration says, and where it is silent, as its recipe.

    Raises:
      InputError: if the model is unknown.
    """
    catalog.check(model)
    recipe = RECIPES.get((config.dataset, model), DEFAULT_RECIPE)
    if config.optimizer == "adam":
        recipe = recipe._replace(learning_rate=ADAM_LEARNING_RATE)
    given = {name: getattr(config, name) for name in Recipe._fields}
    return recipe._replace(**{name: value for name, value in given.items() if value is not None})


def check_compared(config: TrainConfig) -> None:
    """Checks a configuration whose table has rows with and without augmentation or weight decay.

    Raises:
      InputError: if all rows would be augmented, or those with weight decay be without it.
    """
    if config.augment != "none":
        raise InputError(
            f"augment: {config.augment}; leave it out, the table has augmented rows and others"
        )
    if config.weight_decay == 0:
        raise InputError("weight_decay: 0; expected the coefficient of the rows with weight decay")


def weight_decay_of(config: TrainConfig, model: str) -> float:
    """The coefficient of the trainings with weight decay, where with and without are compared."""
    if config.weight_decay is not None:
        return config.weight_decay
    return 1e-4 if model.startswith("mlp") else 5e-4


def preprocessing(
    image_shape: Sequence[int], augment: Augment, *, whiten: bool = True
) -> transforms.Transform:
    """The paper's preprocessing: scale to 0..1, center crop of 32x32 to 28x28, whiten per image.

    Other sizes are not cropped.

    Args:
      image_shape: ``(H, W, C)``.
      augment: ``"crop"`` crops at random instead (other sizes than 32x32: after padding by an
        eighth); ``"crop_flip"`` also flips, color images only.
      whiten: without it pixels stay on the scale 0..1.

    Raises:
      InputError: if there is no such augmentation.
    """
    height, _, channels = image_shape
    size = 28 if height == 32 else height
    padding = 0 if height == 32 else height // 8
    if augment == "none":
        crops = [transforms.center_crop(size)]
    elif augment in ("crop", "crop_flip"):
        crops = [transforms.random_crop(size, padding=padding)]
        if augment == "crop_flip" and channels == 3:
            crops.append(transforms.random_flip())
    else:
        raise InputError(f"augment: {augment!r}; expected 'none', 'crop' or 'crop_flip'")
    whitening = [transforms.per_image_whitening()] if whiten else []
    return transforms.chain(*crops, transforms.unit_scale(), *whitening)
