"""The networks that ``--model`` names, the same in every experiment, and how to get one back."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

from rote import models
from rote.core import InputError, Model, Params, State, unknown_name
from rote.record import RunDir

MODELS: dict[str, Callable[..., Model]] = {
    "mlp_1x512": partial(models.mlp, (512,)),
    "mlp_3x512": partial(models.mlp, (512, 512, 512)),
    "cnn": models.cnn,
    "cnn_16_32": partial(models.cnn, (16, 32)),
    "cnn_no_bn": partial(models.cnn, batch_norm=False),
    "alexnet_small": models.alexnet_small,
    "inception_small": models.inception_small,
    "inception_small_no_bn": partial(models.inception_small, batch_norm=False),
    "resnet_20": partial(models.resnet, 20),
    "resnet_18": partial(models.resnet18, stem="cifar"),
    "wide_resnet_28_1": partial(models.wide_resnet, 28, 1),
}


def build(name: str, num_classes: int) -> Model:
    """The network of that name.

    Args:
      name: a key of ``MODELS``.
      num_classes: number of logits.

    Raises:
      InputError: if there is no such name.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    return MODELS[name](num_classes=num_classes)


class LoadedRun(NamedTuple):
    """A trained net, back in a notebook.

    Attributes:
      model: the network.
      params: its parameters.
      state: its state.
      config: the configuration of the command that trained it.
    """

    model: Model
    params: Params
    state: State
    config: dict[str, Any]


def load_run(
    folder: str | os.PathLike[str],
    run: int | str = 0,
    which: Literal["final", "initial", "best"] = "final",
) -> LoadedRun:
    """A trained net out of a run directory.

    >>> model, params, state, config = load_run("runs/demo/learning_curves")  # doctest: +SKIP

    Args:
      folder: the run directory.
      run: the number or the label of the training within it; ``RunDir.open(folder).runs()`` lists
        them.
      which: the parameters at its end, before its first step, or the best by its stop rule.

    Raises:
      InputError: if there is no such run directory, training or model.
    """
    run_dir = RunDir.open(folder)
    params, state = run_dir.load_params(run, which)
    config = run_dir.config
    if "model" not in config:
        raise InputError(
            f"the configuration in {run_dir.folder} names no model; get its parameters with "
            "RunDir.open(folder).load_params()"
        )
    return LoadedRun(build(config["model"], run_dir.run(run)["num_classes"]), params, state, config)
