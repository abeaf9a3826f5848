"""The lesson on optimizers and batch sizes: directions, noise, moments, comparisons."""

import numpy as np
import pytest


@pytest.mark.slow
def test_the_negative_gradient_is_the_steepest_way(experiment):
    module = experiment("foundations/optimizers")
    config = module.Config(width=8, directions=300)
    found = module.directions(config, module.data.load("digits"), 0)
    assert found["gradient"] == pytest.approx(1, abs=0.02) and found["best_random"] < 0.3
    assert found["spread"] == pytest.approx(1, abs=0.15) and found["correlation"] > 0.99


def test_the_noise_of_a_gradient_follows_its_law(experiment):
    module = experiment("foundations/optimizers")
    rows = module.noises(module.Config(width=8), module.data.load("digits"), 0, (32, 512, 1293))
    assert rows[1]["noise"] == pytest.approx(rows[1]["expected"], rel=0.2)
    assert rows[2]["law"] == 0 and rows[2]["noise"] < 1e-5


def test_the_moments_of_a_constant_gradient_by_hand(experiment):
    module = experiment("foundations/optimizers")
    np.testing.assert_allclose(module.moments(False, 50), 1, rtol=1e-10)
    fed_back = module.moments(True, 2)
    assert fed_back[0] == pytest.approx((1, 1))
    assert fed_back[1] == pytest.approx((1 / (1 - 0.81), 1 / (1 - 0.999**2)))


def test_sizes_are_compared_at_equal_epochs_steps_and_training_loss(experiment):
    module = experiment("foundations/optimizers")
    config = module.Config(batch_sizes=(2,), rates=(0.5, 1.0), max_epochs=1, seeds=(0,))

    def row(size, rate, epochs):
        history = [dict(zip(module.METRICS, each, strict=True)) for each in epochs]
        return {
            "optimizer": "sgd",
            "size": size,
            "rate": rate,
            "seed": 0,
            "history": history,
            **{f"{name}_epochs": value for name, value in history[1].items()},
            **{f"{name}_end": value for name, value in history[-1].items()},
        }

    start = (2.0, 0.1, 0.1, 0.1)
    rows = [
        row(2, 0.5, [start, (1.0, 0.6, 0.5, 0.5)]),
        row(2, 1.0, [start, (1.5, 0.4, 0.4, 0.4)]),
        row(4, 0.5, [start, (1.8, 0.2, 0.2, 0.2), (1.2, 0.6, 0.4, 0.4)]),
        row(4, 1.0, [start, (1.6, 0.3, 0.3, 0.2), (0.6, 0.9, 0.6, 0.6)]),
    ]
    found = module.compare_sizes(config, rows, (2, 4))
    kinds = ("1 epochs", "equal steps", "equal train loss")
    assert [row["compared"] for row in found] == [kind for kind in kinds for _ in "24"]
    assert [row["rate"] for row in found[:2]] == ["0.5, the lowest tried", "1, the highest tried"]
    epochs, steps, loss = found[1::2]
    assert (epochs["ahead"], steps["ahead"]) == pytest.approx((30, -10))
    # Down to a loss of 1, which size 2 ends at, it is six tenths of the way from 1.6 to 0.6.
    assert loss["train_loss"] == pytest.approx(1) and loss["train_accuracy"] == pytest.approx(0.66)
    assert loss["gap"] == pytest.approx(0.66 - 0.44)
    assert (loss["ahead"], loss["gap_less"]) == pytest.approx((6, 12))
    assert found[0]["ahead"] == found[0]["gap_less"] == 0


def test_noise_leaves_the_poor_minimum(experiment):
    module = experiment("foundations/optimizers")
    config = module.Config(trials=20)
    assert sum(module.valley(config, 0)) == 0 < sum(module.valley(config, 30))


@pytest.mark.slow
def test_batches_and_optimizers(run_lesson, tmp_path):
    flags = ("--seeds", "0", "--rates", "0.1", "--batch-sizes", "64", "512", "--max-epochs", "2")
    few = ("--trials", "5", "--directions", "10", "--num-train", "700", "--width", "16")
    done = run_lesson("optimizers", *flags, *few, out=tmp_path / "run")
    table = done.summary["table"]
    assert [(row["optimizer"], row["size"]) for row in table] == [
        ("sgd", 64),
        ("sgd", 512),
        ("sgd", 630),
        ("heavy ball", 64),
        ("averaged momentum", 64),
        ("adam", 64),
    ]
    steps = {row["steps"] for row in table}
    assert steps == {18}  # as many with each size
    ball, averaged = table[3], table[4]
    assert averaged["rate"] == pytest.approx(10 * ball["rate"])
    assert averaged["train_loss_end"] == pytest.approx(ball["train_loss_end"], rel=1e-3)
    assert "never further apart than" in done.summary["text"]
    assert {row["rate"] for row in done.summary["sizes"]} == {"0.1, the highest tried"}
    equal = [row for row in done.summary["sizes"] if row["compared"] == "equal train loss"]
    assert [row["size"] for row in equal] == [64, 512, 630]
    losses = [row["train_loss"] for row in equal]
    assert losses == pytest.approx([losses[0]] * 3)
