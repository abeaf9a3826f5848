"""Parameters and state in files that other programs read too, and torchvision's in ours."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rote import models
from rote.core import InputError, Model, Params, State, unknown_name
from rote.storage import flatten_tree, load_tensors, save_tensors, unflatten_tree

RESNETS: dict[str, Callable[..., Model]] = {
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
}
"""What ``load_torchvision`` reads."""

_TORCH_ARRAYS = {
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "offset": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
"""Which of our axes is each of PyTorch's, by their number."""


def save_weights(path: str | os.PathLike[str], params: Params, state: State) -> None:
    """Writes parameters and state as one safetensors file, whole or not at all.

    An array's name is its path: ``params/block1/conv/kernel``, ``state/block1/norm/mean``. What has
    no arrays is not in the file; ``load_weights`` finds the structure in the model.

    Args:
      path: of the file, by custom ``*.safetensors``.
      params: from ``model.init`` or training, nested dicts of arrays.
      state: likewise.

    Raises:
      InputError: if something in the trees is no array, or has a type that safetensors lacks.

    >>> import tempfile
    >>> params = {"conv": {"kernel": np.ones((3, 3, 1, 2))}, "relu": {}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/net.safetensors", params, {"conv": {}, "relu": {}})
    ...     print(list(load_tensors(f"{folder}/net.safetensors")))
    ['params/conv/kernel']
    """
    flat = flatten_tree({"params": params, "state": state})
    tensors = {name: leaf for name, leaf in flat.items() if leaf is not None}
    for name, leaf in tensors.items():
        if not hasattr(leaf, "dtype"):
            raise InputError(f"{name} is a {type(leaf).__name__}; expected nested dicts of arrays")
        if jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
            raise InputError(f"{name} is {leaf.dtype}; expected numbers: jax.random.key_data of it")
    save_tensors(path, tensors)


def load_weights(path: str | os.PathLike[str], model: Model, example: Any) -> tuple[Params, State]:
    """Reads what ``save_weights`` wrote of that model.

    Args:
      path: of the file.
      model: the model that the weights are for.
      example: an input, or a ``jax.ShapeDtypeStruct``, with the batch axis in front, as
        ``model.init`` takes it.

    Returns:
      ``(params, state)``: NumPy arrays in the types of the file, in the structure that
      ``model.init`` gives.

    Raises:
      InputError: if the file cannot be read, or its names or shapes are not the model's.
    """
    tensors = load_tensors(path)
    flat = _flat_shapes(model, example)
    problems = _differences(_shapes(tensors), _shapes(flat))
    if problems:
        raise InputError(f"{os.fspath(path)} does not fit the model: {problems}")
    return _params_and_state(flat | tensors)


class Pretrained(NamedTuple):
    """A net with weights from elsewhere.

    Attributes:
      model: the network.
      params: its parameters.
      state: its state.
    """

    model: Model
    params: Params
    state: State


