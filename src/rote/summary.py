"""The table of a model's layers: output shape, parameters, forward multiply-adds."""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

from rote.core import Model


class Row(NamedTuple):
    """One layer.

    Attributes:
      path: its place in the parameters' tree, such as ``"stage1/block1/relu"``.
      kind: the layer's name, such as ``"conv"``; empty where its author gave none.
      shape: of its output, for one example (no batch axis).
      params: number of parameters.
      multiply_adds: of one forward pass in eval mode, for one example.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    params: int
    multiply_adds: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """What ``summary`` returns; ``str`` and ``print`` give the table.

    Attributes:
      rows: the layers, in the order in which they are first run.
    """

    rows: tuple[Row, ...]

    @property
    def params(self) -> int:
        """Number of parameters."""
        return sum(row.params for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one forward pass in eval mode, for one example."""
        return sum(row.multiply_adds for row in self.rows)

    def __str__(self) -> str:
        header = ("layer", "kind", "output shape", "parameters", "multiply-adds")
        cells = [
            (path, kind, "x".join(map(str, shape)), f"{params:,}", f"{multiply_adds:,}")
            for path, kind, shape, params, multiply_adds in self.rows
        ]
        total = ("total", "", "", f"{self.params:,}", f"{self.multiply_adds:,}")
        widths = [max(map(len, column)) for column in zip(header, *cells, total, strict=True)]
        rule = tuple("-" * width for width in widths)
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in (header, rule, *cells, rule, total)
        )

    __repr__ = __str__


def summary(model: Model, example: Any) -> Summary:
    """Lists the layers of a model with their output shapes, parameters and multiply-adds.

    Nothing is computed or allocated: the model is traced in eval mode with a batch of one.
    Multiply-adds are those of matrix products and convolutions, as published counts have it (a
    multiply-add is often called one "FLOP" there, and two elsewhere). The body of a
    ``jax.lax.while_loop`` counts once, every branch of a ``jax.lax.cond`` counts. Layers that do
    nothing in eval mode (``dropout``, ``identity``) have no row.

    A layer is found by the ``jax.named_scope`` it runs in, which every layer and combinator of this
    package opens. A model written without scopes is one row.

    Args:
      model: any model.
      example: an input, or a ``jax.ShapeDtypeStruct``, with the batch axis in front.

    Returns:
      A table to print, whose ``rows``, ``params`` and ``multiply_adds`` can be read.

    >>> from rote.combinators import serial
    >>> from rote.layers import activation, dense
    >>> net = serial(hidden=dense(16), relu=activation(jax.nn.relu), head=dense(10))
    >>> summary(net, jax.ShapeDtypeStruct((1, 784), "float32"))
    layer   kind        output shape  parameters  multiply-adds
    ------  ----------  ------------  ----------  -------------
    hidden  dense       16                12,560         12,544
    relu    activation  16                     0              0
    head    dense       10                   170            160
    ------  ----------  ------------  ----------  -------------
    total                                 12,730         12,704
    """
    x = jax.ShapeDtypeStruct((1, *example.shape[1:]), example.dtype)
    params, state = jax.eval_shape(model.init, jax.random.key(0), x)
    jaxpr = jax.make_jaxpr(functools.partial(model.apply, train=False))(params, state, x)

    rows: dict[tuple[str, str], Row] = {}
    for scopes, times, eqn in _equations(jaxpr.jaxpr):
        depth = tree_depth(params, scopes)
        path, kind = "/".join(scopes[:depth]), "".join(scopes[depth : depth + 1])
        row = rows.get((path, kind), Row(path, kind, (), 0, 0))
        rows[path, kind] = row._replace(
            shape=eqn.outvars[0].aval.shape[1:],
            multiply_adds=row.multiply_adds + times * _multiply_adds(eqn),
        )
    for leaf_path, leaf in jax.tree.leaves_with_path(params):
        names = [jax.tree_util.keystr((entry,), simple=True) for entry in leaf_path]
        owners = [key for key in rows if _starts_with(names, key[0])]
        owner = max(owners, key=lambda key: len(key[0]), default=("/".join(names[:-1]), ""))
        row = rows.get(owner, Row(*owner, (), 0, 0))
        rows[owner] = row._replace(params=row.params + math.prod(leaf.shape))
    return Summary(tuple(rows.values()))


def _equations(
    jaxpr: Jaxpr, scopes: tuple[str, ...] = (), times: int = 1
) -> Iterator[tuple[tuple[str, ...], int, Any]]:
    """Each primitive equation: the names of the scopes it is in, how often it runs, itself."""
    for eqn in jaxpr.eqns:
        inner = (*scopes, *scopes_of(eqn))
        bodies = [
            leaf.jaxpr if isinstance(leaf, ClosedJaxpr) else leaf
            for leaf in jax.tree.leaves(list(eqn.params.values()))
            if isinstance(leaf, ClosedJaxpr | Jaxpr)
        ]
        for body in bodies:
            yield from _equations(body, inner, times * eqn.params.get("length", 1))
        if not bodies:
            yield inner, times, eqn


def scopes_of(eqn: Any) -> tuple[str, ...]:
    """The names of the scopes that an equation of a jaxpr was written in, from the outermost."""
    return tuple(filter(None, str(eqn.source_info.name_stack).split("/")))


def tree_depth(params: Any, scopes: tuple[str, ...]) -> int:
    """How many of the scopes lead down the parameters' tree; the next one is the layer's kind."""
    for depth, name in enumerate(scopes):
        if not (isinstance(params, dict) and isinstance(params.get(name), dict)):
            return depth
        params = params[name]
    return len(scopes)


def _starts_with(names: list[str], path: str) -> bool:
    return not path or "/".join(names).startswith(f"{path}/")


def _multiply_adds(eqn: Any) -> int:
    if eqn.primitive.name == "dot_general":
        (contracting, _), _ = eqn.params["dimension_numbers"]
        terms = math.prod(eqn.invars[0].aval.shape[axis] for axis in contracting)
    elif eqn.primitive.name == "conv_general_dilated":
        kernel = eqn.invars[1].aval.shape
        terms = math.prod(kernel) // kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
    elif eqn.primitive.name == "rote_convolution":
        terms = math.prod(eqn.invars[1].aval.shape[:-1])
    else:
        return 0
    return terms * math.prod(eqn.outvars[0].aval.shape)
