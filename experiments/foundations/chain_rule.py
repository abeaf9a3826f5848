"""The chain rule on a directed graph: local derivatives, every path, and what autodiff does.

Claim: the derivative of the output with respect to an input is the sum, over all paths from the one
to the other, of the products of the local derivatives along the path; going through the nodes once,
in the reverse of the order in which they depend on one another, gives the same without listing the
paths, whose number can grow exponentially; and that is what jax.vjp computes.

Source: Rumelhart, Hinton and Williams 1986; Griewank and Walther, Evaluating Derivatives, 2008,
section 3.2 (the reverse mode); Nielsen, Neural Networks and Deep Learning, 2015, chapter 2.

Expected: three equal numbers per input, to rounding. On the ladder of n rungs, where every node
doubles the ways (x_{i+1} = x_i + x_i), the paths are 2^n and the reverse pass has n steps.

Command: python experiments/foundations/chain_rule.py --preset smoke
         ... --inputs a=2 b=-1 --graph "c = a * b" "d = sin(c)" for a graph of your own
  smoke  the graph below; seconds

A line of the graph is one node and one operation: an operator of two nodes (+ - * / **), or a
function of one (sin, cos, exp, log, tanh, sigmoid, square); the last line is the output.
"""

import ast
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rote import cli, tables, viz
from rote.core import InputError, unknown_name
from rote.studies.config import check_list, check_positive


class Operation(NamedTuple):
    """What a node computes, and its derivative with respect to each operand, by hand."""

    value: Callable[..., Any]
    derivatives: tuple[Callable[..., float], ...]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


OPERATORS: dict[type[ast.operator], Operation] = {
    ast.Add: Operation(lambda x, y: x + y, (lambda x, y: 1.0, lambda x, y: 1.0)),
    ast.Sub: Operation(lambda x, y: x - y, (lambda x, y: 1.0, lambda x, y: -1.0)),
    ast.Mult: Operation(lambda x, y: x * y, (lambda x, y: y, lambda x, y: x)),
    ast.Div: Operation(lambda x, y: x / y, (lambda x, y: 1 / y, lambda x, y: -x / y**2)),
    ast.Pow: Operation(
        lambda x, y: x**y, (lambda x, y: y * x ** (y - 1), lambda x, y: x**y * math.log(x))
    ),
}
FUNCTIONS = {
    "sin": Operation(jnp.sin, (math.cos,)),
    "cos": Operation(jnp.cos, (lambda x: -math.sin(x),)),
    "exp": Operation(jnp.exp, (math.exp,)),
    "log": Operation(jnp.log, (lambda x: 1 / x,)),
    "tanh": Operation(jnp.tanh, (lambda x: 1 - math.tanh(x) ** 2,)),
    "sigmoid": Operation(jax.nn.sigmoid, (lambda x: _sigmoid(x) * (1 - _sigmoid(x)),)),
    "square": Operation(jnp.square, (lambda x: 2 * x,)),
}


