"""Fully connected networks."""

from collections.abc import Callable, Sequence

import jax

from rote.combinators import serial
from rote.core import Model
from rote.layers import Init, activation, dense, dropout, flatten, he_normal


def mlp(
    widths: Sequence[int],
    *,
    num_classes: int,
    activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
    init: Init = he_normal,
    dropout: float = 0.0,
) -> Model:
    """The multilayer perceptron: flatten, then a dense layer and ``activation`` per width, logits.

    The paper's nets are ``mlp((512,), ...)`` and ``mlp((512, 512, 512), ...)``: 1,209,866 and
    1,735,178 parameters on 28x28x3 images with 10 classes. It does not say how they start.

    Args:
      widths: units of each hidden layer; ``()`` is softmax regression.
      num_classes: number of logits.
      activation: any of ``jax.nn``.
      init: how weights and biases start, such as ``rote.layers.uniform_kaiming``.
      dropout: probability of dropping a hidden unit; the paper's nets have none.

    Returns:
      A model ``[B, ...] -> [B, num_classes]`` with parameters ``hidden1/dense/kernel``, ...,
      ``head/bias``.

    Reference:
      Zhang et al. 2017 (arXiv 1611.03530), appendix A.

    >>> from rote.core import count_params
    >>> net = mlp((16, 16), num_classes=10, activation=jax.nn.sigmoid)
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jax.numpy.zeros((1, 28, 28, 1)))
    >>> count_params(params)
    13002
    """
    return serial(
        flatten=flatten(),
        **{f"hidden{i}": _hidden(n, activation, init, dropout) for i, n in enumerate(widths, 1)},
        head=dense(num_classes, init=init),
    )


def _hidden(
    width: int, function: Callable[[jax.Array], jax.Array], init: Init, rate: float
) -> Model:
    layers = {"dense": dense(width, init=init), "activation": activation(function)}
    return serial(**layers, **({"dropout": dropout(rate)} if rate else {}))
