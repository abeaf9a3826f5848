"""What a look sees of the loss: where descent is about to go."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from rote import measure
from rote.core import Params

LANDSCAPE = ("loss_range", "gradient_change", "smoothness")
"""The largest less the smallest loss along the gradient, the largest change of the gradient, and
the largest of these over the distance, the effective beta-smoothness."""


def landscape(
    loss: Callable[[Params], jax.Array], params: Params, learning_rate: float
) -> dict[str, jax.Array]:
    """The loss, and how it and its gradient vary from half to four times a step.

    Args:
      loss: from parameters to a scalar.
      params: the point.
      learning_rate: a step's.

    Returns:
      Scalars: ``loss`` and those of ``LANDSCAPE``.

    Reference:
      Santurkar et al. 2018 (arXiv 1805.11604), section 3.1 and Fig. 4; its step sizes are not
      known here.
    """
    along = measure.along_gradient(loss, params, learning_rate * jnp.geomspace(0.5, 4, 8))
    return {
        "loss": loss(params),
        "loss_range": along.losses.max() - along.losses.min(),
        "gradient_change": along.gradient_changes.max(),
        "smoothness": along.smoothness.max(),
    }
