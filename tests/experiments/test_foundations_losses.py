"""The lesson on losses: every formula, and two tasks from one net."""

import math

import numpy as np
import pytest


@pytest.mark.slow
def test_every_loss_is_its_formula(experiment):
    module = experiment("foundations/losses")
    for name in module.LOSSES:
        row = module.check(name, 100)
        assert float(row["value - closed form"]) < 1e-4
        assert float(row["gradient - differences"]) < 1e-4
    assert module.check("hinge", 100)["without a pull"] != "0 %"
    assert module.check("binary_cross_entropy", 100)["without a pull"] == "0 %"


def test_losses_of_two_classes_by_hand(experiment):
    module = experiment("foundations/losses")

    def both(name, *entries):
        loss, closed, size = module.LOSSES[name]
        v = np.array(entries, np.float32)
        assert len(v) == size and float(loss(v)) == pytest.approx(closed(v), rel=1e-6)
        return closed(v)

    assert both("hinge", 0.5, 1) == 0.5 and both("hinge", 0.5, -1) == 1.5
    assert both("hinge", -2, -1) == 0 and both("hinge", -2, 1) == 3
    assert both("binary_cross_entropy", 2, 1) == pytest.approx(math.log(1 + math.exp(-2)))
    assert both("binary_cross_entropy", 2, -1) == pytest.approx(math.log(1 + math.exp(2)))
    assert both("ranking", 1, 0.5, 1) == 0.5 and both("ranking", 1, 0.5, -1) == 1.5


def test_a_slanted_stroke_has_its_slant(experiment):
    module = experiment("foundations/losses")
    images = np.zeros((3, 5, 5, 1), np.uint8)
    for i in range(5):
        images[0, i, 2] = images[1, i, i] = images[2, i, 4 - i] = 200
    np.testing.assert_allclose(module.slant(images), [0, 1, -1], atol=1e-12)


@pytest.mark.slow
def test_two_tasks_from_one_net(run_lesson, tmp_path):
    flags = ("--weights", "0", "10", "--seeds", "0", "--num-inputs", "20", "--steps", "200")
    done = run_lesson("losses", *flags, out=tmp_path / "run")
    alone, both = done.summary["joint"]
    assert alone["test_accuracy"] > 0.9 and both["test_accuracy"] > 0.9
    assert alone["r2"] < 0.5 < 0.9 < both["r2"]
