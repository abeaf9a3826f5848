"""Functions of nets with random parameters, against the nets taken one by one."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import measure, models
from rote.core import InputError

INPUTS = np.array(list(itertools.product((0, 1), repeat=3)), np.float32)


def test_functions_are_the_signs_of_each_net():
    net = models.mlp((5,), num_classes=1)
    found = measure.random_functions(net, INPUTS, jax.random.split(jax.random.key(0), 4))
    assert found.shape == (4, 1) and found.dtype == jnp.uint8
    bits = np.unpackbits(np.asarray(found), axis=1)
    for key, row in zip(jax.random.split(jax.random.key(0), 4), bits, strict=True):
        params, state = net.init(key, INPUTS)
        outputs, _ = net.apply(params, state, INPUTS, train=False)
        np.testing.assert_array_equal(row, np.asarray(outputs)[:, 0] > 0)
    assert len(np.unique(bits, axis=0)) > 1


def test_a_net_of_several_outputs_is_refused():
    with pytest.raises(InputError, match=r"outputs of shape \(8, 2\) for 8 inputs"):
        net = models.mlp((), num_classes=2)
        measure.random_functions(net, INPUTS, jax.random.split(jax.random.key(0), 1))
