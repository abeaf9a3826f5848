"""What goes on inside a net, against what its layers give one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import layers, measure, summary
from rote.combinators import residual, serial
from rote.core import InputError, Model
from rote.studies import catalog

X = jax.random.normal(jax.random.key(1), (6, 5))


def built(model, x=X):
    params, state = model.init(jax.random.key(0), x)
    return model, params, state, x


@pytest.mark.parametrize("train", [False, True])
def test_every_layer_of_a_stack_by_hand(train):
    parts = {
        "first": layers.dense(4),
        "norm": layers.batch_norm(),
        "relu": layers.activation(jax.nn.relu),
        "drop": layers.dropout(0.5),
        "head": layers.dense(3),
    }
    model, params, state, x = built(serial(**parts))
    key = jax.random.key(7)
    found = measure.layer_outputs(model, params, state, x, train=train, key=key)
    expected = {}
    for index, (name, part) in enumerate(parts.items()):
        own = jax.random.fold_in(key, index)
        x, _ = part.apply(params[name], state[name], x, train=train, key=own)
        if train or name != "drop":  # in eval mode it does nothing
            expected[name] = x
    assert list(found) == list(expected)
    for name, y in expected.items():
        np.testing.assert_allclose(found[name], y, rtol=1e-6)


def test_a_sum_with_its_shortcut():
    net = serial(block=residual(serial(dense=layers.dense(5))), head=layers.dense(2))
    model, params, state, x = built(net)
    found = measure.layer_outputs(model, params, state, x)
    body = x @ params["block"]["body"]["dense"]["kernel"] + params["block"]["body"]["dense"]["bias"]
    np.testing.assert_allclose(found["block/body/dense"], body, rtol=1e-5)
    np.testing.assert_allclose(found["block"], body + x, rtol=1e-5)
    assert list(found) == ["block/body/dense", "block", "head"]


@pytest.mark.parametrize("name", sorted({"mlp_3x512", "cnn", "alexnet_small", "resnet_8"}))
def test_the_layers_are_those_of_the_summary(name):
    x = jnp.ones((2, 28, 28, 3)) * jnp.arange(2.0)[:, None, None, None]
    net = catalog.build(name, 10)
    model, params, state, x = built(net, x)
    found = jax.jit(lambda p: measure.layer_outputs(model, p, state, x))(params)
    shapes = {row.path: row.shape for row in summary(net, x).rows}
    assert {path: y.shape[1:] for path, y in found.items()} == shapes
    last = found[list(shapes)[-1]]
    np.testing.assert_allclose(last, model.apply(params, state, x, train=False)[0], rtol=1e-5)


def test_a_model_without_scopes_is_one_layer():
    double = Model(lambda key, example: ({}, {}), lambda p, s, x, *, train, key=None: (x * 2, s))
    found = measure.layer_outputs(double, {}, {}, X)
    np.testing.assert_array_equal(found[""], 2 * X)


def test_outputs_can_be_differentiated_and_mapped():
    model, params, state, x = built(serial(a=layers.dense(4), b=layers.activation(jnp.tanh)))

    def size(x):
        return jnp.sum(measure.layer_outputs(model, params, state, x)["b"])

    expected = jax.grad(lambda x: jnp.sum(model.apply(params, state, x, train=False)[0]))(x)
    np.testing.assert_allclose(jax.grad(size)(x), expected, rtol=1e-6)
    assert jax.vmap(size)(jnp.stack([x, x])).shape == (2,)


def test_norms_of_a_tree():
    tree = {"a": {"kernel": jnp.full((3, 3), 2.0), "bias": jnp.zeros(3)}, "b": jnp.array([-5.0])}
    found = {path: float(norm) for path, norm in measure.array_norms(tree).items()}
    assert found == {"a/bias": 0, "a/kernel": 6, "b": 5}
    assert measure.array_norms(jnp.full(4, 300.0, jnp.float16))[""] == 600  # 4e4 squared is no half
    assert measure.array_norms({"count": jnp.array(3), "rate": -2.0}) == {"count": 3, "rate": 2}


def test_dead_units_are_the_same_for_every_example():
    images = jnp.zeros((2, 3, 3, 4)).at[1, 2, 2, 0].set(1).at[..., 1].set(5)
    assert measure.dead_units(images) == 0.75
    border = jnp.zeros((2, 3, 3, 1)).at[:, 0].set(1)  # places differ, examples do not
    assert measure.dead_units(border) == 1
    assert measure.dead_units(jnp.full((2, 3), jnp.nan)) == 1
    with pytest.raises(InputError, match="at least two examples"):
        measure.dead_units(images[:1])


@pytest.mark.parametrize(
    ("function", "inputs", "share"),
    [
        (jax.nn.relu, [-1.0, -0.1, 0.1, 2.0], 0.5),
        (jax.nn.sigmoid, [0.0, 5.0, -7.0, 4.0], 0.25),  # 0.4 % of a slope at 7, 2.7 % at 5
        (jnp.tanh, [0.0, 2.9, 3.1, -4.0], 0.5),  # 1 - tanh^2 is 0.01 at 2.993
        (lambda x: x, [-100.0, 100.0], 0),
        (jnp.sign, [-1.0, 1.0], 1),
    ],
)
def test_saturation_by_hand(function, inputs, share):
    assert measure.saturation(function, jnp.array(inputs)) == share


def test_saturation_of_what_is_no_activation():
    assert jnp.isnan(measure.saturation(jnp.tanh, jnp.array([0.0, jnp.nan])))
    with pytest.raises(InputError, match=r"share: 50; expected a number in \(0, 1\]"):
        measure.saturation(jnp.tanh, X, share=50)
    for inputs in (jnp.arange(3), jnp.zeros(0)):
        with pytest.raises(InputError, match="expected floating-point numbers"):
            measure.saturation(jnp.tanh, inputs)
