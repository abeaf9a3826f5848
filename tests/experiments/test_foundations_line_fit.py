"""The lesson on fitting a line: descent on two errors, and where each ends."""

import numpy as np
import pytest


def test_descent_ends_at_the_closed_form(run_lesson, tmp_path):
    done = run_lesson("line_fit", "--num-starts", "9", out=tmp_path / "run")
    for row in done.summary["table"]:
        assert row["squared"] < 1e-4 < row["absolute"]
        assert row["shrinks_squared"] < 1e-4 < 1e-2 < row["shrinks_absolute"]
    assert len({round(row["end"], 2) for row in done.summary["valleys"]}) >= 3
    names = {path.stem for path in done.figures()}
    assert names == {"fit", "path", "step_length", "valleys"}


def test_steps_on_the_absolute_error_keep_their_length(experiment):
    module = experiment("foundations/line_fit")
    x, y, _ = module.draw(module.Config(), 0)
    start = [2.0, 50.0]  # so far above that no point changes sides
    paths = {
        name: np.asarray(
            module.descend(
                lambda params, name=name: getattr(module, name)(params, x, y),
                start,
                module.optax.sgd(0.1),
                20,
            )
        )
        for name in ("squared", "absolute")
    }
    lengths = {name: np.linalg.norm(np.diff(path, axis=0), axis=1) for name, path in paths.items()}
    np.testing.assert_allclose(lengths["absolute"], lengths["absolute"][0], rtol=1e-4)
    assert np.all(np.diff(lengths["squared"]) < 0)
    np.testing.assert_allclose(
        module.two_points(np.array([1.0, 3.0]), np.array([2.0, 8.0])), [3, -1]
    )


def test_the_least_absolute_line_goes_through_two_points_and_no_such_line_is_better(experiment):
    module = experiment("foundations/line_fit")
    x, y, _ = (array.astype(np.float32) for array in module.draw(module.Config(num_points=15), 0))
    found = module.absolute(module.least_absolute(x, y).astype(np.float32), x, y)
    costs = [
        module.absolute(module.two_points(x[[i, j]], y[[i, j]]), x, y)
        for i in range(15)
        for j in range(i)
    ]
    assert float(found) == pytest.approx(float(min(costs)), abs=1e-6)
