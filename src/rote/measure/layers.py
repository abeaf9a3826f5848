"""What goes on inside a net: the outputs of its layers, the sizes of its arrays."""

import functools
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


def array_norms(tree: Any) -> dict[str, jax.Array]:
    """The Euclidean norm of every array of a tree: of parameters, a gradient or an update.

    Squares are summed in float32 or wider.

    Args:
      tree: any pytree of arrays.

    Returns:
      ``{path: norm}``, with paths such as ``"hidden1/dense/kernel"``.

    >>> norms = array_norms({"hidden": {"bias": jnp.array([3.0, 4.0])}})
    >>> {path: float(norm) for path, norm in norms.items()}
    {'hidden/bias': 5.0}
    """
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): _norm(leaf)
        for path, leaf in jax.tree.leaves_with_path(tree)
    }


def _norm(array: jax.Array) -> jax.Array:
    wide = array.dtype if jnp.finfo(array.dtype).bits > 32 else jnp.float32
    return jnp.linalg.norm(jnp.ravel(array).astype(wide))


def dead_units(outputs: jax.Array) -> jax.Array:
    """The share of units whose output is the same whatever the input.

    After a ReLU these are the units that are off for every example; the definition asks for no
    particular activation. A unit is a channel: its outputs are those of all examples and places.

    Args:
      outputs: ``[B, ..., C]``, of one layer, for examples that differ.

    Returns:
      A scalar in [0, 1].

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
    axes = tuple(range(outputs.ndim - 1))
    return jnp.mean(jnp.max(outputs, axes) == jnp.min(outputs, axes))


def saturation(
    function: Callable[[jax.Array], jax.Array], inputs: jax.Array, *, share: float = 0.01
) -> jax.Array:
    """The share of inputs at which an activation hardly has a slope.

    Counted are the inputs with ``|f'(x)| < share * sup |f'|``; the sup is taken over a grid from
    -10 to 10. For ReLU these are the inputs that it blocks.

    Args:
      function: an activation, element by element, such as ``jax.nn.sigmoid``.
      inputs: what it is applied to, of any shape.
      share: of the largest slope, in (0, 1].

    Returns:
      A scalar in [0, 1].

    Reference:
      LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.4; Glorot and Bengio 2010.

    >>> float(saturation(jnp.tanh, jnp.array([0.0, -9.0, 9.0, 1.0])))
    0.5
    """
    slope = functools.partial(_slopes, function)
    largest = jnp.max(slope(jnp.linspace(-10, 10, 2001, dtype=inputs.dtype)))
    return jnp.mean(slope(inputs) < share * largest)


def _slopes(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    return jnp.abs(jax.vmap(jax.grad(function))(jnp.ravel(x)))
