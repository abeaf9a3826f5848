"""The lesson on what a net does with the plane: its nets, its discs, its film."""

import math

import jax
import numpy as np
import PIL.Image
import pytest


def test_the_discs_take_their_share_of_the_plane(experiment):
    module = experiment("foundations/inside_the_net")
    points = module.draw(200_000, 0)
    assert module.label(points).mean() == pytest.approx(5 * math.pi / 100, abs=3e-3)
    few = np.array([[0, 1.9], [0, 2.1], [3.9, 3], [3, 4.1], [2, 2]], np.float32)
    np.testing.assert_array_equal(module.inside(few)[:, 0], [True, False, False, False, False])
    np.testing.assert_array_equal(module.inside(few)[:, 1], [False, False, True, False, False])


def test_the_nets_are_those_of_the_source(experiment):
    module = experiment("foundations/inside_the_net")
    sizes = {}
    for name in module.NETS:
        params, _ = jax.eval_shape(module.full(name).init, jax.random.key(0), np.zeros((1, 2)))
        sizes[name] = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert sizes == {"article": 505, "code": 1_105, "faster": 505}
    x = np.array([[1.0, -2.0]], np.float32)
    layer = module.after(1)
    params = {"kernel": np.array([[1.0], [1.0]], np.float32), "bias": np.array([3.0], np.float32)}
    assert layer.apply(params, {}, x, train=False)[0].item() == pytest.approx(-0.2 + 3)
    made, _ = module.features().apply({}, {}, x, train=False)
    expected = [1, -2, 1, 4, np.sinh(1), np.sinh(-2), np.cos(1), np.cos(-2)]
    np.testing.assert_allclose(made[0], expected, rtol=1e-5)


def test_every_epoch_is_trained(experiment):
    module = experiment("foundations/inside_the_net")
    points = module.draw(50, 0)

    def epochs(epochs, every):
        config = module.Config(num_points=50, epochs=epochs, every=every)
        return module.train(config, "faster", 0, points)

    few = epochs(3, 10)
    assert [epoch for epoch, _ in few] == [0, 3]
    changed = jax.tree.map(lambda a, b: bool(np.any(a != b)), few[0][1], few[1][1])
    assert all(jax.tree.leaves(changed))
    assert [epoch for epoch, _ in epochs(4, 3)] == [0, 3, 4]


def test_the_dashed_line_is_where_the_head_changes_its_mind(experiment):
    module = experiment("foundations/inside_the_net")
    head = {"kernel": np.array([[3.0], [-4.0]], np.float32), "bias": np.array([2.0], np.float32)}
    points = np.random.default_rng(0).normal([5.0, -1.0], [2.0, 0.1], (100, 2))
    line = module.decision("faster", {"head": head}, points)
    dashes = line[~np.isnan(line[:, 0])]
    np.testing.assert_allclose(3 * dashes[:, 0] - 4 * dashes[:, 1] + 2, 0, atol=1e-4)
    assert len(dashes) == 2 * np.isnan(line[:, 0]).sum() > 0
    flat = {"kernel": np.zeros((2, 1), np.float32), "bias": head["bias"]}
    assert module.decision("faster", {"head": flat}, points).shape == (0, 2)


@pytest.mark.slow
def test_a_net_learns_the_discs_and_leaves_a_film(run_lesson, tmp_path):
    flags = ("--nets", "faster", "--seeds", "0", "--epochs", "20", "--every", "5")
    done = run_lesson("inside_the_net", *flags, out=tmp_path / "run")
    (row,) = done.summary["table"]
    assert row["test_accuracy"] > 0.86 and row["large_disc"] > 0.3
    assert [each["epoch"] for each in done.summary["curves"]] == [0, 5, 10, 15, 20]
    with PIL.Image.open(done.folder / "figures" / "film_faster.gif") as film:
        assert film.n_frames == 5
