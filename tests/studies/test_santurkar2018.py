"""The nets and the course of Santurkar et al. (2018), and how its claims are judged."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from rote import data, fit, optim, transforms
from rote.core import count_params
from rote.studies import santurkar2018
from rote.studies.comparison import Result
from rote.studies.santurkar2018.claims import claims

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "santurkar2018"


def test_vgg_has_the_published_convolutions():
    net = santurkar2018.vgg("plain", 5, 64, 10)
    example = jax.ShapeDtypeStruct((1, 32, 32, 3), "float32")
    params, _ = jax.eval_shape(net.model.init, jax.random.key(0), example)
    # 14,714,688 of the convolutions in the published net of 16 layers, and the dense layer.
    assert count_params(params) == 14_714_688 + 5_130
    assert set(net.layers) <= set(params)
    with pytest.raises(ValueError, match="6 stages; expected 1 to 5"):
        santurkar2018.vgg("plain", 6, 64, 10)
    with pytest.raises(ValueError, match="did you mean 'plain'"):
        santurkar2018.chain("plian", 2, 8, 10)


def test_the_course_is_that_of_fit():
    dataset = data.load("digits", num_train=200)
    model, _ = santurkar2018.chain("plain", 1, 8, 10)
    *looks, last = santurkar2018.looks_along(
        model,
        optim.sgd(0.5),
        dataset,
        lambda loss, params: loss(params),
        seed=3,
        batch_size=50,
        steps=8,
        every=3,
        transform=transforms.unit_scale(),
    )
    assert [look.step for look in looks] == [0, 3, 6] and last.step == 8
    assert last.found is None and looks[-1].found < looks[0].found
    fitted = fit(
        model,
        optim.sgd(0.5),
        dataset,
        seed=3,
        batch_size=50,
        max_epochs=2,
        transform=transforms.unit_scale(),
    )
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5),
        last.train_state.params,
        fitted.params,
    )


def test_the_landscape_of_a_bowl():
    found = santurkar2018.landscape(lambda w: w**2, jax.numpy.array(1.0), 0.25)
    # From half to four times a step: w goes from 0.75 to -1, w^2 is lowest near 0.
    assert found["smoothness"] == pytest.approx(2) and found["loss"] == 1
    assert found["gradient_change"] == pytest.approx(4)
    assert 0.95 < found["loss_range"] <= 1


def table(values, rates=(0.1,)):
    rows = [
        {"net": net, "learning_rate": rate, "seed": seed, **dict.fromkeys(COLUMNS, value)}
        for net, of in values.items()
        for rate in rates
        for seed, value in enumerate(of)
    ]
    return Result("some", "shift_and_smoothness", "", {}, {}, [], {}, "", rows)


COLUMNS = ("train_accuracy", "gradient_cosine", *santurkar2018.LANDSCAPE)


def verdicts(result):
    return [claim.judge(result).verdict for claim in claims()]


def test_each_claim_has_its_side():
    plain, normed = (0.5, 0.51, 0.5), (0.3, 0.3, 0.31)
    noisy = (0.28, 0.29, 0.29)
    result = table({"plain": plain, "batch_norm": normed, "noisy_batch_norm": noisy})
    assert verdicts(result) == ["holds", "does not hold", *["holds"] * 4]
    turned = table({"plain": noisy, "batch_norm": plain, "noisy_batch_norm": normed})
    assert verdicts(turned)[:3] == ["does not hold", "holds", "does not hold"]
    assert verdicts(turned)[3:] == ["does not hold"] * 3


def test_rates_that_disagree_are_inconclusive_and_what_diverged_is_counted():
    result = table({"plain": (0.5, 0.51, 0.5), "batch_norm": (0.3, 0.3, 0.31)}, rates=(0.1, 0.5))
    for row in result.table:
        if row["learning_rate"] == 0.5:
            row["smoothness"] = 1 - row["smoothness"]
    assert claims()[-1].judge(result).verdict == "inconclusive"
    assert claims()[0].judge(result) is None  # no noisy net
    diverged = table({"plain": (None, None, None), "noisy_batch_norm": (0.3, 0.3, 0.31)})
    assert claims()[1].judge(diverged).verdict == "holds"
    few = table({"plain": (None, None, 0.5), "batch_norm": (0.3, 0.3, 0.31)})
    assert claims()[2].judge(few).verdict == "too few"
    flat = table({"plain": (0.0, 0.5, 0.5), "batch_norm": (0.3, 0.3, 0.31)})
    assert claims()[-1].judge(flat).verdict == "too few"  # 0 has no logarithm


def test_the_readme_is_what_the_result_files_give(capsys):
    spec = importlib.util.spec_from_file_location("side_by_side", FOLDER / "side_by_side.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, capsys.readouterr().err