class Node(NamedTuple):
    """A line of the graph.

    Attributes:
      name: of the node.
      operation: what it computes.
      operands: of which nodes, in their order.
    """

    name: str
    operation: Operation
    operands: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Config:
    """The graph."""

    inputs: tuple[str, ...] = ("x=0.5", "y=2", "w=-1.5")
    """Values of the inputs."""
    graph: tuple[str, ...] = (
        "p = x * y",
        "q = y + w",
        "r = sin(p)",
        "s = p * q",
        "t = tanh(s)",
        "u = r + t",
        "v = u * q",
        "f = square(v)",
    )
    """Lines of the graph, each after the nodes that it needs."""
    rungs: int = 16
    """Of the ladder, on which paths are counted."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_list("graph", self.graph)
        check_list("inputs", self.inputs)
        check_positive("rungs", self.rungs)


PRESETS = {"smoke": Config()}


def run(config: Config, out: cli.Job) -> None:
    """Differentiates the graph in three ways; leaves a table and a picture."""
    inputs = read_inputs(config.inputs)
    nodes = parse(config.graph, inputs)
    values = forward(nodes, inputs)
    edges = local_derivatives(nodes, values)
    output = nodes[-1].name
    by_reverse = reverse(nodes, edges)
    by_jax = vjp(nodes, inputs)
    table: list[dict[str, Any]] = []
    for name in inputs:
        found = paths(edges, name, output)
        table.append(
            {
                "input": name,
                "paths": len(found),
                "sum over paths": sum(math.prod(edges[edge] for edge in path) for path in found),
                "reverse pass": by_reverse[name],
                "jax.vjp": by_jax[name],
            }
        )
    ladder = [
        Node(f"x{i + 1}", OPERATORS[ast.Add], (f"x{i}", f"x{i}")) for i in range(config.rungs)
    ]
    slope = reverse(ladder, local_derivatives(ladder, forward(ladder, {"x0": 1.0})))["x0"]
    out.save_figure(
        "graph",
        viz.computation_graph(
            values,
            [(child, name, slope) for (child, name), slope in edges.items()],
            {name: by_reverse[name] for name in values},
            title=f"Derivatives of {output}, backwards through the graph",
        ),
    )
    largest = max(
        abs(row[way] - row["jax.vjp"])
        for row in table
        for way in ("sum over paths", "reverse pass")
    )
    lines = [
        {"edge": f"{child} -> {name}", "local derivative": value}
        for (child, name), value in edges.items()
    ]
    text = (
        f"{tables.format_table(lines)}\n\n{tables.format_table(table)}\n\n"
        f"largest difference to jax.vjp: {largest:.1e}\n"
        f"a ladder of {config.rungs} rungs has {2**config.rungs:,} paths; its derivative, by "
        f"{config.rungs} steps of the reverse pass, is {slope:,.0f}"
    )
    out.finish(text, table=table, summary=lines, difference=largest)


def read_inputs(given: Sequence[str]) -> dict[str, float]:
    """``("x=0.5",)`` as ``{"x": 0.5}``.

    Raises:
      InputError: if a text has another form.
    """
    inputs = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            inputs[name.strip()] = float(value)
        except ValueError:
            raise InputError(f"inputs: {text!r}; expected NAME=NUMBER, such as x=0.5") from None
    return inputs


def parse(lines: Sequence[str], inputs: dict[str, float]) -> list[Node]:
    """The nodes of a graph, in the order of its lines.

    Raises:
      InputError: if a line is no node, or needs one that is not there before it.
    """
    known, nodes = set(inputs), []
    for line in lines:
        node = _node(line)
        for name in node.operands:
            if name not in known:
                raise unknown_name(f"node in {line!r}:", name, known)
        if node.name in known:
            raise InputError(f"graph: {line!r} names {node.name!r} again; give it another name")
        known.add(node.name)
        nodes.append(node)
    return nodes


def _node(line: str) -> Node:
    wrong = InputError(
        f"graph: {line!r}; expected one operation of named nodes, such as 'c = a * b' or "
        f"'d = sin(c)'; functions: {', '.join(FUNCTIONS)}"
    )
    try:
        (statement,) = ast.parse(line).body
    except (SyntaxError, ValueError):
        raise wrong from None
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.BinOp(left=ast.Name(id=one), op=operator, right=ast.Name(id=other)),
        ) if type(operator) in OPERATORS:
            return Node(name, OPERATORS[type(operator)], (one, other))
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id=function), args=[ast.Name(id=one)], keywords=[]),
        ) if function in FUNCTIONS:
            return Node(name, FUNCTIONS[function], (one,))
    raise wrong


def forward(nodes: Sequence[Node], inputs: dict[str, float]) -> dict[str, float]:
    """The value of every node, inputs first.

    Raises:
      InputError: if a value is not finite, such as a division by 0.
    """
    values = dict(inputs)
    for node in nodes:
        value = float(node.operation.value(*(jnp.asarray(values[name]) for name in node.operands)))
        if not math.isfinite(value):
            raise InputError(f"graph: {node.name} is {value} at these inputs; give others")
        values[node.name] = value
    return values


def local_derivatives(
    nodes: Sequence[Node], values: dict[str, float]
) -> dict[tuple[str, str], float]:
    """By edge ``(operand, node)``, the derivative of the node with respect to the operand alone.

    An operand that is there twice counts twice: ``x * x`` has the derivative ``x + x``.
    """
    edges: dict[tuple[str, str], float] = {}
    for node in nodes:
        at = [values[name] for name in node.operands]
        for name, derivative in zip(node.operands, node.operation.derivatives, strict=True):
            edges[name, node.name] = edges.get((name, node.name), 0.0) + derivative(*at)
    return edges


def paths(edges: dict[tuple[str, str], float], start: str, end: str) -> list[list[tuple[str, str]]]:
    """Every path from a node to another, as its edges."""
    if start == end:
        return [[]]
    return [
        [(start, after), *rest]
        for before, after in edges
        if before == start
        for rest in paths(edges, after, end)
    ]


def reverse(nodes: Sequence[Node], edges: dict[tuple[str, str], float]) -> dict[str, float]:
    """The derivative of the last node with respect to every node, in one pass backwards."""
    names = list(dict.fromkeys([*(before for before, _ in edges), *(node.name for node in nodes)]))
    adjoint = dict.fromkeys(names, 0.0)
    adjoint[nodes[-1].name] = 1.0
    for node in reversed(nodes):
        for name in dict.fromkeys(node.operands):
            adjoint[name] += adjoint[node.name] * edges[name, node.name]
    return adjoint


def vjp(nodes: Sequence[Node], inputs: dict[str, float]) -> dict[str, float]:
    """The same by ``jax.vjp``."""

    def output(inputs: dict[str, jax.Array]) -> jax.Array:
        values = dict(inputs)
        for node in nodes:
            values[node.name] = node.operation.value(*(values[name] for name in node.operands))
        return values[nodes[-1].name]

    _, back = jax.vjp(output, {name: jnp.asarray(value) for name, value in inputs.items()})
    (gradient,) = back(jnp.ones(()))
    return {name: float(value) for name, value in gradient.items()}


if __name__ == "__main__":
    cli.main(run, PRESETS)
