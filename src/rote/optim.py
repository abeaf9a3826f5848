"""The optimizers of the experiments, as optax transformations.

All share the learning rate, the weight decay and the choice of the arrays that it reaches. The
decay is the L2 penalty of the memorisation papers, added to the gradient before any momentum, so
that an adaptive step rescales it too; for decay decoupled from the gradient use ``optax.adamw``
with ``mask=kernels``. Rates, decays and momenta may be traced scalars, hence differ between the
runs of one ``jax.vmap``.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from rote.core import Params

Scalar = float | jax.Array
"""A hyper-parameter: a number, or a traced scalar where runs differ in it."""


def kernels(params: Params) -> Params:
    """Which arrays are kernels, the ones that weight decay reaches by default.

    They are told by their name, not by their rank: biases and the scale and offset of a
    normalisation are left alone even when the arrays of many runs are stacked.

    Args:
      params: nested dicts of arrays.

    Returns:
      The same tree with true at every leaf named ``kernel``, else false.

    >>> kernels({"dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.zeros(3)}})
    {'dense': {'bias': False, 'kernel': True}}
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path[-1:], simple=True) == "kernel", params
    )


def sgd(
    learning_rate: Scalar | optax.Schedule,
    *,
    weight_decay: Scalar = 0.0,
    decay: Callable[[Params], Params] = kernels,
) -> optax.GradientTransformation:
    """Stochastic gradient descent: ``w <- w - learning_rate (g + weight_decay w)``.

    Args:
      learning_rate: a scalar, or a schedule ``step -> scalar``.
      weight_decay: the factor of the L2 penalty ``weight_decay / 2 |w|^2``.
      decay: ``params -> tree of bools``, the arrays that the penalty reaches.

    Returns:
      An optax transformation, whose ``update`` needs the params.

    >>> optimizer = sgd(0.1, weight_decay=0.5)
    >>> params = {"kernel": jnp.array(2.0), "bias": jnp.array(2.0)}
    >>> updates, _ = optimizer.update(params, optimizer.init(params), params)
    >>> {name: round(float(update), 3) for name, update in sorted(updates.items())}
    {'bias': -0.2, 'kernel': -0.3}
    """
    return _with_decay(optax.identity(), learning_rate, weight_decay, decay)


def momentum(
    learning_rate: Scalar | optax.Schedule,
    momentum: Scalar = 0.9,
    *,
    weight_decay: Scalar = 0.0,
    decay: Callable[[Params], Params] = kernels,
) -> optax.GradientTransformation:
    """Heavy-ball momentum: ``m <- momentum m + g``, ``w <- w - learning_rate m``.

    The penalty's gradient ``weight_decay w`` is part of ``g``.

    Args:
      learning_rate: a scalar, or a schedule ``step -> scalar``.
      momentum: in ``[0, 1)``.
      weight_decay: the factor of the L2 penalty ``weight_decay / 2 |w|^2``.
      decay: ``params -> tree of bools``, the arrays that the penalty reaches.

    Returns:
      An optax transformation, whose ``update`` needs the params.

    Reference: Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    """
    return _with_decay(optax.trace(momentum), learning_rate, weight_decay, decay)


def averaged_momentum(
    learning_rate: Scalar | optax.Schedule,
    momentum: Scalar = 0.9,
    *,
    weight_decay: Scalar = 0.0,
    decay: Callable[[Params], Params] = kernels,
) -> optax.GradientTransformation:
    """Averaged momentum: ``m <- momentum m + (1 - momentum) g``, ``w <- w - learning_rate m``.

    ``m`` is an exponential average of the gradients, 0 at the start and not debiased. It walks as
    heavy-ball momentum does at the learning rate times ``1 - momentum``.

    Args:
      learning_rate: a scalar, or a schedule ``step -> scalar``.
      momentum: in ``[0, 1)``.
      weight_decay: the factor of the L2 penalty ``weight_decay / 2 |w|^2``.
      decay: ``params -> tree of bools``, the arrays that the penalty reaches.

    Returns:
      An optax transformation, whose ``update`` needs the params.
    """
    return _with_decay(optax.ema(momentum, debias=False), learning_rate, weight_decay, decay)


