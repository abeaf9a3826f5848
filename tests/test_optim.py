"""Optimizers against NumPy by hand and against optax's own."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rote import optim

RECIPES = {
    "sgd": optim.sgd,
    "momentum": optim.momentum,
    "averaged_momentum": optim.averaged_momentum,
    "adam": optim.adam,
}
PARAMS = {
    "dense": {"kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "bias": jnp.array([1.0, -1.0])},
    "norm": {"scale": jnp.array([2.0, 0.5]), "offset": jnp.array([0.0, 1.0])},
}
STEPS = 7


def gradient(params, step):
    """Some gradient that depends on the params and on the step."""
    return jax.tree.map(lambda w: jnp.sin(w + step) + w, params)


def descend(optimizer: optax.GradientTransformation, params=PARAMS, steps: int = STEPS):
    opt_state = optimizer.init(params)
    for step in range(steps):
        updates, opt_state = optimizer.update(gradient(params, step), opt_state, params)
        params = optax.apply_updates(params, updates)
    return params


def numpy_descend(rule: Callable, weight_decay: float = 0.0) -> dict:
    """The same in float64; ``rule(g, memory, t) -> (update, memory)`` per array."""
    params = jax.tree.map(lambda w: np.asarray(w, np.float64), PARAMS)
    leaves, treedef = jax.tree_util.tree_flatten_with_path(params)
    final = []
    for path, start in leaves:
        w, memory = start, None
        for step in range(STEPS):
            g = np.sin(w + step) + w
            if path[-1].key == "kernel":
                g = g + weight_decay * w
            update, memory = rule(g, memory, step + 1)
            w = w + update
        final.append(w)
    return jax.tree.unflatten(treedef, final)


def heavy_ball(g, m, t, rate=0.1, b=0.9):
    m = g if m is None else b * m + g
    return -rate * m, m


def averaged(g, m, t, rate=0.1, b=0.9):
    m = (1 - b) * g + (0 if m is None else b * m)
    return -rate * m, m


def adam(g, memory, t, rate=0.1, b1=0.9, b2=0.999, eps=1e-8):
    m, v = (0, 0) if memory is None else memory
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    return -rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps), (m, v)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("sgd", lambda g, memory, t: (-0.1 * g, None)),
        ("momentum", heavy_ball),
        ("averaged_momentum", averaged),
        ("adam", adam),
    ],
)
def test_agrees_with_numpy(name: str, rule: Callable, weight_decay: float) -> None:
    with jax.enable_x64(True):
        params = jax.tree.map(lambda w: jnp.asarray(w, jnp.float64), PARAMS)
        actual = descend(RECIPES[name](0.1, weight_decay=weight_decay), params)
    chex.assert_trees_all_close(actual, numpy_descend(rule, weight_decay), rtol=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optim.sgd(0.1), optax.sgd(0.1)),
        (optim.momentum(0.1, 0.8), optax.sgd(0.1, momentum=0.8)),
        (optim.adam(0.1, b1=0.8, b2=0.9, eps=1e-3), optax.adam(0.1, b1=0.8, b2=0.9, eps=1e-3)),
    ],
)
def test_equals_optax(ours, theirs) -> None:
    chex.assert_trees_all_equal(descend(ours), descend(theirs))


def test_averaged_momentum_is_heavy_ball_at_a_smaller_rate() -> None:
    chex.assert_trees_all_close(
        descend(optim.averaged_momentum(0.1, 0.75)), descend(optim.momentum(0.025, 0.75)), rtol=1e-5
    )


@pytest.mark.parametrize("name", RECIPES)
def test_weight_decay_reaches_kernels_only_unless_told_otherwise(name: str) -> None:
    plain = descend(RECIPES[name](0.1))
    decayed = descend(RECIPES[name](0.1, weight_decay=0.3))
    everywhere = descend(
        RECIPES[name](
            0.1, weight_decay=0.3, decay=lambda params: jax.tree.map(lambda _: True, params)
        )
    )
    chex.assert_trees_all_equal(decayed["norm"], plain["norm"])
    chex.assert_trees_all_equal(decayed["dense"]["bias"], plain["dense"]["bias"])
    chex.assert_trees_all_equal(decayed["dense"]["kernel"], everywhere["dense"]["kernel"])
    assert jnp.abs(decayed["dense"]["kernel"] - plain["dense"]["kernel"]).min() > 1e-3
    assert jnp.abs(everywhere["norm"]["scale"] - plain["norm"]["scale"]).min() > 1e-3


def test_kernels_go_by_name_whatever_the_rank() -> None:
    stacked = jax.tree.map(lambda w: jnp.stack([w] * 3), PARAMS)
    expected = {
        "dense": {"kernel": True, "bias": False},
        "norm": {"scale": False, "offset": False},
    }
    assert optim.kernels(PARAMS) == optim.kernels(stacked) == expected
    assert optim.kernels({"kernel": {"bias": jnp.zeros(2)}}) == {"kernel": {"bias": False}}
    assert optim.kernels(jnp.zeros(3)) is False


@pytest.mark.parametrize("name", RECIPES)
def test_hyper_parameters_may_differ_between_the_runs_of_one_vmap(name: str) -> None:
    rates, decays = jnp.array([0.1, 0.03, 0.1]), jnp.array([0.0, 0.2, 0.4])

    @jax.jit
    @jax.vmap
    def runs(rate, weight_decay):
        return descend(
            RECIPES[name](optim.epoch_decay(rate, 0.9, 2), weight_decay=weight_decay), steps=4
        )

    together = runs(rates, decays)
    for i, (rate, weight_decay) in enumerate(zip(rates, decays, strict=True)):
        schedule = optim.epoch_decay(float(rate), 0.9, 2)
        alone = descend(RECIPES[name](schedule, weight_decay=float(weight_decay)), steps=4)
        chex.assert_trees_all_close(
            jax.tree.map(lambda w, i=i: w[i], together), alone, rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("make", [optim.momentum, optim.averaged_momentum])
def test_momentum_may_be_traced(make) -> None:
    traced = jax.jit(lambda b: descend(make(0.1, b)))(0.5)
    chex.assert_trees_all_close(traced, descend(make(0.1, 0.5)), rtol=1e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_steps_do_not_retrace_and_keep_the_state_a_scan_carries(name: str) -> None:
    optimizer = RECIPES[name](optim.epoch_decay(0.1, 0.9, 2), weight_decay=0.1)

    def step(carry, i):
        params, opt_state = carry
        updates, opt_state = optimizer.update(gradient(params, i), opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), None

    (params, _), _ = jax.lax.scan(step, (PARAMS, optimizer.init(PARAMS)), jnp.arange(STEPS))
    chex.assert_trees_all_close(params, descend(optimizer), rtol=1e-5, atol=1e-6)


def test_epoch_decay() -> None:
    schedule = jax.jit(optim.epoch_decay(0.1, 0.95, steps_per_epoch=390))
    steps = np.array([0, 1, 389, 390, 779, 780, 390 * 100 - 1, 390 * 100])
    expected = 0.1 * 0.95 ** (steps // 390)
    np.testing.assert_allclose([schedule(step) for step in steps], expected, rtol=1e-5)


def test_epoch_decay_is_exact_where_floats_are_not() -> None:
    step = 3 * (2**23 + 1) - 1  # float32 would round it up, into the next epoch
    schedule = optim.epoch_decay(1.0, 0.5, steps_per_epoch=step + 1)
    assert float(schedule(jnp.int32(step))) == 1.0
    assert float(schedule(jnp.int32(step + 1))) == 0.5


def test_epoch_decay_keeps_the_dtype_of_the_params() -> None:
    params = {"kernel": jnp.ones(3)}
    with jax.enable_x64(True):
        updates, _ = jax.eval_shape(
            lambda p: optim.sgd(optim.epoch_decay(0.1, 0.9, 5)).update(
                p, optim.sgd(optim.epoch_decay(0.1, 0.9, 5)).init(p), p
            ),
            params,
        )
    assert updates["kernel"].dtype == jnp.float32


def test_a_gradient_penalty_descends_the_penalised_loss() -> None:
    def loss(params):
        return jnp.sum(jnp.tanh(params["w"]) ** 2 * params["b"]) + jnp.sum(params["b"] ** 3)

    def penalised(params, coefficient):
        return loss(params) + coefficient * optax.tree.norm(jax.grad(loss)(params), squared=True)

    with jax.enable_x64(True):
        params = {"w": jnp.array([0.3, -1.2]), "b": jnp.array([0.5, 2.0])}

        def step(coefficient):
            optimizer = optax.chain(optim.gradient_penalty(coefficient), optim.sgd(0.1))
            updates, _ = optimizer.update(
                jax.grad(loss)(params), optimizer.init(params), params, value_fn=loss
            )
            return updates

        coefficients = jnp.array([0.0, 0.25, 1.0])
        together = jax.vmap(step)(coefficients)
        for i, coefficient in enumerate(coefficients):
            expected = jax.tree.map(lambda g: -0.1 * g, jax.grad(penalised)(params, coefficient))
            alone = step(coefficient)
            chex.assert_trees_all_close(alone, expected, rtol=1e-12)
            chex.assert_trees_all_close(
                jax.tree.map(lambda u, i=i: u[i], together), expected, rtol=1e-12
            )
