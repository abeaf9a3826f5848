"""The lesson on the chain rule: paths, the reverse pass, and what jax finds."""

import pytest


def test_three_ways_to_a_derivative_agree(run_lesson, tmp_path):
    done = run_lesson("chain_rule", out=tmp_path / "run")
    assert done.summary["difference"] < 1e-5
    assert [row["paths"] for row in done.summary["table"]] == [2, 4, 2]
    assert done.summary["counts"] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert "over its 32 edges: 65,536" in done.summary["text"]


def test_an_operand_that_is_there_twice_has_two_edges(run_lesson, tmp_path):
    flags = ("--inputs", "x0=1", "--graph", *(f"x{i + 1} = x{i} + x{i}" for i in range(3)))
    done = run_lesson("chain_rule", *flags, out=tmp_path / "run")
    (row,) = done.summary["table"]
    assert (row["paths"], row["sum over paths"], row["jax.vjp"]) == (8, 8, 8)
    assert len(done.summary["summary"]) == 6


def test_an_input_that_is_not_used_has_the_derivative_0(run_lesson, tmp_path):
    flags = ("--graph", "p = x * y", "q = sin(w)", "f = square(p)")
    done = run_lesson("chain_rule", *flags, out=tmp_path / "run")
    assert [row["paths"] for row in done.summary["table"]] == [1, 1, 0]
    for row in done.summary["table"]:
        assert row["sum over paths"] == row["reverse pass"] == pytest.approx(row["jax.vjp"])
    assert done.summary["table"][2]["jax.vjp"] == 0


def test_slopes_at_the_ends_of_the_line(experiment):
    module = experiment("foundations/chain_rule")

    def slopes(line, **inputs):
        nodes = module.parse([line], inputs)
        edges = module.local_derivatives(nodes, module.forward(nodes, inputs))
        assert {edge.operand: edge.derivative for edge in edges} == module.vjp(nodes, inputs)
        return [edge.derivative for edge in edges]

    assert slopes("z = sigmoid(x)", x=-800.0) == slopes("z = sigmoid(x)", x=800.0) == [0]
    assert slopes("z = x ** y", x=0.0, y=2.0) == [0, 0]


def test_every_operation_has_the_derivative_that_jax_finds(experiment):
    module = experiment("foundations/chain_rule")
    inputs = {"a": 1.3, "b": 0.7}
    lines = [f"o{i} = a {sign} b" for i, sign in enumerate(("+", "-", "*", "/", "**"))]
    lines += [f"{name}_ = {name}(a)" for name in module.FUNCTIONS]
    lines += ["twice = a * a"]
    for line in lines:
        nodes = module.parse([line], inputs)
        edges = module.local_derivatives(nodes, module.forward(nodes, inputs))
        expected = module.vjp(nodes, inputs)
        found = module.reverse([*inputs, nodes[0].name], edges)
        for name in inputs:
            assert found[name] == pytest.approx(expected[name], rel=1e-5)
    assert len(lines) == 13


def test_paths_are_summed_by_hand(experiment):
    module = experiment("foundations/chain_rule")
    inputs = {"x": 2.0}
    nodes = module.parse(["a = x * x", "b = square(a)", "c = a + b"], inputs)
    edges = module.local_derivatives(nodes, module.forward(nodes, inputs))
    assert edges == [("x", "a", 2), ("x", "a", 2), ("a", "b", 8), ("a", "c", 1), ("b", "c", 1)]
    found = module.paths(edges, "x", "c")
    assert sorted(map(module.product, found)) == [2, 2, 16, 16]
    assert module.reverse(["x", "a", "b", "c"], edges) == {"x": 36, "a": 9, "b": 1, "c": 1}
