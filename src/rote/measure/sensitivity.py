"""How much a loss depends on each input: at one point, and through a whole training."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax

from rote.core import InputError, Params
from rote.measure.norms import check_norm
from rote.measure.per_example import per_example, to_float


def input_gradient_norms(
    loss: Callable[[jax.Array, jax.Array], jax.Array],
    x: jax.Array,
    labels: jax.Array,
    *,
    ord: float = 2,
    batch_size: int = 100,
) -> jax.Array:
    r"""The norm of the gradient of each example's loss with respect to its input.

    .. math:: \| \partial \ell(x_i, y_i) / \partial x_i \|

    Args:
      loss: ``(x [B, ...], labels [B]) -> [B]``, the loss of each example; a net's parameters and
        state are fixed in it. Every example is given to it by itself, in a batch of one.
      x: ``[N, ...]``; integers, such as stored images, are turned into floating-point numbers. The
        gradient is per unit of these, so it is 255 times smaller for pixels on the scale 0..255
        than for the same net on the scale 0..1.
      labels: ``[N]``.
      ord: which norm, 1, 2 or ``math.inf``, over all values of an input.
      batch_size: examples at a time: the memory of a forward and backward pass over so many.

    Returns:
      ``[N]``.

    Raises:
      InputError: for another norm, or if there is not one label per example.

    >>> def loss(x, labels):
    ...     return labels * x.sum(1) ** 2
    >>> input_gradient_norms(loss, jnp.array([[3.0, 1.0]]), jnp.array([0.5]), ord=1).tolist()
    [8.0]
    """
    check_norm(ord)

    def gradient_norm(x: jax.Array, label: jax.Array) -> jax.Array:
        gradient = jax.grad(lambda x: loss(x[None], label[None])[0])(x)
        return jnp.linalg.norm(jnp.ravel(gradient), ord)

    return per_example(gradient_norm, to_float(x), labels, batch_size=batch_size)


def loss_sensitivity(
    loss: Callable[[Params, jax.Array, jax.Array], jax.Array],
    params: Params,
    x: jax.Array,
    labels: jax.Array,
    batches: jax.Array,
    optimizer: optax.GradientTransformation,
    *,
    every: int = 1,
) -> jax.Array:
    r"""How much the training loss, after some steps, depends on each training input.

    .. math:: g_i^t = \Big\| \frac{\partial L_t}{\partial x_i} \Big\|_1, \qquad
       L_t = \frac1N \sum_j \ell(w_t; x_j, y_j)

    where the parameters ``w_t`` after ``t`` steps are themselves a function of the inputs: the
    derivative goes back through all steps to the start, and includes the direct one. The mean over
    ``t`` is the loss sensitivity of an example, ``loss_sensitivity(...).mean(0)``; how unequal
    these are, ``gini_coefficient`` says.

    It costs a backward pass through the whole training for each of the ``T / every`` moments, so
    choose ``every`` to have some dozens. Kept in memory are the parameters and the optimizer's
    state at every step, all batches, and their gradient; a step's own intermediate values are
    computed anew.

    Args:
      loss: ``(params, x [B, ...], labels [B]) -> [B]``, the loss of each example. It is
        differentiated twice.
      params: the parameters before the first step.
      x: ``[N, ...]``, the training inputs; integers are turned into floating-point numbers.
      labels: ``[N]``.
      batches: ``[T, B]`` int, which examples each step is given: a step descends their mean loss.
      optimizer: any optax transformation, ``optax.sgd(learning_rate)`` in the paper.
      every: after how many steps each the loss is looked at; it divides ``T``.

    Returns:
      ``[T / every, N]``, the sensitivities after ``every``, ``2 every``, ... ``T`` steps.

    Raises:
      InputError: if the shapes do not belong together, or ``every`` does not divide ``T``.

    Reference:
      Arpit et al. 2017, A closer look at memorization in deep networks, section 3.2 and Fig. 3.

    One parameter, one example and one step of rate 1/8 on ``w x``: then ``L_1 = (1 - x / 8) x``.

    >>> batches = jnp.zeros((1, 1), int)
    >>> loss_sensitivity(
    ...     lambda w, x, labels: w * x, jnp.array(1.0), jnp.array([2.0]), jnp.array([0]),
    ...     batches, optax.sgd(0.125),
    ... ).tolist()
    [[0.5]]
    """
    x, labels, batches = to_float(x), jnp.asarray(labels), jnp.asarray(batches)
    if len(x) != len(labels):
        raise InputError(f"{len(x)} inputs and {len(labels)} labels; expected one label per input")
    if batches.ndim != 2 or not jnp.issubdtype(batches.dtype, jnp.integer):
        raise InputError(
            f"batches: {batches.dtype} of shape {batches.shape}; expected integers [T, B], the "
            "examples of each step"
        )
    if every < 1 or len(batches) % every:
        raise InputError(
            f"every: {every} with {len(batches)} batches; expected a number that divides theirs"
        )
    batches = batches.reshape(-1, every, batches.shape[1])

    def losses(x: jax.Array) -> jax.Array:
        def step(carry, batch):
            params, opt_state = carry
            gradient = jax.grad(lambda params: jnp.mean(loss(params, *batch)))(params)
            updates, opt_state = optimizer.update(gradient, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), None

        def steps(carry, batches):
            carry, _ = lax.scan(jax.checkpoint(step, prevent_cse=False), carry, batches)
            return carry, jnp.mean(loss(carry[0], x, labels))

        start = params, optimizer.init(params)
        return lax.scan(steps, start, (x[batches], labels[batches]))[1]

    values, pull_back = jax.vjp(losses, x)

    def sizes(cotangent: jax.Array) -> jax.Array:
        (gradient,) = pull_back(cotangent)
        return jnp.sum(jnp.abs(gradient), range(1, gradient.ndim))

    return lax.map(sizes, jnp.eye(len(values), dtype=values.dtype))


def gini_coefficient(values: jax.Array) -> jax.Array:
    r"""How unequally a sum is shared: 0 for equal shares, towards 1 where one has all.

    .. math:: G = \frac{\sum_i \sum_j |v_i - v_j|}{2 n \sum_i v_i}
       = \frac{\sum_i (2 i - n - 1)\, v_{(i)}}{n \sum_i v_i}

    with ``v_(i)`` in ascending order. It does not depend on the scale of the values. The largest
    possible is ``1 - 1/n``.

    Args:
      values: ``[..., n]``, not negative.

    Returns:
      ``[...]``; NaN where a value is negative or all are 0.

    Raises:
      InputError: if there are no values.

    Reference:
      Gini 1912; of loss sensitivities, Arpit et al. 2017, section 3.2.

    >>> gini_coefficient(jnp.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 3.0]])).tolist()
    [0.0, 0.75]
    """
    values = to_float(values)
    if values.ndim < 1 or not values.shape[-1]:
        raise InputError(f"values of shape {values.shape}; expected [..., n] with n at least 1")
    n = values.shape[-1]
    ordered = jnp.sort(values, -1)
    weights = jnp.arange(1 - n, n, 2, dtype=values.dtype)
    shares = jnp.sum(weights * ordered, -1) / (n * jnp.sum(ordered, -1))
    return jnp.where(ordered[..., 0] < 0, jnp.nan, shares)
