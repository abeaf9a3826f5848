"""The first steps of a training under the eye: they are those of fit, and faults are found."""

import jax
import numpy as np
import optax
import pytest

import rote
from rote import layers, measure, models, optim, transforms, viz
from rote.combinators import serial
from rote.core import InputError
from rote.measure.monitor import MAGNITUDES, magnitudes
from rote.measure.range_test import judge

SCALE = transforms.unit_scale()
DIGITS = rote.load("digits", num_train=200)


def watch(model, optimizer=None, transform=SCALE, **options):
    given = {"seed": 3, "batch_size": 50, "steps": 8, "every": 3, **options}
    optimizer = optimizer or optim.momentum(0.1)
    return measure.watch(model, optimizer, DIGITS, transform=transform, **given)


def test_the_steps_are_the_first_of_fit():
    net = models.mlp((16,), num_classes=10)
    watched = watch(net)
    assert watched.findings() == []
    result = rote.fit(
        net, optim.momentum(0.1), DIGITS, seed=3, batch_size=50, max_epochs=2, transform=SCALE
    )
    losses = np.array([row["loss"] for row in watched.steps]).reshape(2, 4)
    expected = [row["batch_loss"] for row in result.history[1:]]
    np.testing.assert_allclose(losses.mean(1), expected, rtol=1e-5)


def test_norms_and_outputs_against_a_step_by_hand():
    net = models.mlp((16,), num_classes=10)
    watched = watch(net, optax.sgd(0.5), steps=1)
    params, state = net.init(jax.random.key(3), np.zeros((1, 8, 8, 1), np.float32))
    order = rote.train.epoch_order(rote.train.order_keys(3)[0], 0, 200)[:50]
    x = SCALE(DIGITS.train.images[order], train=True)
    np.testing.assert_array_equal(watched.inputs["stored"], np.ravel(DIGITS.train.images[order]))

    def loss(params):
        logits, _ = net.apply(params, state, x, train=True)
        return rote.train.cross_entropy(logits, DIGITS.train.labels[order]).mean()

    value, gradient = jax.value_and_grad(loss)(params)
    assert watched.steps[0]["loss"] == pytest.approx(float(value), rel=1e-5)
    size = float(optax.tree.norm(gradient))
    assert watched.norms("gradient")[0] == pytest.approx(size, rel=1e-4)
    assert watched.norms("update")[0] == pytest.approx(size / 2, rel=1e-3)
    assert watched.norms("parameter")[0] == pytest.approx(float(optax.tree.norm(params)), rel=1e-5)
    hidden = x.reshape(50, -1) @ params["hidden1"]["dense"]["kernel"]
    row = next(row for row in watched.layers if row["layer"] == "hidden1/dense")
    assert row["std"] == pytest.approx(float(hidden.std()), rel=1e-4)
    assert [row["layer"] for row in watched.layers] == [
        "flatten",
        "hidden1/dense",
        "hidden1/activation",
        "head",
    ]


def test_the_first_and_the_last_step_are_looked_at():
    watched = watch(models.mlp((4,), num_classes=10), steps=6)
    assert sorted({row["step"] for row in watched.layers}) == [0, 3, 5]
    assert [row["step"] for row in watched.steps] == list(range(6))


def test_every_fault_has_its_finding():
    net = models.mlp((16,), num_classes=10)
    raw = watch(net, transform=lambda x, *, train, key=None: x.astype(np.float32)).findings()
    assert raw[0].startswith("inputs are not normalised: root mean square ")
    off = layers.Init(layers.he_normal.kernel, lambda n: jax.nn.initializers.constant(-99.0))
    dead = serial(
        flatten=layers.flatten(),
        hidden=layers.dense(8, init=off),
        relu=layers.activation(jax.nn.relu),
        head=layers.dense(10),
    )
    (found,) = watch(dead).findings()
    assert found == (
        "layer relu is dead from step 0 on: 100 % of its units at step 7, and 1 more layers"
    )
    assert watch(net, optim.sgd(0.0)).findings() == ["nothing is updated: every update is 0"]
    far = watch(net, optim.sgd(1e6)).findings()
    assert any(line.startswith("the training explodes: an update of norm") for line in far)


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_start_at_zero_is_no_explosion(rate):
    zeros = layers.Init(jax.nn.initializers.zeros, lambda n: jax.nn.initializers.zeros)
    net = serial(flatten=layers.flatten(), head=layers.dense(10, init=zeros))
    watched = watch(net, optim.momentum(rate), every=1)
    assert watched.norms("update")[0] > watched.norms("parameter")[0] == 0
    assert watched.findings() == []


def test_random_layers_have_their_place():
    parts = [layers.flatten(), layers.dense(8), layers.dropout(0.5), layers.dense(10)]
    names = ["flatten", "hidden", "drop", "head"]
    watched = watch(serial(**dict(zip(names, parts, strict=True))), steps=1, learning_rate=0.1)
    assert [row["layer"] for row in watched.layers] == names
    assert watched.steps[0]["learning_rate"] == 0.1


def test_a_training_without_a_finite_loss_ends():
    net = models.mlp((16,), num_classes=10)
    nan = watch(net, loss_fn=lambda logits, labels: logits[:, 0] * np.nan)
    assert len(nan.steps) == 1
    assert nan.findings()[-1] == "the loss is not finite from step 0 on"


