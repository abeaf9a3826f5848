"""What the mini-batches and the step length of SGD add to the loss that it descends."""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax

from rote.core import Batch, InputError, Key, Params

BatchLoss = Callable[[Params, Batch], jax.Array]
"""``(params, batch) -> scalar``, the mean over the batch; what else is random is fixed in it."""


def squared_gradient_norm(loss: BatchLoss, params: Params, batches: Batch) -> jax.Array:
    r"""The mean over mini-batches of the squared norm of their gradients.

    .. math:: \frac1m \sum_k |\nabla \hat C_k(w)|^2

    Args:
      loss: the loss of a mini-batch.
      params: the point, a tree of arrays.
      batches: the ``m`` mini-batches, every array ``[m, B, ...]``. They are taken one after
        another, in the memory of one.

    Returns:
      A scalar; differentiable.

    >>> line = lambda w, batch: (w * batch.images).mean()
    >>> batches = Batch(jnp.array([[1.0, 3.0], [0.0, 0.0]]), jnp.zeros((2, 2), int))
    >>> float(squared_gradient_norm(line, jnp.array(5.0), batches))
    2.0
    """

    def squared(batch: Batch) -> jax.Array:
        return optax.tree.norm(jax.grad(loss)(params, batch), squared=True)

    return jnp.mean(lax.map(squared, batches))


def modified_loss(
    loss: BatchLoss, params: Params, batches: Batch, learning_rate: float | jax.Array
) -> jax.Array:
    r"""The loss whose gradient flow the mean iterate of randomly shuffled SGD follows.

    .. math:: \tilde C(w) = C(w) + \frac{\epsilon}{4 m} \sum_k |\nabla \hat C_k(w)|^2, \quad
       C = \frac1m \sum_k \hat C_k

    After one epoch, which takes the flow the time ``m epsilon``, the two are apart by
    ``O(epsilon^3)``; the flow on ``C`` itself by ``O(epsilon^2)``.

    Args:
      loss: the loss of a mini-batch.
      params: the point, a tree of arrays.
      batches: the ``m`` mini-batches of an epoch, every array ``[m, B, ...]``.
      learning_rate: ``epsilon``; 0 gives ``C``.

    Reference:
      Smith, Dherin, Barrett and De 2021, On the origin of implicit regularization in stochastic
      gradient descent, section 2.
    """
    mean = jnp.mean(lax.map(lambda batch: loss(params, batch), batches))
    return mean + learning_rate / 4 * squared_gradient_norm(loss, params, batches)


def gradient_flow(
    loss: Callable[[Params], jax.Array],
    params: Params,
    time: jax.typing.ArrayLike,
    *,
    steps: int = 100,
) -> Params:
    r"""Where gradient flow, :math:`\dot w = -\nabla L(w)`, is after a time.

    Integrated by the classical Runge-Kutta method of fourth order, in steps of equal length; the
    error goes with the fourth power of their length, so twice the steps tell how large it is.

    Args:
      loss: from parameters to a scalar.
      params: where it starts, a tree of floating-point arrays.
      time: how long it flows.
      steps: how many steps.

    Returns:
      A tree like ``params``.

    Raises:
      InputError: if there is no step.

    On ``w^2 / 2`` it is an exponential:

    >>> float(gradient_flow(lambda w: w**2 / 2, jnp.array(1.0), jnp.log(2.0)).round(5))
    0.5
    """
    if steps < 1:
        raise InputError(f"gradient_flow: {steps} steps; expected at least 1")
    slope = jax.grad(loss)
    length = jnp.asarray(time, jnp.result_type(float)) / steps

    where, weights = jnp.array([0.0, 0.5, 0.5, 1.0]), jnp.array([1.0, 2.0, 2.0, 1.0]) / 6

    def moved(params: Params, way: jax.Array, gradient: Params) -> Params:
        return jax.tree.map(lambda w, g: w - way.astype(w.dtype) * g, params, gradient)

    def step(_: jax.Array, params: Params) -> Params:
        def stage(carry: tuple[Params, Params], at: tuple[jax.Array, jax.Array]):
            gradient, mean = carry
            gradient = slope(moved(params, at[0] * length, gradient))
            return (gradient, moved(mean, -at[1], gradient)), None

        zeros = jax.tree.map(jnp.zeros_like, params)
        (_, mean), _ = lax.scan(stage, (zeros, zeros), (where, weights))
        return moved(params, length, mean)

    return lax.fori_loop(0, steps, step, params)


def sgd_over_orders(
    loss: BatchLoss,
    params: Params,
    batches: Batch,
    learning_rate: jax.typing.ArrayLike,
    *,
    key: Key,
    epochs: int = 1,
    sets: int = 1,
) -> Params:
    r"""Where SGD ends, by all orders of the mini-batches in an epoch.

    .. math:: w \leftarrow w - \epsilon \nabla \hat C_{\sigma(j)}(w), \quad j = 1 \ldots m

    A set has ``m!`` trainings from one start. In each epoch every order ``sigma`` falls to one of
    them, at random: so each training has orders that are uniform and independent between epochs,
    and the mean over a set is without bias that over all ``(m!)^epochs`` sequences of orders. After
    one epoch it is that mean exactly, and ``key`` has no part in it; after more, what is left of
    chance is of the third order in the learning rate, and the sets show it.

    Args:
      loss: the loss of a mini-batch.
      params: the start, a tree of floating-point arrays.
      batches: the ``m`` mini-batches of an epoch, every array ``[m, B, ...]``; at most 6, which
        have 720 orders.
      learning_rate: ``epsilon``.
      key: of which training has which order.
      epochs: how many.
      sets: how many sets of ``m!`` trainings.

    Returns:
      A tree like ``params``, each array with ``[sets, m!]`` in front; after one epoch the orders
      are those of ``itertools.permutations(range(m))``, in other places in each set.

    Raises:
      InputError: if there are too many mini-batches, or nothing to do.

    Reference:
      Smith, Dherin, Barrett and De 2021, section 2: the mean over shuffles.
    """
    count = len(batches.labels)
    if not 1 <= count <= 6:
        raise InputError(f"sgd_over_orders: {count} mini-batches; expected 1 to 6")
    for name, value in (("epochs", epochs), ("sets", sets)):
        if value < 1:
            raise InputError(f"sgd_over_orders: {value} {name}; expected at least 1")
    orders = jnp.array(list(itertools.permutations(range(count))))
    gradient = jax.grad(loss)

    def epoch(params: Params, order: jax.Array) -> Params:
        def step(params: Params, number: jax.Array) -> tuple[Params, None]:
            batch = jax.tree.map(lambda array: array[number], batches)
            return jax.tree.map(
                lambda w, g: w - jnp.asarray(learning_rate, w.dtype) * g,
                params,
                gradient(params, batch),
            ), None

        return lax.scan(step, params, order)[0]

    def train(key: Key) -> Params:
        def all_orders(number: jax.Array, many: Params) -> Params:
            return jax.vmap(epoch)(
                many, jax.random.permutation(jax.random.fold_in(key, number), orders)
            )

        many = jax.tree.map(lambda w: jnp.broadcast_to(w, (len(orders), *w.shape)), params)
        return lax.fori_loop(0, epochs, all_orders, many)

    return lax.map(train, jax.random.split(key, sets))