def load_torchvision(name: str, path: str | os.PathLike[str]) -> Pretrained:
    """A residual network with the weights that torchvision publishes for it, or others like them.

    The nets are the same: padding, strides (in a bottleneck's 3x3 convolution, "v1.5"), epsilon of
    the batch norm. Names are translated, such as ``layer1.0.conv1.weight`` to
    ``stage1/block1/sum/body/conv1/kernel``, and kernels turned from [out, in, height, width] to
    [height, width, in, out]. Trained on, the nets differ in what enters the running variance; see
    ``rote.layers.batch_norm``.

    Args:
      name: ``"resnet18"``, ``"resnet34"`` or ``"resnet50"``.
      path: a safetensors file or a PyTorch file (``.pth``; needs torch) with the names of
        torchvision's ``state_dict``. ``num_batches_tracked``, which old files lack, is not read.

    Returns:
      The net, with as many logits as the file has; NumPy arrays of the default float dtype. Its
      inputs are images that ``data.load_image`` reads, by ``transforms.imagenet_standardize``.

    Raises:
      InputError: if there is no such net, or the file cannot be read, holds more than tensors, or
        has names, shapes or types of another net, or values that are not finite.

    Reference:
      He et al. 2015 (arXiv 1512.03385), table 1; torchvision.models.resnet for the layout.

    >>> model, params, state = load_torchvision("resnet18", "resnet18.pth")  # doctest: +SKIP
    """
    if name not in RESNETS:
        raise unknown_name("net", name, RESNETS)
    file = os.fspath(path)
    tensors = {
        key: tensor
        for key, tensor in load_tensors(path).items()
        if not key.endswith(".num_batches_tracked")
    }
    found = _shapes(tensors)
    num_classes = (*found.get("fc.weight", ()), 1000)[0]
    flat = _resnet(name, num_classes)
    problems = _differences(found, _torch_shapes(flat))
    if problems:
        fits = [each for each in RESNETS if found == _torch_shapes(_resnet(each, num_classes))]
        hint = f"; the weights are those of a {fits[0]}" if fits else ""
        if found and all(key.startswith("module.") for key in found):
            hint = (
                "; all names begin with 'module.', as those of torch.nn.DataParallel do: save "
                "model.module.state_dict()"
            )
        raise InputError(f"{file} does not fit {name}: {problems}{hint}")
    for key, tensor in tensors.items():
        if not jnp.issubdtype(tensor.dtype, jnp.floating):
            raise InputError(f"{file}: {key} is {tensor.dtype}; expected floats, not quantized")
        if not np.isfinite(tensor).all():
            raise InputError(f"{file}: {key} has values that are not finite")
    arrays = {ours: _from_torch(tensors[_torch_name(ours)]) for ours in _shapes(flat)}
    model = RESNETS[name](num_classes=num_classes)
    return Pretrained(model, *_params_and_state(flat | arrays))


@functools.cache
def _resnet(name: str, num_classes: int) -> dict[str, Any]:
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.result_type(float))
    return _flat_shapes(RESNETS[name](num_classes=num_classes), image)


def _flat_shapes(model: Model, example: Any) -> dict[str, Any]:
    """What ``model.init`` gives, by path: shapes; ``None`` where there are no arrays."""
    params, state = jax.eval_shape(model.init, jax.random.key(0), example)
    return flatten_tree({"params": params, "state": state})


def _shapes(flat: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(leaf.shape) for name, leaf in flat.items() if leaf is not None}


def _params_and_state(flat: Mapping[str, Any]) -> tuple[Params, State]:
    tree = unflatten_tree(flat)
    return tree["params"], tree["state"]


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What is missing, too much or of another shape; empty where nothing is."""
    other_shape = [
        f"{name} is {found[name]}, expected {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    problems = (
        ("missing", [name for name in wanted if name not in found]),
        ("too many", [name for name in found if name not in wanted]),
        ("of another shape", other_shape),
    )
    return "; ".join(
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if names[3:] else ''})"
        for what, names in problems
        if names
    )


def _torch_shapes(flat: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The names and shapes of torchvision's ``state_dict``, from ours."""
    return {
        _torch_name(path): tuple(shape[axis] for axis in _TO_TORCH[len(shape)])
        for path, shape in _shapes(flat).items()
    }


def _torch_name(path: str) -> str:
    """``params/stage1/block2/sum/body/norm1/scale`` is ``layer1.1.bn1.weight``."""
    _, *parts, array = path.split("/")
    match parts:
        case ["head"]:
            layer = "fc"
        case ["stem", part]:
            layer = {"conv": "conv1", "norm": "bn1"}[part]
        case [stage, block, "sum", "body", part]:
            layer = f"{_torch_block(stage, block)}.{part.replace('norm', 'bn')}"
        case [stage, block, "sum", "shortcut", part]:
            layer = f"{_torch_block(stage, block)}.downsample.{('conv', 'norm').index(part)}"
    return f"{layer}.{_TORCH_ARRAYS[array]}"


def _torch_block(stage: str, block: str) -> str:
    return f"{stage.replace('stage', 'layer')}.{int(block.removeprefix('block')) - 1}"


def _from_torch(tensor: np.ndarray) -> np.ndarray:
    """A tensor of torchvision in our order of axes and the default float dtype."""
    axes = np.argsort(_TO_TORCH[tensor.ndim])
    return np.ascontiguousarray(tensor.transpose(axes), jnp.result_type(float))
