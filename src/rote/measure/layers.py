"""What goes on inside a net: the outputs of its layers, dead units, saturation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal, Var, jaxpr_as_fun

from rote.core import InputError, Key, Model, Params, State
from rote.summary import scopes_of, tree_depth


def layer_outputs(
    model: Model,
    params: Params,
    state: State,
    x: jax.Array,
    *,
    train: bool = False,
    key: Key | None = None,
) -> dict[str, jax.Array]:
    """What every layer of a net puts out, under its path in the parameters' tree.

    The net is traced, and run with more outputs. A layer is found by the ``jax.named_scope`` it
    runs in, as ``rote.summary`` finds it: its output is the last floating-point value of the scope
    that something outside it uses. A layer that does nothing (dropout in eval mode) has no entry; a
    model without scopes has one, ``""``, its output. What is computed within a ``jax.jit`` or
    ``jax.lax.scan`` of the model's own cannot be seen.

    May be jitted, mapped and differentiated, as ``model.apply`` may; dicts that leave a
    transformation are sorted by path.

    Args:
      model: any model.
      params: its parameters.
      state: its state.
      x: the input, as ``model.apply`` takes it.
      train: as ``model.apply`` takes it.
      key: as ``model.apply`` takes it.

    Returns:
      ``{path: output}``, in the order in which they are computed; the paths are those that
      ``rote.summary`` shows.

    >>> from rote.combinators import serial
    >>> from rote.layers import activation, dense
    >>> net = serial(hidden=dense(4), relu=activation(jax.nn.relu), head=dense(2))
    >>> x = jnp.ones((3, 5))
    >>> params, state = net.init(jax.random.key(0), x)
    >>> {path: y.shape for path, y in layer_outputs(net, params, state, x).items()}
    {'hidden': (3, 4), 'relu': (3, 4), 'head': (3, 2)}
    """

    def apply(params: Params, state: State, x: jax.Array) -> jax.Array:
        return model.apply(params, state, x, train=train, key=key)[0]

    closed = jax.make_jaxpr(apply)(params, state, x)
    jaxpr = closed.jaxpr
    scope_of: dict[Var, tuple[str, ...]] = {}
    leaves: dict[tuple[str, ...], Var] = {}

    def use(var: Any, scope: tuple[str, ...] | None) -> None:
        if isinstance(var, Literal) or scope_of.get(var, scope) == scope:
            return
        if jnp.issubdtype(var.aval.dtype, jnp.inexact):  # not the keys of random layers
            leaves[scope_of[var]] = var

    for eqn in jaxpr.eqns:
        scope = scopes_of(eqn)
        for var in eqn.invars:
            use(var, scope)
        scope_of |= dict.fromkeys(eqn.outvars, scope)
    for var in jaxpr.outvars:
        use(var, None)
    order = {var: number for number, var in enumerate(scope_of)}
    named = {
        "/".join(scope[: tree_depth(params, scope)]): var
        for scope, var in sorted(leaves.items(), key=lambda item: order[item[1]])
    }
    wanted = ClosedJaxpr(jaxpr.replace(outvars=list(named.values())), closed.consts)
    values = jaxpr_as_fun(wanted)(*jax.tree.leaves((params, state, x)))
    return dict(zip(named, values, strict=True))


def dead_units(outputs: jax.Array) -> jax.Array:
    """The share of units whose output is the same whatever the input.

    After a ReLU these are the units that are off for every example; the definition asks for no
    particular activation. A unit is a channel; it is dead where no place of it tells any two
    examples apart, though places may differ from one another, as they do at a zero-padded border.

    Args:
      outputs: ``[B, ..., C]``, of one layer, for examples that differ.

    Returns:
      A scalar in [0, 1]. A unit that puts out NaN for every example is dead.

    Raises:
      InputError: for fewer than two examples, where nothing can differ.

    >>> float(dead_units(jnp.array([[0.0, 1.0], [0.0, 2.0]])))
    0.5
    """
    if outputs.ndim < 2 or len(outputs) < 2:
        raise InputError(
            f"dead_units: outputs of shape {outputs.shape}; expected [B, ..., C] with at least two "
            "examples, because a dead unit is one that does not tell them apart"
        )
    differs = jnp.max(outputs, 0) > jnp.min(outputs, 0)
    return 1 - jnp.mean(jnp.any(differs, tuple(range(differs.ndim - 1))))


def saturation(
    function: Callable[[jax.Array], jax.Array], inputs: jax.Array, *, share: float = 0.01
) -> jax.Array:
    """The share of inputs at which an activation hardly has a slope.

    Counted are the inputs with ``|f'(x)| < share * sup |f'|`` or ``f'(x) = 0``; the sup is taken
    over a grid from -10 to 10. For ReLU these are the inputs that it blocks; for a threshold, all.

    Args:
      function: an activation, element by element, such as ``jax.nn.sigmoid``.
      inputs: what it is applied to, of any shape.
      share: of the largest slope, in (0, 1].

    Returns:
      A scalar in [0, 1]; NaN where a slope is.

    Raises:
      InputError: if the inputs are not floating-point numbers, there are none, or ``share`` is not
        such a number.

    Reference:
      LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.4; Glorot and Bengio 2010.

    >>> float(saturation(jnp.tanh, jnp.array([0.0, -9.0, 9.0, 1.0])))
    0.5
    """
    if not 0 < share <= 1:
        raise InputError(f"share: {share}; expected a number in (0, 1]")
    if not jnp.issubdtype(inputs.dtype, jnp.floating) or not inputs.size:
        raise InputError(
            f"inputs: {inputs.dtype}, shape {inputs.shape}; expected floating-point numbers"
        )

    def slope(x: jax.Array) -> jax.Array:
        return jnp.abs(jax.vmap(jax.grad(function))(jnp.ravel(x)))

    largest = jnp.max(slope(jnp.linspace(-10, 10, 2001, dtype=inputs.dtype)))
    found = slope(inputs)
    flat = (found < share * largest) | (found == 0)
    return jnp.mean(jnp.where(jnp.isnan(found), jnp.nan, flat.astype(jnp.float32)))
