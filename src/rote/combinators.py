"""Ways to make one model of several: in sequence, side by side, around a shortcut."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from rote.core import InputError, Key, Model, Params, State
from rote.layers import identity


def serial(*models: Model, **named: Model) -> Model:
    """Applies models one after another.

    Children are positional, with zero-padded indices as keys of the trees, or named; names make
    checkpoints readable: ``serial(conv1=conv(16), act=activation(jax.nn.relu))``.

    Args:
      *models: the models in order, or
      **named: the models in order, by name.

    Raises:
      InputError: if positional and named models are mixed.
    """
    children = _children("serial", models, named)

    def init(key, example):
        params, state = {}, {}
        x = jax.ShapeDtypeStruct(example.shape, example.dtype)
        for (name, child), child_key in zip(
            children.items(), jax.random.split(key, len(children)), strict=True
        ):
            params[name], state[name] = child.init(child_key, x)
            x = _output(child, params[name], state[name], x)
        return params, state

    def apply(params, state, x, *, train, key=None):
        new_state = {}
        for index, (name, child) in enumerate(children.items()):
            with jax.named_scope(name):
                x, new_state[name] = child.apply(
                    params[name], state[name], x, train=train, key=_fold(key, index)
                )
        return x, new_state

    return Model(init, apply)


def concat(*models: Model, **named: Model) -> Model:
    """Applies every model to the same input and joins the outputs along the last axis.

    Children are keyed as in ``serial``.
    """
    children = _children("concat", models, named)
    init = _init_all(children)

    def apply(params, state, x, *, train, key=None):
        outputs, state = _apply_all(children, params, state, x, train, key)
        with jax.named_scope("concat"):
            return jnp.concatenate(outputs, -1), state

    return Model(init, apply)


def residual(body: Model, shortcut: Model | None = None) -> Model:
    """The sum ``body(x) + shortcut(x)``.

    Args:
      body: the residual function.
      shortcut: by default the identity.

    Raises:
      InputError: when called, if the two outputs differ in shape.

    Reference:
      He et al. 2015 (arXiv 1512.03385), eq. 1 and 2.
    """
    children = {"body": body, "shortcut": identity() if shortcut is None else shortcut}

    def apply(params, state, x, *, train, key=None):
        (y, z), state = _apply_all(children, params, state, x, train, key)
        if y.shape != z.shape:
            raise InputError(
                f"residual: the body gives shape {y.shape}, the shortcut {z.shape}; "
                "give a shortcut that projects to the body's shape"
            )
        with jax.named_scope("residual"):
            return y + z, state

    return Model(_init_all(children), apply)


def _children(kind: str, models: Sequence[Model], named: dict[str, Model]) -> dict[str, Model]:
    if models and named:
        raise InputError(
            f"{kind}: {len(models)} positional and {len(named)} named models; "
            "name all of them or none"
        )
    digits = len(str(len(models) - 1))
    return named or {f"{i:0{digits}d}": model for i, model in enumerate(models)}


def _init_all(children: dict[str, Model]):
    def init(key: Key, example: Any) -> tuple[Params, State]:
        pairs = {
            name: child.init(child_key, example)
            for (name, child), child_key in zip(
                children.items(), jax.random.split(key, len(children)), strict=True
            )
        }
        return {n: p for n, (p, _) in pairs.items()}, {n: s for n, (_, s) in pairs.items()}

    return init


def _apply_all(children, params, state, x, train, key):
    outputs, new_state = [], {}
    for index, (name, child) in enumerate(children.items()):
        with jax.named_scope(name):
            y, new_state[name] = child.apply(
                params[name], state[name], x, train=train, key=_fold(key, index)
            )
        outputs.append(y)
    return outputs, new_state


def _output(model: Model, params: Params, state: State, x: Any) -> jax.ShapeDtypeStruct:
    return jax.eval_shape(functools.partial(model.apply, train=False), params, state, x)[0]


def _fold(key: Key | None, index: int) -> Key | None:
    return None if key is None else jax.random.fold_in(key, index)
