"""How the nets for CIFAR-10 are trained (section 4.2)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote.core import Key
from rote.transforms import Transform


def learning_rate_schedule(learning_rate: float, steps: int, warm_up: int = 0) -> optax.Schedule:
    """A rate that is divided by ten after half of the steps and again after three quarters.

    Args:
      learning_rate: the first; 0.1 as published, over 64,000 steps.
      steps: in all.
      warm_up: steps at a tenth of it at the beginning; about 400 for the net of 110 layers, as the
        paper is recalled.

    >>> rate = learning_rate_schedule(0.5, 8, warm_up=1)
    >>> [round(float(rate(step)), 3) for step in range(8)]
    [0.05, 0.5, 0.5, 0.5, 0.05, 0.05, 0.005, 0.005]
    """
    falls = [(steps // 2, 0.1), (3 * steps // 4, 0.1)]
    places = [(warm_up, 10.0), *falls] if warm_up else falls

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        start = learning_rate / 10 if warm_up else learning_rate
        factors = [jnp.where(jnp.asarray(step) >= place, factor, 1.0) for place, factor in places]
        return start * jnp.prod(jnp.stack(factors))

    return schedule


def subtract_mean(images: np.ndarray) -> Transform:
    """Pixels divided by 255, less their mean over these images: place by place, and by channel.

    Args:
      images: ``[N, H, W, C]``, those trained on.
    """
    mean = np.mean(images, axis=0, dtype=np.float64) / 255

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        del train, key
        x = jnp.asarray(images, jnp.result_type(float))
        return x / 255 - jnp.asarray(mean, x.dtype)

    return transform
