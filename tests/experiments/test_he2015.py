"""The experiment of He et al. (2015) as a user runs it."""

import numpy as np
import pytest

from rote import data
from rote.record import RunDir

pytestmark = pytest.mark.usefixtures("quick_compiles")
DEPTH = "he2015/depth"


@pytest.mark.slow
def test_every_net_is_trained_at_every_depth(command, tmp_path):
    out = tmp_path / "run"
    flags = ("--preset", "smoke", "--depths", "8", "--seeds", "0", "--num-train", "160")
    assert command(DEPTH, *flags, "--max-epochs", "4", "--out", str(out)) == 0
    done = RunDir.open(out)
    table = done.summary["table"]
    assert [(row["net"], row["depth"]) for row in table] == [("plain", 8), ("residual", 8)]
    for row in table:
        assert row["test_error"] == pytest.approx(1 - row["test_accuracy"])
        assert row["train_accuracy"] > 0.15
    assert {path.name for path in done.figures()} == {"training.png", "depth.png"}


def test_a_group_has_the_recipe(experiment):
    module = experiment(DEPTH)
    dataset = data.load("digits", num_train=64)
    config = module.Config(depths=(110,), augment=True, batch_size=32, max_epochs=2, seeds=(5,))
    group = module.group(config, dataset, "plain", 110)
    assert [run.label for run in group.runs] == ["plain depth=110 seed=5"]
    images = group.transform(dataset.train.images, train=False)
    assert images.shape == (64, 8, 8, 1) and abs(float(images.mean())) < 1e-6
    optimizer = group.make_optimizer()
    params = {"kernel": images[0], "bias": images[1]}
    zeros = {name: 0 * array for name, array in params.items()}
    updates, _ = optimizer.update(zeros, optimizer.init(params), params)
    # A tenth of the rate while it warms up; only kernels decay.
    assert abs(updates["bias"]).max() == 0
    np.testing.assert_allclose(updates["kernel"], -0.01 * 1e-4 * params["kernel"], rtol=1e-4)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--nets", "plian"), "did you mean 'plain'"),
        (("--depths", "9"), "depth 9; expected 6 n + 2"),
        (("--nets", "plain_no_bn", "plain", "plain"), "expected one or more different"),
        (("--momentum", "1"), "momentum: 1.0; expected a number in [0, 1)"),
        (("--num-train", "20"), "batch_size: 32; expected 1 to 20"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(DEPTH, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
