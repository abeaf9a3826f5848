"""The loss sensitivity as a user runs it."""

import jax
import numpy as np
import pytest

from rote import measure
from rote.record import RunDir

NAME = "arpit2017/loss_sensitivity"
SMALL = (
    *("--preset", "smoke", "--num-train", "60", "--batch-size", "20", "--epochs", "60"),
    *("--moments", "6", "--learning-rate", "0.2", "--seeds", "2"),
)


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def small(command, tmp_path_factory):
    """A run that was killed after three of its five trainings, and gone on with."""
    out = tmp_path_factory.mktemp("sensitivity") / "run"
    keep, seen = RunDir.keep, []

    def killed(self, part, result):
        if len(seen) == 3:
            raise Killed
        seen.append(part)
        keep(self, part, result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDir, "keep", killed)
        with pytest.raises(Killed):
            command(NAME, *SMALL, "--out", str(out))
        patch.setattr(RunDir, "keep", lambda *given: (seen.append(given[1]), keep(*given)))
        assert command(NAME, *SMALL, "--out", str(out)) == 0
    assert len(seen) == len(set(seen)) == 5  # nothing was measured twice
    return RunDir.open(out)


@pytest.mark.slow
def test_real_data_are_used_more_unequally_than_noise(small):
    rows = {(row["classes"], row["data"]): row for row in small.summary["table"]}
    assert len(rows) == 5
    real = rows["the labels", "real"]
    assert real["train_loss"] < 0.5 * real["initial_loss"]
    for noise in ("random inputs", "random labels"):
        assert 0 < rows["the labels", noise]["gini"] < real["gini"] < 1
    assert rows["one for each example", "real"]["initial_loss"] > np.log(60) - 0.5
    assert [figure.name for figure in small.figures()] == ["loss_sensitivity.png"]


@pytest.mark.slow
def test_the_training_is_the_one_whose_sensitivity_is_taken(experiment):
    module = experiment(NAME)
    config = module.Config(
        dataset="digits", num_train=20, pool=2, width=4, batch_size=10, epochs=2, moments=2
    )
    net = module.Net(config, num_classes=10)
    x = np.random.default_rng(0).random((20, 4, 4, 1), np.float32)
    labels, batches = np.arange(20, dtype=np.int32) % 10, module.orders(config, 3)
    assert batches.shape == (4, 10)
    for epoch in (batches[:2], batches[2:]):
        assert sorted(epoch.ravel()) == list(range(20))
    params, _ = net.model.init(jax.random.key(0), x[:1])

    def last_loss(x):
        return net.evaluate(net.train(params, x, labels, batches), x, labels)[0]

    expected = np.abs(jax.grad(last_loss)(x)).sum((1, 2, 3))
    found = net.sensitivity(params, x, labels, batches)
    assert found.shape == (2, 20)
    np.testing.assert_allclose(found[-1], expected, rtol=1e-4)
    assert measure.gini_coefficient(found).shape == (2,)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--batch-size", "30"), "batch_size: 30; expected a divisor of the 200 examples"),
        (("--moments", "7"), "moments: 7; expected a divisor of the 1,000 steps"),
        (("--learning-rate", "0"), "learning_rate: 0.0; expected a positive number"),
        (("--seeds", "-1"), "seeds: -1; expected integers from 0 to 4,294,967,295"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(NAME, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
