"""The comparison of regularisers, as a user runs it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote.record import RunDir

NAME = "arpit2017/regularization"
SMALL = ("--preset", "smoke", "--seeds", "0", "--num-train", "100", "--widths", "32")
SMALL += ("--max-epochs", "20", "--batch-size", "20", "--dropout", "0.9", "--input-dropout")
SMALL += ("--input-noise", "--hidden-noise", "--weight-decay", "0.01", "1.0")
SMALL += ("--adversarial-weight", "0.5", "--adversarial-dropout", "0.5")


@pytest.fixture(scope="module")
def compared(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "run"
    assert command(NAME, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_every_strength_is_trained_on_true_and_on_random_labels(compared):
    table = compared.summary["table"]
    settings = [(row["regularizer"], row["strength"], row["with_dropout"]) for row in table]
    assert settings == [
        ("none", 0.0, 0.0),
        ("dropout", 0.9, 0.0),
        ("weight_decay", 0.01, 0.0),
        ("weight_decay", 1.0, 0.0),
        ("adversarial", 0.5, 0.5),
    ]
    for row, number in zip(table, range(0, 10, 2), strict=True):
        true, random = compared.run(number), compared.run(number + 1)
        assert (true["labels"], random["labels"]) == ("true", "random")
        rows = [r for r in compared.rows() if r["run"] in (number, number + 1)]
        ends = {r["run"]: r for r in rows if r["epoch"] == 20}
        assert row["validation_accuracy"] == ends[number]["test_accuracy"]
        assert row["random_accuracy"] == ends[number + 1]["train_accuracy"]
    by_setting = dict(zip(settings, table, strict=True))
    plain = by_setting["none", 0.0, 0.0]["random_accuracy"]
    assert by_setting["weight_decay", 1.0, 0.0]["random_accuracy"] < plain
    assert by_setting["dropout", 0.9, 0.0]["random_accuracy"] < plain
    assert {path.name for path in compared.figures()} == {"regularization.png"}


def test_noise_acts_where_it_is_said_to(experiment):
    module = experiment(NAME)
    x = jax.random.normal(jax.random.key(0), (5, 8, 8, 1))

    def outputs(**where):
        places = {"at_inputs": None, "at_hidden": None} | where
        net = module.network((), (16,), 10, **places)
        params, state = net.init(jax.random.key(1), x)
        keys = jax.random.split(jax.random.key(2), 2)
        evaluated = net.apply(params, state, x, train=False)[0]
        trained = [net.apply(params, state, x, train=True, key=key)[0] for key in keys]
        return evaluated, *trained, params

    plain, *same, params = outputs()
    for logits in same:
        np.testing.assert_allclose(logits, plain, rtol=1e-5, atol=1e-6)
    for where in (
        {"at_inputs": ("input_dropout", 0.5)},
        {"at_inputs": ("input_noise", 0.5)},
        {"at_hidden": ("dropout", 0.5)},
        {"at_hidden": ("hidden_noise", 0.5)},
    ):
        evaluated, one, other, own = outputs(**where)
        assert jax.tree.structure(own) == jax.tree.structure(params)
        assert jnp.abs(one - other).max() > 1e-3, where
        assert jnp.abs(one - evaluated).max() > 1e-3, where


def test_the_papers_net_has_convolutions_before_its_dense_layers(experiment):
    module = experiment(NAME)
    config = module.PRESETS["paper"]
    net = module.network(config.channels, config.widths, 10, None, ("dropout", 0.5))
    x = jnp.zeros((1, 32, 32, 3))
    params, _ = jax.eval_shape(net.init, jax.random.key(0), x)
    kernels = [params[f"block{i}"]["conv"]["kernel"].shape for i in (1, 2)]
    kernels += [params[f"hidden{i}"]["dense"]["kernel"].shape for i in (1, 2)]
    assert kernels == [(5, 5, 3, 64), (5, 5, 64, 64), (8 * 8 * 64, 384), (384, 192)]


def test_the_settings_of_the_paper_are_all_there(experiment):
    module = experiment(NAME)
    settings = module.settings_of(module.PRESETS["paper"])
    assert len(settings) == len(set(settings)) == 1 + 9 + 9 + 6 + 5 + 5 + 3 * 3
    assert len({setting.name for setting in settings}) == len(settings)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--dropout", "1.0"), "dropout: (1.0,); expected numbers below 1"),
        (("--adversarial-dropout",), "give both, or neither"),
        (("--input-noise", "-1"), "input_noise: -1.0; expected a positive number"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(NAME, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