def adam(
    learning_rate: Scalar | optax.Schedule,
    *,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.0,
    decay: Callable[[Params], Params] = kernels,
) -> optax.GradientTransformation:
    """Adam, with weight decay as an L2 penalty: part of the gradient that is averaged and rescaled.

    Args:
      learning_rate: a scalar, or a schedule ``step -> scalar``.
      b1: the decay rate of the average of gradients, in ``[0, 1)``.
      b2: the decay rate of the average of squared gradients, in ``[0, 1)``.
      eps: added to the root of the latter.
      weight_decay: the factor of the L2 penalty ``weight_decay / 2 |w|^2``.
      decay: ``params -> tree of bools``, the arrays that the penalty reaches.

    Returns:
      An optax transformation, whose ``update`` needs the params.

    Reference: Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, Algorithm 1.
    """
    return _with_decay(optax.scale_by_adam(b1, b2, eps), learning_rate, weight_decay, decay)


def gradient_penalty(coefficient: Scalar) -> optax.GradientTransformationExtraArgs:
    r"""Adds to each mini-batch loss a multiple of its squared gradient norm.

    .. math:: \hat C_k(w) + c\, |\nabla \hat C_k(w)|^2, \quad
       \text{with the gradient} \quad g + 2 c\, H g

    It comes first, since it reads the mini-batch's gradient, and any recipe after it:
    ``optax.chain(gradient_penalty(c), sgd(0.1))``. The product with the Hessian ``H`` is exact,
    through batch statistics and this step's dropout too, and costs about two gradients more.

    Args:
      coefficient: ``c``, a scalar; the ``lambda / 4`` of the reference.

    Returns:
      An optax transformation whose ``update`` needs the params and, as ``value_fn``, the
      mini-batch loss as a function of them. Trainings by ``rote.fit`` give it that.

    Reference: Smith et al., On the origin of implicit regularization in stochastic gradient
    descent, ICLR 2021; Barrett & Dherin, Implicit gradient regularization, ICLR 2021.

    The loss ``w^2`` has the gradient ``2 w`` and the penalty ``4 c w^2``, with the gradient
    ``8 c w``:

    >>> penalty, w = gradient_penalty(0.5), jnp.array(3.0)
    >>> update, _ = penalty.update(2 * w, penalty.init(w), w, value_fn=lambda w: w**2)
    >>> float(update)
    18.0
    """

    def update(updates, state, params, *, value_fn, **_):
        product = jax.jvp(jax.grad(value_fn), (params,), (updates,))[1]
        return jax.tree.map(lambda g, hg: g + 2 * coefficient * hg, updates, product), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def epoch_decay(learning_rate: Scalar, factor: Scalar, steps_per_epoch: int) -> optax.Schedule:
    """A learning rate constant within an epoch: ``learning_rate factor^floor(step / steps)``.

    Args:
      learning_rate: the rate in the first epoch.
      factor: what each epoch multiplies it by (0.95 in the reference).
      steps_per_epoch: mini-batches per epoch.

    Returns:
      A schedule ``step -> learning rate``.

    Reference: Zhang et al., Understanding deep learning requires rethinking generalization, ICLR
    2017, Appendix A.

    >>> schedule = epoch_decay(0.1, 0.5, steps_per_epoch=10)
    >>> [round(float(schedule(step)), 3) for step in (0, 9, 10, 20)]
    [0.1, 0.1, 0.05, 0.025]
    """

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        # Integer division: optax.exponential_decay divides in floating point, and wants numbers
        # that are not traced.
        epoch = jnp.asarray(step) // steps_per_epoch
        return learning_rate * jnp.power(factor, epoch.astype(jnp.result_type(float)))

    return schedule


def _with_decay(
    rule: optax.GradientTransformation,
    learning_rate: Scalar | optax.Schedule,
    weight_decay: Scalar,
    decay: Callable[[Params], Params],
) -> optax.GradientTransformation:
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decay),
        rule,
        optax.scale_by_learning_rate(learning_rate),
    )
