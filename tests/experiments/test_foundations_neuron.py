"""The lesson on one neuron and its stacks: what separates, and what binary units learn."""

import jax
import numpy as np
import pytest


def test_one_neuron_separates_14_of_16_functions(experiment):
    module = experiment("foundations/neuron")
    unable = []
    for truth in module.itertools.product((0, 1), repeat=4):
        weights = module.one_neuron(truth)
        if weights is None:
            unable.append(truth)
        else:
            says = module.INPUTS @ weights[:2] + weights[2] > 0
            np.testing.assert_array_equal(says, truth)
    assert unable == [(0, 1, 1, 0), (1, 0, 0, 1)]
    assert module.most_right(module.GATES["XOR"]) == 3


def test_a_stack_without_activation_is_one_layer(experiment):
    module = experiment("foundations/neuron")
    assert [module.collapse(seed) for seed in range(3)] == [0, 0, 0]


def test_the_four_steps_by_hand_and_what_binary_units_learn(experiment):
    module = experiment("foundations/neuron")
    config = module.Config()
    assert module.steps_against_grad(config) < 1e-6
    graded, binary = (module.learn_xor(config, kind, 1) for kind in ("graded", "binary"))
    assert graded["accuracy"] == 1 and graded["cost"] < 0.01 and graded["way"] > 1
    assert binary["way"] == 0 and binary["cost"] > 0.05


def test_below_binary_units_nothing_is_learned(experiment):
    module = experiment("foundations/neuron")
    net = module.models.mlp((5,), num_classes=3, activation=module.UNITS["binary"])
    x = jax.random.normal(jax.random.key(0), (20, 4))
    params, state = net.init(jax.random.key(1), x)
    gradient = jax.grad(lambda params: (net.apply(params, state, x, train=True)[0] ** 2).sum())
    moves = {
        name: any(bool(leaf.any()) for leaf in jax.tree.leaves(each))
        for name, each in gradient(params).items()
    }
    assert moves == {"flatten": False, "hidden1": False, "head": True}


@pytest.mark.slow
def test_the_sweep_has_a_row_per_net(run_lesson, tmp_path):
    flags = ("--widths", "2", "16", "--depths", "1", "--seeds", "0", "--steps", "60")
    done = run_lesson("neuron", *flags, "--max-epochs", "20", out=tmp_path / "run")
    small, large, _, binary = done.summary["table"]
    assert (small["num_params"], large["num_params"]) == (65 * 2 + 30, 65 * 16 + 170)
    assert small["test_accuracy"] < large["test_accuracy"] > 0.8
    # The first layer of the binary net is a random one, and stays so.
    assert (binary["activation"], binary["num_params"]) == ("binary", large["num_params"])
    assert binary["train_accuracy"] < large["train_accuracy"]
    assert "separates 14 of 16" in done.summary["text"]
