"""The networks that ``--model`` names, the same in every experiment, and how to get one back."""

import inspect
import os
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

from rote import layers, models
from rote.core import InputError, Model, Params, State, unknown_name
from rote.record import RunDir
from rote.studies.config import Initialization

MODELS: dict[str, Callable[..., Model]] = {
    "mlp_1x8": partial(models.mlp, (8,)),
    "mlp_1x512": partial(models.mlp, (512,)),
    "mlp_3x512": partial(models.mlp, (512, 512, 512)),
    "cnn": models.cnn,
    "cnn_16_32": partial(models.cnn, (16, 32)),
    "cnn_no_bn": partial(models.cnn, batch_norm=False),
    "cnn_16_32_no_bn": partial(models.cnn, (16, 32), batch_norm=False),
    "alexnet_small": models.alexnet_small,
    "inception_small": models.inception_small,
    "inception_small_no_bn": partial(models.inception_small, batch_norm=False),
    "resnet_8": partial(models.resnet, 8),
    "resnet_20": partial(models.resnet, 20),
    "resnet_18": partial(models.resnet18, stem="cifar"),
    "resnet_50": models.resnet50,
    "wide_resnet_10_1": partial(models.wide_resnet, 10, 1),
    "wide_resnet_28_1": partial(models.wide_resnet, 28, 1),
}


def build(
    name: str,
    num_classes: int,
    *,
    init: Initialization = "he_normal",
    dropout: float = 0.0,
) -> Model:
    """The network of that name.

    Args:
      name: a key of ``MODELS``.
      num_classes: number of logits.
      init: how weights and biases start, a name of ``rote.layers``; the MLPs, the CNNs and the
        networks of Zhang et al. take it, residual nets start as their papers say.
      dropout: probability of dropping a hidden unit; the MLPs and the networks of Zhang et al.
        take it.

    Raises:
      InputError: if there is no such name, or the network takes no such setting.
    """
    check(name)
    builder = MODELS[name]
    given: dict[str, Any] = {}
    if init != "he_normal":
        given["init"] = getattr(layers, init)
    if dropout:
        given["dropout"] = dropout
    for setting in sorted(given.keys() - inspect.signature(builder).parameters):
        takes = [each for each in MODELS if setting in inspect.signature(MODELS[each]).parameters]
        raise InputError(f"{setting}: {name} takes none; choose among {', '.join(takes)}")
    return builder(num_classes=num_classes, **given)


def check(name: str) -> None:
    """Checks that there is a network of that name.

    Raises:
      InputError: if not.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)


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
    saved = run_dir.run(run)
    if "model" not in saved:
        raise InputError(
            f"{run_dir.folder} does not say which model that is; get its parameters with "
            "RunDir.open(folder).load_params()"
        )
    name, dropout = saved["model"], saved.get("dropout", 0.0)
    return LoadedRun(build(name, saved["num_classes"], dropout=dropout), params, state, config)