def test_magnitudes_count_every_entry():
    values = np.array([0.0, 1e-20, 1e-3, -1e-3, 1e9, np.inf, np.nan])
    counts = magnitudes(values)
    assert counts.sum() == len(values) and counts[0] == 2 and counts[-1] == 3
    (thousandth,) = (i for i in np.flatnonzero(counts) if 0 < i < len(counts) - 1)
    assert MAGNITUDES[thousandth] <= -3 + 1e-9 < MAGNITUDES[thousandth + 1]


def test_bad_numbers():
    with pytest.raises(InputError, match="steps: 0; expected at least 1"):
        watch(models.mlp((), num_classes=10), steps=0)
    with pytest.raises(InputError, match="batch_size: 1; expected at least 2"):
        watch(models.mlp((), num_classes=10), batch_size=1)
    with pytest.raises(InputError, match="batch_size: 201 of 200 examples"):
        watch(models.mlp((), num_classes=10), batch_size=201)


def test_the_dashboard_shows_layers_in_their_order_and_findings():
    watched = watch(models.mlp((4, 4), num_classes=10), optim.sgd(0.0))
    figure = viz.dashboard(**watched._asdict(), findings=watched.findings())
    assert "nothing is updated" in figure.get_suptitle()
    figure.canvas.draw()
    titles = [ax.get_title(loc="left") for ax in figure.findobj(lambda a: hasattr(a, "get_title"))]
    kernels = [title for title in titles if title.endswith("kernel")]
    assert kernels == ["hidden1/dense/kernel", "hidden2/dense/kernel", "head/kernel"]
    with pytest.raises(InputError, match="no step was looked at"):
        viz.dashboard(inputs={}, steps=[], layers=[], arrays=[], edges=watched.edges)


# --- range test


def test_the_rates_grow_and_the_choice_is_on_the_slope():
    net = models.mlp((32,), num_classes=10)
    found = measure.range_test(
        net, optim.sgd, DIGITS, seed=0, batch_size=50, transform=SCALE, steps=80
    )
    np.testing.assert_allclose(found.rates[1:] / found.rates[:-1], (1e8) ** (1 / 79))
    assert found.rates[0] == 1e-7 and len(found.rates) == len(found.losses) <= 80
    assert found.chosen is not None
    before, after = (found.smoothed[found.rates < x].min() for x in (found.chosen, np.inf))
    assert after < before and 1e-3 < found.chosen < 1


def test_the_choice_is_before_the_loss_blows_up():
    for net in (models.mlp((64,), num_classes=10), models.cnn((8,), num_classes=10)):
        for seed in (0, 1):
            found = measure.range_test(
                net, optim.sgd, DIGITS, seed=seed, batch_size=50, transform=SCALE, steps=100
            )
            assert 1e-4 < found.chosen < found.rates[found.smoothed.argmin()]


def test_the_first_losses_are_those_of_a_training_that_hardly_moves():
    net = models.mlp((8,), num_classes=10)
    found = measure.range_test(
        net, optim.sgd, DIGITS, seed=5, batch_size=50, transform=SCALE, steps=10, highest=1e-6
    )
    still = watch(net, optim.sgd(0.0), seed=5, steps=10)
    expected = [row["loss"] for row in still.steps]
    np.testing.assert_allclose(found.losses, expected, rtol=1e-4)
    assert found.chosen is None


def test_what_does_not_fall_gives_no_choice():
    rates = np.logspace(-7, 1, 200)
    decades = np.log10(rates)
    scatter = 0.1 * np.random.default_rng(0).normal(size=200)
    for losses in (np.full(200, 2.3), 2.3 + scatter, np.exp(decades)):
        assert judge(rates, losses).chosen is None
    # A cliff behind the minimum, where the loss swings, is not on the way to it.
    swings = 2 - np.exp(-((decades + 2) ** 2)) + 2 * (decades > 0) * np.sin(20 * decades)
    swings[decades > 0] += 3
    assert -3.2 < np.log10(judge(rates, swings).chosen) < -2.2


def test_a_range_test_ends_where_the_loss_does():
    net = models.mlp((32,), num_classes=10)
    options = {"seed": 0, "batch_size": 50, "transform": SCALE, "steps": 40}
    found = measure.range_test(net, optim.sgd, DIGITS, highest=1e6, **options)
    assert len(found.rates) < 40 and found.losses.max() <= 4 * found.losses[0]
    with pytest.raises(
        InputError, match=r"the loss broke off after . steps.*start at a lower rate"
    ):
        measure.range_test(net, optim.sgd, DIGITS, lowest=100, highest=1e6, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowest": 0}, "rates from 0 to 10; expected two positive"),
        ({"lowest": 20}, "rates from 20 to 10"),
        ({"steps": 9}, "9 steps; expected at least 10"),
        ({"batch_size": 0}, "batch_size: 0 of 200"),
        ({"make": optax.sgd(0.1)}, "an optimizer that has its rate already"),
    ],
)
def test_bad_range_tests(options, message):
    net = models.mlp((), num_classes=10)
    options = dict(options)
    make = options.pop("make", optim.sgd)
    usual = {"seed": 0, "batch_size": 50, "transform": SCALE}
    with pytest.raises(InputError, match=message):
        measure.range_test(net, make, DIGITS, **usual | options)
