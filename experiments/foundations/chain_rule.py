"""The chain rule on a directed graph: local derivatives, every path, and what autodiff does.

Claim: the derivative of the output with respect to an input is the sum, over all paths from the one
to the other, of the products of the local derivatives along the path; going through the nodes once,
in the reverse of the order in which they depend on one another, gives the same without listing the
paths, whose number can grow exponentially; and that is what jax.vjp computes.

Source: Rumelhart, Hinton and Williams 1986; Griewank and Walther, Evaluating Derivatives, 2008,
section 3.2 (the reverse mode); Nielsen, Neural Networks and Deep Learning, 2015, chapter 2.

Expected: three equal numbers per input, to rounding; 0 for an input that the output does not
depend on. On the ladder of n rungs, where two edges lead from every node to the next (x_{i+1} =
x_i + x_i), the paths are 2^n: they are listed for small n, by what lists those of the graph. The
reverse pass goes over the 2n edges once.

Command: python experiments/foundations/chain_rule.py --preset smoke
         ... --inputs a=2 b=-1 --graph "c = a * b" "d = sin(c)" for a graph of your own
  smoke  the graph below; seconds

A line of the graph is one node and one operation: an operator of two nodes (+ - * / **), or a
function of one (sin, cos, exp, log, tanh, sigmoid, square); the last line is the output. A number
is an input, too: two=2, and then "c = two * a". An operand that is there twice has two edges; the
figure shows them as one, with their sum.
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
    return (1 + math.tanh(x / 2)) / 2  # exp(-x) would overflow


def _slope_of_exponent(x: float, y: float) -> float:
    return 0.0 if x == 0 < y else x**y * math.log(x)


OPERATORS: dict[type[ast.operator], Operation] = {
    ast.Add: Operation(lambda x, y: x + y, (lambda x, y: 1.0, lambda x, y: 1.0)),
    ast.Sub: Operation(lambda x, y: x - y, (lambda x, y: 1.0, lambda x, y: -1.0)),
    ast.Mult: Operation(lambda x, y: x * y, (lambda x, y: y, lambda x, y: x)),
    ast.Div: Operation(lambda x, y: x / y, (lambda x, y: 1 / y, lambda x, y: -x / y**2)),
    ast.Pow: Operation(lambda x, y: x**y, (lambda x, y: y * x ** (y - 1), _slope_of_exponent)),
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


class Edge(NamedTuple):
    """From an operand to a node; there are two where the operand is there twice.

    Attributes:
      operand: where it begins.
      node: where it ends.
      derivative: of the node with respect to this operand alone.
    """

    operand: str
    node: str
    derivative: float


COUNTED = 10
"""Rungs up to which all paths of the ladder are listed."""


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
    """Of the ladder, whose paths double with every rung."""

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
    by_reverse = reverse(list(values), edges)
    by_jax = vjp(nodes, inputs)
    table: list[dict[str, Any]] = []
    for name in inputs:
        found = paths(edges, name, output)
        table.append(
            {
                "input": name,
                "paths": len(found),
                "sum over paths": math.fsum(product(path) for path in found),
                "reverse pass": by_reverse[name],
                "jax.vjp": by_jax[name],
            }
        )
    counts = [len(paths(ladder(n), "x0", f"x{n}")) for n in range(1, COUNTED + 1)]
    rungs = ladder(config.rungs)
    slope = reverse([f"x{i}" for i in range(config.rungs + 1)], rungs)["x0"]
    figure = viz.computation_graph(
        values, edges, by_reverse, title=f"Derivatives of {output}, backwards through the graph"
    )
    out.save_figure("graph", figure)
    largest = max(
        abs(row[way] - row["jax.vjp"])
        for row in table
        for way in ("sum over paths", "reverse pass")
    )
    lines = [
        {"edge": f"{edge.operand} -> {edge.node}", "local derivative": edge.derivative}
        for edge in edges
    ]
    text = (
        f"{tables.format_table(lines)}\n\n{tables.format_table(table)}\n\n"
        f"largest difference to jax.vjp: {largest:.1e}\n"
        f"paths of a ladder of 1 to {COUNTED} rungs, listed: {' '.join(map(str, counts))}\n"
        f"the derivative of one of {config.rungs} rungs, by one pass over its {len(rungs)} edges: "
        f"{slope:,.0f}; as every path's product is 1, that is the number of its paths, "
        f"2^{config.rungs}"
    )
    out.finish(text, table=table, summary=lines, counts=counts, difference=largest)


def read_inputs(given: Sequence[str]) -> dict[str, float]:
    """``("x=0.5",)`` as ``{"x": 0.5}``.

    Raises:
      InputError: if a text has another form, or a name is there twice.
    """
    inputs: dict[str, float] = {}
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        wrong = InputError(f"inputs: {text!r}; expected NAME=NUMBER, such as x=0.5")
        try:
            number = float(value)
        except ValueError:
            raise wrong from None
        if not (name.isidentifier() and math.isfinite(number)):
            raise wrong
        if name in inputs:
            raise InputError(f"inputs: {text!r} gives {name!r} again; give it one value")
        inputs[name] = number
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
        f"'d = sin(c)'; a number is an input, such as two=2; functions: {', '.join(FUNCTIONS)}"
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


def local_derivatives(nodes: Sequence[Node], values: dict[str, float]) -> list[Edge]:
    """The edges of the graph, in the order of the nodes that they lead to.

    An operand that is there twice has two: ``x * x`` has an edge ``x`` and another one ``x``.

    Raises:
      InputError: if a derivative is not there or not finite, such as that of ``x ** y`` with
        respect to ``y`` at a negative ``x``.
    """
    edges = []
    for node in nodes:
        at = [values[name] for name in node.operands]
        for name, derivative in zip(node.operands, node.operation.derivatives, strict=True):
            try:
                slope = derivative(*at)
            except (ValueError, ArithmeticError):
                slope = math.nan
            if not math.isfinite(slope):
                raise InputError(
                    f"graph: {node.name} has no finite derivative with respect to {name} at these "
                    "inputs; give others"
                )
            edges.append(Edge(name, node.name, slope))
    return edges


def ladder(rungs: int) -> list[Edge]:
    """The edges of ``x1 = x0 + x0``, ``x2 = x1 + x1`` and so on, at ``x0 = 1``."""
    nodes = [Node(f"x{i + 1}", OPERATORS[ast.Add], (f"x{i}", f"x{i}")) for i in range(rungs)]
    return local_derivatives(nodes, forward(nodes, {"x0": 1.0}))


def paths(edges: Sequence[Edge], start: str, end: str) -> list[list[Edge]]:
    """Every path from a node to another, as its edges."""
    if start == end:
        return [[]]
    return [
        [edge, *rest]
        for edge in edges
        if edge.operand == start
        for rest in paths(edges, edge.node, end)
    ]


def product(path: Sequence[Edge]) -> float:
    """Of the local derivatives along a path."""
    return math.prod(edge.derivative for edge in path)


def reverse(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, float]:
    """The derivative of the last node with respect to every one, in one pass backwards.

    Args:
      names: of all nodes, inputs first.
      edges: in the order of the nodes that they lead to.
    """
    adjoint = dict.fromkeys(names, 0.0)
    adjoint[names[-1]] = 1.0
    for edge in reversed(edges):
        adjoint[edge.operand] += adjoint[edge.node] * edge.derivative
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
