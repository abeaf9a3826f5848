"""All lessons: the page that shows them, and the input that they refuse."""

import pytest


def test_the_page_has_every_lesson_that_was_run(experiment, tmp_path, capfd):
    index = experiment("foundations/index")
    names = {path.stem for path in index.HERE.glob("*.py")} - {"index"}
    assert names == set(index.LESSONS)
    flags = ("--folder", str(tmp_path), "--lessons", "chain_rule", "--preset", "cpu")
    assert index.main(flags) == 0
    assert "== 1 of 1: chain_rule" in capfd.readouterr().out
    page = (tmp_path / "index.html").read_text()
    assert "chain_rule.py --preset smoke</code>" in page  # it has no other size
    assert "The chain rule on a directed graph" in page and "jax.vjp" in page
    assert '<img src="chain_rule/figures/graph.png"' in page
    (tmp_path / "chain_rule" / "config.json").write_text("{}")
    assert index.main(flags) == 2


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("line_fit", ("--num-points", "1"), "num_points: 1; a line needs at least 2"),
        ("line_fit", ("--noise", "-1"), "noise: -1.0; expected 0 or a positive"),
        ("neuron", ("--widths", "4", "4"), "widths: 4 4; expected one or more different"),
        ("neuron", ("--widths", "0"), "widths: 0; expected a positive number"),
        ("neuron", ("--depths", "1", "0"), "depths: 0; expected a positive number"),
        ("chain_rule", ("--inputs", "x"), "inputs: 'x'; expected NAME=NUMBER"),
        ("chain_rule", ("--inputs", "2x=1"), "inputs: '2x=1'; expected NAME=NUMBER"),
        ("chain_rule", ("--inputs", "x=nan"), "inputs: 'x=nan'; expected NAME=NUMBER"),
        ("chain_rule", ("--inputs", "x=1", "x=2"), "inputs: 'x=2' gives 'x' again"),
        ("chain_rule", ("--graph", "c = 2 * x"), "a number is an input, such as two=2"),
        (
            "chain_rule",
            ("--inputs", "x=-2", "y=2", "--graph", "z = x ** y"),
            "z has no finite derivative with respect to y at these inputs",
        ),
        ("chain_rule", ("--graph", "c = x * x * x"), "expected one operation of named nodes"),
        ("chain_rule", ("--graph", "c = sine(x)"), "expected one operation of named nodes"),
        ("chain_rule", ("--graph", "c = x + z"), "unknown node in 'c = x + z': 'z'"),
        ("chain_rule", ("--graph", "x = y + w"), "names 'x' again"),
        ("chain_rule", ("--inputs", "x=0", "--graph", "c = log(x)"), "c is -inf at these inputs"),
        ("activations", ("--in-the-stack", "rely"), "did you mean 'relu'"),
        ("inside_the_net", ("--nets", "codes"), "did you mean 'code'"),
        ("early_stopping", ("--held-out", "0"), "held_out: 0.0; expected a fraction"),
        ("one_batch", ("--bugs", "dead relus"), "did you mean 'dead ReLUs'"),
        ("monitor", ("--faults", "dead layers"), "did you mean 'dead layer'"),
        ("learning_rate", ("--max-epochs", "10"), "max_epochs: 10; expected a multiple of 7"),
        ("learning_rate", ("--model", "mlp"), "did you mean"),
        ("optimizers", ("--batch-sizes", "32", "50"), "50; expected multiples of the first, 32"),
        ("optimizers", ("--batch-sizes", "32", "1312"), "1312; expected fewer than 1,293"),
        ("monitor", ("--depth", "1"), "depth: 1; expected at least 2"),
        ("digit_net", ("--nets", "curse"), "did you mean 'course'"),
        ("digit_net", ("--rates", "3", "0"), "rates: 0.0; expected a positive"),
        ("losses", ("--weights", "-1"), "weights: -1.0; expected 0 or positive"),
    ],
)
def test_bad_input_is_one_line(command, name, flags, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert command(f"foundations/{name}", *flags, "--out", str(out)) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
