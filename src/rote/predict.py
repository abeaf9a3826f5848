r"""What a published residual network sees in an image file: its top classes with probabilities.

Weights are a file of yours, safetensors or PyTorch's .pth (which needs torch to be read), with
torchvision's names: of ResNet-18, 34 or 50, for ImageNet or any other number of classes. Images are
cut and scaled as torchvision does it: shorter side to 256 pixels, central square of 224, ImageNet's
mean and deviation. Classes are numbers, counted from 0, unless a file names them, one a line, in
the order of the weights. Where torchvision is, this writes that of ImageNet:

  names = torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"]
  pathlib.Path("classes.txt").write_text("\n".join(names))

Command: python -m rote.predict --weights resnet18.pth --classes classes.txt cat.jpg
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rote import backend, data, transforms
from rote.core import InputError, Params, State
from rote.tables import format_table
from rote.weights import RESNETS, Pretrained, load_torchvision


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the arguments; by default the process's.

    Returns:
      The exit code: 2 if the input cannot be used, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rote.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE")
    parser.add_argument("--model", choices=RESNETS, default="resnet18")
    parser.add_argument("--classes", type=Path, metavar="FILE", help="names of classes, one a line")
    parser.add_argument("--top", type=int, default=5, help="how many classes to print (5)")
    parser.add_argument("--resize", type=int, default=256, help="length of the shorter side (256)")
    arguments = parser.parse_args(argv)
    try:
        backend.configure()
        images = np.stack([data.load_image(p, resize=arguments.resize) for p in arguments.images])
        net = load_torchvision(arguments.model, arguments.weights)
        num_classes = len(net.params["head"]["bias"])
        names = None if arguments.classes is None else class_names(arguments.classes, num_classes)
        if not 1 <= arguments.top <= num_classes:
            raise InputError(f"top: {arguments.top}; expected 1..{num_classes}, the classes")
        probability = probabilities(net, images)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path, row in zip(arguments.images, probability, strict=True):
        print(f"{path}\n{format_table(top_classes(row, arguments.top, names))}\n")
    return 0


def class_names(path: Path, num_classes: int) -> list[str]:
    """The names of classes that a text file gives, one a line.

    Raises:
      InputError: if it cannot be read, or has another number of lines.
    """
    try:
        names = path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if len(names) != num_classes:
        raise InputError(
            f"{path} has {len(names)} lines for {num_classes} classes; expected a name a line"
        )
    return [name.strip() for name in names]


def probabilities(net: Pretrained, images: np.ndarray) -> np.ndarray:
    """The softmax of the logits, of one image after the other.

    Args:
      net: from ``load_torchvision``.
      images: ``[N, H, W, 3]`` uint8, as ``data.load_image`` reads them.

    Returns:
      ``[N, num_classes]``.
    """
    prepare = transforms.imagenet_standardize()

    @jax.jit
    def probability(params: Params, state: State, image: jax.Array) -> jax.Array:
        logits, _ = net.model.apply(params, state, prepare(image[None], train=False), train=False)
        return jax.nn.softmax(logits[0])

    return np.stack([probability(net.params, net.state, image) for image in images])


def top_classes(
    probability: np.ndarray, top: int, names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The most probable classes, the first first.

    Args:
      probability: ``[num_classes]``.
      top: how many.
      names: of the classes, if they have any.

    Returns:
      A row per class.

    >>> print(format_table(top_classes(np.array([0.25, 0.75]), 2, ["cat", "dog"])))
    class  name  probability
        1  dog         0.75
        0  cat         0.25
    """
    best = np.argsort(-probability, kind="stable")[:top].tolist()
    return [
        {"class": index}
        | ({} if names is None else {"name": names[index]})
        | {"probability": float(probability[index])}
        for index in best
    ]


if __name__ == "__main__":
    sys.exit(main())
