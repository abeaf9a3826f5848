"""Training on inputs that are moved against the net while it learns."""

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import InputError
from rote.train.step import Forward, Loss, Objective, mean_loss


def adversarial(radius: float, weight: float = 0.5) -> Objective:
    r"""Adversarial training by the fast gradient sign method, as an ``objective`` of ``fit``.

    .. math:: (1 - a)\, \ell(x, y) + a\, \ell(x + r \operatorname{sign} \nabla_x \ell(x, y), y)

    Both terms are means over the mini-batch, with the same dropout and augmentation; the moved
    inputs count as constants. The model's new state is that of the inputs as they are. A step costs
    about two and a half plain ones.

    Args:
      radius: ``r``, in units of the images as stored, so of 255 for white. What is moved may leave
        0..255.
      weight: ``a``, of the moved inputs, in [0, 1]; 0 is plain training.

    Raises:
      InputError: if a number cannot be used.

    Reference:
      Goodfellow, Shlens, Szegedy 2015, Explaining and harnessing adversarial examples, section 6
      (there with the weight ``1 - a``, one half).
    """
    if not radius > 0 or not 0 <= weight <= 1:
        raise InputError(
            f"adversarial: radius {radius}, weight {weight}; expected a positive radius, in units "
            "of the stored images, and a weight from 0 to 1"
        )

    def make(forward: Forward, loss_fn: Loss):
        plain = mean_loss(forward, loss_fn)

        def objective(params, state, batch, key):
            images = jnp.asarray(batch.images, jnp.result_type(float))

            def loss_at(params, images):
                same = jax.random.clone(key)  # the same draws for all three, on purpose
                return plain(params, state, batch._replace(images=images), same)

            slope, _ = jax.grad(loss_at, argnums=1, has_aux=True)(lax.stop_gradient(params), images)
            loss, after = loss_at(params, images)
            moved, _ = loss_at(params, images + radius * jnp.sign(slope))
            return (1 - weight) * loss + weight * moved, after

        return objective

    return make
