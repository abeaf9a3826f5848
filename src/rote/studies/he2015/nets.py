"""The nets for CIFAR-10 with shortcuts and without."""

from rote import models
from rote.core import Model, unknown_name

NETS: dict[str, dict[str, bool]] = {
    "plain_no_bn": {"residual": False, "batch_norm": False},
    "plain": {"residual": False},
    "residual_no_bn": {"batch_norm": False},
    "residual": {},
    "residual_projection": {"projection": True},
}
"""By name, what they take of ``rote.models.resnet``: residual is option A, zeros appended, and
residual_projection option B; plain_no_bn and residual_no_bn have biases instead of batch norm."""


def build(net: str, depth: int, num_classes: int) -> Model:
    """The net of that name and depth.

    Raises:
      InputError: if there is none.

    >>> build("plain", 9, 10)
    Traceback (most recent call last):
    ...
    rote.core.InputError: resnet: depth 9; expected 6 n + 2 with n >= 1, such as 8 or 14
    """
    if net not in NETS:
        raise unknown_name("net", net, NETS)
    return models.resnet(depth, num_classes=num_classes, **NETS[net])


def in_words(net: str) -> str:
    """The net's name in a figure.

    >>> in_words("residual_no_bn")
    'residual, no batch norm'
    """
    return net.replace("_no_bn", ", no batch norm").replace("_", ", ")
