"""Adversarial training, against a step computed by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rote.combinators import serial
from rote.core import Batch, InputError
from rote.layers import activation, dense, dropout, flatten
from rote.train import (
    Checkpoints,
    Execution,
    adversarial,
    fit,
    init_train_state,
    make_step,
)
from rote.transforms import unit_scale

NET = serial(flatten(), dense(8), activation(jax.nn.relu), dropout(0.5), dense(4))


def start(model, images, optimizer):
    params, state = model.init(jax.random.key(0), unit_scale()(images, train=False))
    return init_train_state(params, state, optimizer, jax.random.key(1))


def batch(noise, size=32):
    return Batch(jnp.asarray(noise.train.images[:size]), jnp.asarray(noise.train.labels[:size]))


def test_a_step_of_logistic_regression_is_that_of_the_formula():
    """loss(x) = log(1 + exp(-s)), s = y w x; the moved input is x - r y sign(w)."""
    w, x, y, r, a = (
        np.array([0.5, -2.0]),
        np.array([[100.0, 30.0], [80.0, 50.0]]),
        [1, -1],
        6.0,
        0.3,
    )

    def logits(params, state, x, *, train, key=None):
        score = x.reshape(len(x), -1) @ params["kernel"]
        return jnp.stack([-score / 2, score / 2], 1), state

    net = serial(flatten(), dense(2))._replace(
        init=lambda key, example: ({"kernel": jnp.asarray(w / 255)}, {}), apply=logits
    )
    data = Batch(x.reshape(2, 2, 1, 1).astype(np.uint8), jnp.array([1, 0]))
    step = make_step(
        net,
        optax.sgd(1.0),
        transform=lambda x, *, train, key=None: x,
        objective=adversarial(r, a),
    )
    begin = start(net, data.images, optax.sgd(1.0))
    after, loss = jax.jit(step)(begin, data)

    expected, gradient = 0.0, np.zeros(2)
    for at, sign in zip(x, y, strict=True):
        moved = at - r * sign * np.sign(w)
        for input_, share in ((at, 1 - a), (moved, a)):
            score = sign * (w / 255) @ input_
            expected += share * np.log1p(np.exp(-score)) / 2
            gradient += share * -sign * input_ / (1 + np.exp(score)) / 2
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(begin.params["kernel"] - after.params["kernel"], gradient, rtol=1e-4)


def test_without_weight_it_is_plain_training(noise):
    data = batch(noise)
    begin = start(NET, data.images, optax.sgd(0.1))
    plain = make_step(NET, optax.sgd(0.1), transform=unit_scale())
    weightless = make_step(
        NET, optax.sgd(0.1), transform=unit_scale(), objective=adversarial(8.0, 0.0)
    )
    (a, loss_a), (b, loss_b) = (jax.jit(step)(begin, data) for step in (plain, weightless))
    np.testing.assert_allclose(loss_a, loss_b, rtol=1e-6)
    chex.assert_trees_all_close(a.params, b.params, rtol=1e-5, atol=1e-7)


def test_it_goes_through_fit_and_its_checkpoints_are_its_own(noise, tmp_path):
    def train(objective, folder=None):
        options = {} if objective is None else {"objective": objective}
        execution = None if folder is None else Execution(checkpoints=Checkpoints(folder))
        return fit(
            NET,
            optax.sgd(0.1),
            noise,
            seed=0,
            batch_size=30,
            max_epochs=2,
            transform=unit_scale(),
            execution=execution,
            **options,
        )

    plain, moved = train(None, tmp_path), train(adversarial(20.0))
    assert moved.history[-1]["train_loss"] != plain.history[-1]["train_loss"]
    with pytest.raises(InputError):
        train(adversarial(20.0), tmp_path)


@pytest.mark.parametrize(("radius", "weight"), [(0.0, 0.5), (1.0, -0.1), (1.0, 1.1)])
def test_bad_numbers_are_refused(radius, weight):
    with pytest.raises(InputError, match="adversarial: radius"):
        adversarial(radius, weight)
