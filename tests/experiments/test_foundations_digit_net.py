"""The lesson on a net that reads digits: what it learns, and when it is sure."""

import jax
import numpy as np
import pytest

from rote.record import RunDir


@pytest.fixture(scope="module")
def digit_net(run_lesson, tmp_path_factory):
    flags = ("--seeds", "0", "--nets", "course", "modern", "--max-epochs", "8")
    return run_lesson("digit_net", *flags, out=tmp_path_factory.mktemp("digit_net") / "run")


@pytest.mark.slow
def test_the_digit_nets_read_digits(digit_net):
    course, modern = digit_net.summary["table"]
    assert course["num_params"] == 64 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    assert course["test_accuracy"] > 0.9 and modern["test_accuracy"] > 0.95
    assert course["sure_wrong"] < course["sure_right"]
    names = {path.stem for path in digit_net.figures()}
    assert names == {
        "confidence",
        *(f"{what}_{net}" for what in ("weights", "errors") for net in ("course", "modern")),
    }


@pytest.mark.slow
def test_the_rate_of_the_course_net_is_compared_on_held_out_digits(digit_net):
    slow, fast = digit_net.summary["compared"]
    assert (slow["learning_rate"], fast["learning_rate"]) == (0.3, 3)
    assert slow["held_out_accuracy"] < 0.7 < 0.8 < fast["held_out_accuracy"]
    # Compared on five sixths of 1,437 digits, trained on all of them.
    assert fast["step"] == 8 * ((1437 - round(1437 / 6)) // 10)
    assert max(row["step"] for row in digit_net.rows() if row["net"] == "course") == 8 * 143
    assert "held-out accuracy" in digit_net.summary["text"]


def test_a_digit_net_that_diverges_has_no_accuracy(experiment, tmp_path):
    module = experiment("foundations/digit_net")
    # The other two end at outputs of 0 and 1, whatever the rate.
    module.NETS["modern"] = module.NETS["modern"]._replace(learning_rate=1e30)
    flags = ("--nets", "modern", "--seeds", "0", "--max-epochs", "1")
    with pytest.raises(SystemExit, match="1"):
        argv = (*flags, "--out", str(tmp_path / "run"))
        module.cli.main(module.run, module.PRESETS, argv=argv)
    done = RunDir.open(tmp_path / "run")
    (row,) = done.summary["table"]
    assert row["test_accuracy"] is row["train_accuracy"] is row["sure_noise"] is None
    assert "diverged (1)" in done.summary["text"] and "best of modern" not in done.summary["text"]
    assert not done.figures()


def test_the_squared_error_is_a_sum_over_outputs(experiment):
    module = experiment("foundations/digit_net")
    outputs = np.array([[0.2, 0.5, 0.0], [1.0, 0.0, 0.0]], np.float32)
    by_hand = [(0.04 + 0.25 + 0) / 2, (1 + 0 + 1) / 2]
    np.testing.assert_allclose(module.squared_error(outputs, np.array([1, 2])), by_hand, rtol=1e-6)


def test_the_nets_have_the_sizes_that_the_course_gives_them(experiment):
    module = experiment("foundations/digit_net")
    sizes = {}
    for name in module.NETS:
        net = module.build(name, 10)
        params, _ = jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, 28, 28, 1)))
        sizes[name] = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert sizes == {"course": 13_002, "nielsen": 23_860, "modern": 407_050}
