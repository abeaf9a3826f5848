"""The recipe of He et al. (2015), how its claims are judged, and what its page says."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote.core import count_params
from rote.studies import he2015
from rote.studies.comparison import Result, compare
from rote.studies.he2015.claims import claims
from rote.studies.he2015.published import PUBLISHED

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "he2015"


def side_by_side():
    spec = importlib.util.spec_from_file_location("side_by_side", FOLDER / "side_by_side.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_plain_net_has_the_residual_nets_parameters():
    example = jax.ShapeDtypeStruct((1, 32, 32, 3), "float32")
    counts = []
    for net in ("plain", "residual"):
        model = he2015.build(net, 20, 10)
        counts.append(count_params(jax.eval_shape(model.init, jax.random.key(0), example)[0]))
    assert counts == [269_722, 269_722]
    with pytest.raises(ValueError, match="did you mean 'plain'"):
        he2015.build("plian", 20, 10)


def test_the_published_schedule():
    rate = jax.jit(he2015.learning_rate_schedule(0.1, 64_000))
    at = {0: 0.1, 31_999: 0.1, 32_000: 0.01, 47_999: 0.01, 48_000: 0.001, 63_999: 0.001}
    np.testing.assert_allclose([rate(step) for step in at], list(at.values()), rtol=1e-6)
    warm = he2015.learning_rate_schedule(0.1, 64_000, warm_up=400)
    np.testing.assert_allclose(
        [warm(step) for step in (0, 399, 400, 32_000)], [0.01, 0.01, 0.1, 0.01], rtol=1e-6
    )


def test_the_mean_is_taken_by_place():
    images = np.array([[[[0], [255]]], [[[51], [255]]]], np.uint8)  # [2, 1, 2, 1]
    left = he2015.subtract_mean(images)(jnp.asarray(images), train=True)
    np.testing.assert_allclose(left[..., 0], [[[-0.1, 0.0]], [[0.1, 0.0]]], atol=1e-6)


def result(accuracies, num_train=50_000):
    """Of nets over depth; train and test accuracies are the same."""
    table = [
        {
            "net": net,
            "depth": depth,
            "seed": seed,
            "train_accuracy": value,
            "test_accuracy": value,
            "test_error": None if value is None else 1 - value,
        }
        for (net, depth), of in accuracies.items()
        for seed, value in enumerate(of)
    ]
    data = {"name": "cifar10", "num_train": num_train, "subset": False, "stored_as": "PNG"}
    return Result("some", "depth", "", {}, {}, [data], {}, "", table)


def test_degradation_is_that_of_plain_nets():
    low, high = (0.85, 0.851, 0.852), (0.91, 0.912, 0.911)
    nets = {("plain", 20): high, ("plain", 56): low, ("plain", 32): (0, 0, 0)}
    nets |= {("residual", 20): low, ("residual", 56): high}
    assert [claim.judge(result(nets)).verdict for claim in claims()] == ["holds"] * 4
    turned = {(net, 76 - depth): of for (net, depth), of in nets.items() if depth != 32}
    assert [claim.judge(result(turned)).verdict for claim in claims()] == ["does not hold"] * 4
    same = dict.fromkeys(nets, high)
    assert [claim.judge(result(same)).verdict for claim in claims()] == ["inconclusive"] * 4


def test_little_is_said_of_little():
    plain, residual, *_ = claims()
    diverged = {("plain", 20): (0.9, 0.9, 0.9), ("plain", 56): (0.8, None, None)}
    assert plain.judge(result(diverged)).verdict == "too few"
    assert residual.judge(result(diverged)) is None
    assert claims()[-1].judge(result(diverged)) is None
    assert plain.judge(result({("plain", 20): (0.9, 0.9, 0.9)})) is None


def test_table_6_is_compared_by_depth(experiment_presets):
    ours = result({("residual", 20): (0.9125, 0.913, 0.912)})
    ours = ours._replace(config=experiment_presets["paper"].__dict__ | {"depths": [20]})
    found = {
        item.published.match["depth"]: item.verdict
        for item in compare(PUBLISHED, [ours], {"depth": experiment_presets["paper"]})
    }
    assert found == {20: "agrees", **dict.fromkeys((32, 44, 56, 110, 1202), "not run")}


@pytest.fixture
def experiment_presets():
    spec = importlib.util.spec_from_file_location("depth", FOLDER / "depth.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PRESETS


def test_the_paper_preset_takes_the_published_steps(experiment_presets):
    paper = experiment_presets["paper"]
    assert abs(paper.max_epochs * (50_000 // paper.batch_size) / 64_000 - 1) < 0.002


def test_the_readme_is_what_the_result_files_give(capsys):
    assert side_by_side().main(["--check"]) == 0, capsys.readouterr().err
