import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rote.combinators import serial
from rote.core import Batch
from rote.layers import activation, batch_norm, dense, dropout, flatten
from rote.train import init_train_state, make_forward, make_step
from rote.transforms import unit_scale

NET = serial(flatten(), dense(8), batch_norm(), activation(jax.nn.relu), dropout(0.5), dense(4))


def start(model, images, optimizer):
    params, state = model.init(jax.random.key(0), unit_scale()(images, train=False))
    return init_train_state(params, state, optimizer, jax.random.key(1))


def batch(noise, size=32):
    return Batch(jnp.asarray(noise.train.images[:size]), jnp.asarray(noise.train.labels[:size]))


def test_a_repeated_step_repeats_its_draws_and_the_next_one_does_not(noise):
    step = jax.jit(make_step(NET, optax.sgd(0.0), transform=unit_scale()))
    data = batch(noise)
    first = start(NET, data.images, optax.sgd(0.0))
    second, loss = step(first, data)
    _, again = step(first, data)
    _, after = step(second, data)
    assert loss == again
    assert loss != after  # learning rate 0: only the dropout mask differs


def test_jit_scan_and_vmap_give_what_plain_calls_give(noise):
    optimizer = optax.sgd(0.1, momentum=0.9)
    step = make_step(NET, optimizer, transform=unit_scale())
    data = batch(noise)
    plain = begin = start(NET, data.images, optimizer)
    for _ in range(3):
        plain, loss = step(plain, data)
    scanned, losses = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, data), s, length=3))(
        begin
    )
    chex.assert_trees_all_close(plain.params, scanned.params, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(losses[-1], loss, rtol=1e-5)

    keys = jax.random.split(jax.random.key(5), 2)
    both = jax.jit(jax.vmap(lambda key: step(begin._replace(key=key), data)[1]))(keys)
    compiled = jax.jit(step)
    alone = [compiled(begin._replace(key=key), data)[1] for key in keys]
    np.testing.assert_allclose(both, np.stack(alone), rtol=1e-5)
    assert both[0] != both[1]


@pytest.mark.parametrize("micro_batches", [2, 8])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(noise, micro_batches):
    model = serial(flatten(), dense(8), activation(jax.nn.relu), dense(4))
    optimizer = optax.sgd(0.1, momentum=0.9)
    data = batch(noise)
    begin = start(model, data.images, optimizer)
    whole, loss = jax.jit(make_step(model, optimizer, transform=unit_scale()))(begin, data)
    in_parts = make_step(model, optimizer, transform=unit_scale(), micro_batches=micro_batches)
    parts, mean_of_losses = jax.jit(in_parts)(begin, data)
    chex.assert_trees_all_close(whole.params, parts.params, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(mean_of_losses, loss, rtol=1e-5)
    assert parts.step == 1


def test_each_part_has_its_own_statistics_and_draws(noise):
    """As four steps at learning rate 0 on the parts: the running statistics move four times."""
    data = batch(noise)
    begin = start(NET, data.images, optax.sgd(0.0))
    in_parts = make_step(NET, optax.sgd(0.0), transform=unit_scale(), micro_batches=4)
    after, _ = jax.jit(in_parts)(begin, data)
    forward = make_forward(NET, unit_scale())
    state = begin.state
    for part in range(4):
        _, state = forward(
            begin.params, state, data.images[part::4], train=True, key=jax.random.key(part)
        )
    chex.assert_trees_all_close(after.state, state, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_an_optimizer_is_given_the_loss_of_its_mini_batch_as_a_function(noise, micro_batches):
    """With this step's dropout and batch statistics, so that what it returns is what was seen."""

    def update(updates, state, params, *, value, grad, value_fn):
        again, gradient = jax.value_and_grad(value_fn)(params)
        return updates, {"value": (value, again), "grad": (grad, gradient), "updates": updates}

    spy = optax.GradientTransformationExtraArgs(lambda params: {}, update)
    step = make_step(NET, spy, transform=unit_scale(), micro_batches=micro_batches)
    data = batch(noise)
    after, loss = jax.jit(step)(start(NET, data.images, spy), data)
    seen = after.opt_state
    np.testing.assert_allclose(seen["value"][0], loss)
    np.testing.assert_allclose(*seen["value"], rtol=1e-6)
    chex.assert_trees_all_close(*seen["grad"], rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_equal(seen["grad"][0], seen["updates"])


def test_one_trace_serves_many_steps(noise):
    optimizer = optax.adam(1e-3)
    step = jax.jit(chex.assert_max_traces(make_step(NET, optimizer, transform=unit_scale()), n=1))
    data = batch(noise)
    train_state = start(NET, data.images, optimizer)
    for _ in range(3):
        train_state, _ = step(train_state, data)
    assert train_state.step == 3


def test_compute_dtype_acts_inside_the_net_only(noise):
    seen = []

    def spy(x):
        seen.append(x.dtype)
        return x

    model = serial(flatten(), dense(8), batch_norm(), activation(spy), dense(4))
    data = batch(noise)
    begin = start(model, data.images, optax.sgd(0.1))
    seen.clear()
    forward = make_forward(model, unit_scale(), "bfloat16")
    logits, state = forward(begin.params, begin.state, data.images, train=True)
    assert set(seen) == {jnp.dtype("bfloat16")}
    assert logits.dtype == jnp.float32
    chex.assert_trees_all_equal_dtypes(state, begin.state)
    full, _ = make_forward(model, unit_scale())(begin.params, begin.state, data.images, train=True)
    np.testing.assert_allclose(logits, full, atol=0.1)
    assert not np.array_equal(logits, full)

    step = make_step(model, optax.sgd(0.1), transform=unit_scale(), compute_dtype="bfloat16")
    after, loss = jax.jit(step)(begin, data)
    assert loss.dtype == jnp.float32
    chex.assert_trees_all_equal_dtypes(after.params, begin.params)


@pytest.mark.parametrize("train", [True, False])
def test_forward_is_transform_then_model(noise, train):
    model = serial(flatten(), dense(4))
    data = batch(noise)
    begin = start(model, data.images, optax.sgd(0.1))
    logits, _ = make_forward(model, unit_scale())(
        begin.params, begin.state, data.images, train=train
    )
    layer = begin.params["1"]
    x = np.asarray(data.images, np.float32).reshape(32, -1) / 255
    np.testing.assert_allclose(logits, x @ layer["kernel"] + layer["bias"], rtol=1e-4, atol=1e-5)
