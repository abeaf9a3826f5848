"""The lesson on the learning rate: the range test, the grid, every schedule by hand."""

import jax
import numpy as np
import optax
import pytest


@pytest.mark.slow
def test_schedules_over_the_grid_beside_the_range_test(run_lesson, tmp_path):
    flags = ("--seeds", "0", "--rates", "0.001", "0.1", "--max-epochs", "7")
    done = run_lesson("learning_rate", *flags, out=tmp_path / "run")
    table = done.summary["table"]
    assert len(table) == 4 * 2 + 1
    (tested,) = done.summary["range_tests"]
    assert [row["rate"] for row in table if row["chosen_by"] == "range test"] == [tested]
    assert 1e-4 < tested < 0.3
    assert done.summary["best"] == dict.fromkeys(("constant", "decaying", "cyclic", "plateau"), 0.1)
    assert "minus constant, 7" in done.summary["text"]
    by_schedule = {row["schedule"]: row for row in done.summary["summary"]}
    assert by_schedule["constant"]["rate"] == "0.1, the highest tried"
    (at_end,) = (
        [row["test_accuracy"] for row in table if row["schedule"] == name and row["rate"] == 0.1]
        for name in ("cyclic",)
    )
    constant = next(
        row
        for row in table
        if (row["schedule"], row["rate"], row["chosen_by"]) == ("constant", 0.1, "grid")
    )
    ahead = 100 * (at_end[0] - constant["test_accuracy"])
    assert by_schedule["cyclic"]["minus constant, 7"] == f"{ahead:.2f} (1)"
    assert [row["rate"] for row in done.summary["plateaus"]] == ["0.001", "0.1"]
    names = {path.stem for path in done.figures()}
    assert names == {"range_test", "grid", "schedules"}


@pytest.mark.slow
def test_the_rate_of_every_schedule(experiment):
    module = experiment("foundations/learning_rate")
    made = module.schedules(10, 14)

    def steps(name, losses):
        """Sizes of the updates for a gradient of 1 without momentum's run-up."""
        optimizer = optax.with_extra_args_support(made[name](0.5))
        params = {"kernel": jax.numpy.ones(1)}
        state, sizes = optimizer.init(params), []
        for loss in losses:
            fresh = optimizer.init(params)
            kept = jax.tree.map(
                lambda now, first: first if now.shape == (1,) else now, state, fresh
            )
            update, state = optimizer.update(params, kept, params, value=jax.numpy.float32(loss))
            sizes.append(-float(update["kernel"][0]))
        return np.array(sizes)

    np.testing.assert_allclose(steps("constant", [1] * 5), 0.5)
    np.testing.assert_allclose(steps("decaying", [1] * 21)[[9, 10, 20]], [0.5, 0.475, 0.45125])
    cyclic = steps("cyclic", [1] * 140)
    np.testing.assert_allclose(
        cyclic[[0, 10, 20, 60, 80]], [0.5, 0.25, 0.5, 0.5, 0.4268], rtol=1e-3
    )
    assert cyclic[19] < 0.01 > cyclic[59] and cyclic[139] < 0.01
    # The first epoch sets the mark; the second and third do not beat it, nor the next two.
    plateau = steps("plateau", [1] * 60)
    np.testing.assert_allclose(plateau[[28, 30, 48, 50]], [0.5, 0.15, 0.15, 0.045], rtol=1e-5)
    np.testing.assert_allclose(steps("plateau", np.linspace(1, 0.1, 70)), 0.5)


@pytest.mark.parametrize(
    ("losses", "times"),
    [
        ((1.0, 0.5, 0.4, 0.39), 0),
        ((1.0, 0.5, 0.6, 0.4, 0.5, 0.3), 0),  # one epoch in a row is no plateau
        ((1.0, 0.5, 0.5, 0.5, 0.4), 1),
        ((1.0, 1.0, 1.0, 1.0, 1.0), 2),
    ],
)
def test_how_often_a_plateau_lowered_the_rate(experiment, losses, times):
    history = [{"batch_loss": None}, *({"batch_loss": loss} for loss in losses)]
    assert experiment("foundations/learning_rate").times_reduced({"history": history}) == times
