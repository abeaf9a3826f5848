"""Summaries: rows, totals, and models whose authors never heard of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import models
from rote.combinators import concat, residual, serial
from rote.core import Model, count_params
from rote.layers import activation, batch_norm, conv, dense, dropout, flatten, max_pool
from rote.summary import Row, summary


def images(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def test_rows() -> None:
    net = serial(
        stem=conv(4, 3, stride=2),
        block=residual(serial(norm=batch_norm(), conv=conv(4, 1, bias=False)), dropout(0.5)),
        branches=concat(max_pool(2), conv(2, 2, padding="VALID", stride=2)),
        relu=activation(jax.nn.relu),
        flatten=flatten(),
        head=dense(10),
    )
    assert summary(net, images(7, 8, 8, 3)).rows == (
        Row("stem", "conv", (4, 4, 4), 27 * 4 + 4, 16 * 4 * 27),
        Row("block/body/norm", "batch_norm", (4, 4, 4), 8, 0),
        Row("block/body/conv", "conv", (4, 4, 4), 16, 16 * 4 * 4),
        Row("block", "residual", (4, 4, 4), 0, 0),
        Row("branches/0", "max_pool", (2, 2, 4), 0, 0),
        Row("branches/1", "conv", (2, 2, 2), 16 * 2 + 2, 4 * 2 * 16),
        Row("branches", "concat", (2, 2, 6), 0, 0),
        Row("relu", "activation", (2, 2, 6), 0, 0),
        Row("flatten", "flatten", (24,), 0, 0),
        Row("head", "dense", (10,), 250, 240),
    )


def test_table() -> None:
    net = serial(hidden=dense(1000), relu=activation(jax.nn.relu), head=dense(10))
    assert str(summary(net, images(1, 2, 2, 500))) == repr(summary(net, images(1, 2, 2, 500)))
    assert str(summary(net, images(1, 2, 2, 500))).splitlines() == [
        "layer   kind        output shape  parameters  multiply-adds",
        "------  ----------  ------------  ----------  -------------",
        "hidden  dense       2x2x1000         501,000      2,000,000",
        "relu    activation  2x2x1000               0              0",
        "head    dense       2x2x10            10,010         40,000",
        "------  ----------  ------------  ----------  -------------",
        "total                                511,010      2,040,000",
    ]


@pytest.mark.parametrize(
    ("net", "billions", "params"),
    [
        (models.resnet18(num_classes=1000), 1.81, 11_689_512),
        (models.resnet50(num_classes=1000), 4.09, 25_557_032),
    ],
)
def test_published_totals(net: Model, billions: float, params: int) -> None:
    table = summary(net, images(64, 224, 224, 3))
    assert round(table.multiply_adds / 1e9, 2) == billions
    assert table.params == params


def test_native_convolution_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    net, example = models.inception_small(num_classes=10), images(1, 28, 28, 3)
    on_cpu = summary(net, example)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "conv_general_dilated" in str(
        jax.make_jaxpr(lambda x: net.apply(*net.init(jax.random.key(0), x), x, train=False))(
            jnp.zeros(example.shape)
        )
    )
    assert summary(net, example) == on_cpu


def own_model(scope: str | None = None) -> Model:
    """A model as a user may write it: jitted, a loop inside, parameters in a list, no scopes."""

    def init(key, example):
        weights = [jax.random.normal(k, (8, 8)) for k in jax.random.split(key, 2)]
        return {"weights": weights, "unused": jnp.zeros(5)}, {}

    @jax.jit
    def loop(weights, x):
        x = jax.lax.scan(lambda x, _: (x @ weights[0], None), x, None, length=3)[0]
        return jnp.sin(x @ weights[1])

    def apply(params, state, x, *, train, key=None):
        del train, key
        if scope is None:
            return loop(params["weights"], x), state
        with jax.named_scope(scope):
            return loop(params["weights"], x), state

    return Model(init, apply)


def test_any_model() -> None:
    x = images(2, 8)
    assert summary(own_model(), x).rows == (Row("", "", (8,), 133, 4 * 64),)
    assert summary(own_model("mine"), x).rows == (Row("", "mine", (8,), 133, 4 * 64),)
    net = serial(dense(8), own_model(), own_model("mine"), own_model())
    assert summary(net, x).rows == (
        Row("0", "dense", (8,), 72, 64),
        Row("1", "", (8,), 133, 4 * 64),
        Row("2", "mine", (8,), 133, 4 * 64),
        Row("3", "", (8,), 133, 4 * 64),
    )


def test_bare_layer_shared_layer_and_unused_parameters() -> None:
    assert summary(dense(3), images(2, 4)).rows == (Row("", "dense", (3,), 15, 12),)
    shared = dense(4)

    def apply(params, state, x, *, train, key=None):
        for _ in range(2):
            with jax.named_scope("shared"):
                x, _ = shared.apply(params["shared"], {}, x, train=train)
        return x, state

    def init(key, example):
        return {"shared": shared.init(key, example)[0], "spare": {"w": jnp.zeros(7)}}, {}

    assert summary(Model(init, apply), images(2, 4)).rows == (
        Row("shared", "dense", (4,), 20, 32),
        Row("spare", "", (), 7, 0),
    )


@pytest.mark.parametrize(
    "net",
    [
        models.cnn(num_classes=10, batch_norm=False),
        models.alexnet_small(num_classes=10),
        models.resnet(8, num_classes=10),
        models.wide_resnet(10, 2, num_classes=10, dropout=0.5),
    ],
)
def test_totals_agree_with_the_parameters_and_the_compiler(net: Model) -> None:
    """XLA counts two operations per multiply-add, some more for the rest, and none with padding.

    The images are large, so that few windows reach over their edges.
    """
    example = images(1, 64, 64, 3)
    table = summary(net, example)
    params, state = jax.eval_shape(net.init, jax.random.key(0), example)
    assert table.params == count_params(params)
    forward = jax.jit(lambda p, s, x: net.apply(p, s, x, train=False)[0])
    cost = forward.lower(params, state, example).cost_analysis()
    assert cost is not None
    flops = cost["flops"]
    assert 2 * table.multiply_adds == pytest.approx(flops, rel=0.2)


def test_nothing_is_computed() -> None:
    net = serial(dense(10**6), dense(10**6))  # 4 TB of parameters
    table = summary(net, images(1, 10**6))
    assert table.params == 2 * (10**12 + 10**6)
    assert table.multiply_adds == 2 * 10**12
    assert np.prod(table.rows[-1].shape) == 10**6
