"""The linear models as a user runs them: what they claim, and that nothing is solved twice."""

import dataclasses

import numpy as np
import pytest

from rote import data, linear
from rote.core import InputError
from rote.record import RunDir

SMALL = (
    "--seeds",
    "0",
    "--num-train",
    "150",
    "--features",
    "pixels",
    "random_conv",
    "--num-filters",
    "30",
)


@pytest.fixture(scope="module")
def smoke(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("linear") / "run"
    assert (
        command("linear_models", "--preset", "smoke", "--seeds", "0", "1", "--out", str(out)) == 0
    )
    return RunDir.open(out)


@pytest.mark.slow
def test_every_label_is_fitted_and_true_ones_generalise(smoke):
    table = smoke.summary["table"]
    assert {row["features"] for row in table} == {"pixels", "gabor", "random_conv"}
    for row in table:
        if row["l2"] == 0:
            assert row["train_accuracy"] == 1 and row["residual"] < 1e-6
        if row["labels"] == "true":
            assert row["test_error"] < 0.05
        else:
            assert row["test_error"] > 0.75
    counts = {
        (kind, labels): len([r for r in table if (r["features"], r["labels"]) == (kind, labels)])
        for kind in ("pixels", "random_conv")
        for labels in ("true", "random")
    }
    assert counts == {  # two coefficients; without randomness one solution, not one per seed
        ("pixels", "true"): 2,
        ("pixels", "random"): 4,
        ("random_conv", "true"): 4,
        ("random_conv", "random"): 4,
    }


@pytest.mark.slow
def test_random_labels_take_a_larger_norm_and_l2_a_smaller_one(smoke):
    rows = {
        (row["features"], row["labels"], row["l2"]): row
        for row in smoke.summary["table"]
        if row["seed"] == 0
    }
    for kind in ("pixels", "gabor", "random_conv"):
        assert rows[kind, "random", 0]["norm"] > rows[kind, "true", 0]["norm"]
        assert rows[kind, "true", 0.001]["norm"] < rows[kind, "true", 0]["norm"]
    pixels, gabor = (rows[kind, "true", 0] for kind in ("pixels", "gabor"))
    assert gabor["norm"] > pixels["norm"] and gabor["test_error"] < pixels["test_error"]


@pytest.mark.slow
def test_the_picture_of_sgd(smoke, experiment):
    module = experiment("linear_models")
    paths = module.descent(module.PRESETS["smoke"], module.data.load("digits"))
    assert paths["zero"][0] == pytest.approx(1)
    assert paths["zero"][-1] < 1e-4 < 0.1 < paths["elsewhere"][-1]
    names = {path.name for path in smoke.figures()}
    assert names == {"norm_and_error.png", "sgd.png"}


@pytest.mark.slow
def test_a_killed_run_keeps_what_it_has_solved(command, tmp_path, monkeypatch, capsys):
    whole, out = tmp_path / "whole", tmp_path / "cut"
    assert command("linear_models", *SMALL, "--out", str(whole)) == 0
    solve, calls = linear.solve, []

    class Killed(BaseException):
        pass

    def killed(*arguments):
        if len(calls) == 3:
            raise Killed
        calls.append(arguments[2])
        return solve(*arguments)

    monkeypatch.setattr(linear, "solve", killed)
    with pytest.raises(Killed):
        command("linear_models", *SMALL, "--out", str(out))
    assert len(RunDir.open(out).kept()) > 0
    monkeypatch.setattr(linear, "solve", solve)
    capsys.readouterr()
    assert command("linear_models", *SMALL, "--out", str(out)) == 0
    assert "continuing the run" in capsys.readouterr().err
    tables = [
        [{**row, "seconds": 0} for row in RunDir.open(folder).summary["table"]]
        for folder in (whole, out)
    ]
    assert tables[0] == tables[1]
    assert not RunDir.open(out).checkpoints.exists()


@pytest.mark.slow
def test_the_gram_matrix_of_random_features_is_that_of_all_at_once(experiment, monkeypatch):
    module = experiment("linear_models")
    images = module.data.load("digits", num_train=50).train.images
    config = module.Config(num_filters=7)
    together = module.random_gram(config, images, images[:9], 0)
    monkeypatch.setattr(module, "FILTERS_AT_ONCE", 3)
    parts = module.random_gram(config, images, images[:9], 0)
    assert together.num_features == parts.num_features == 7 * 8
    np.testing.assert_allclose(np.triu(parts.matrix), np.triu(together.matrix), rtol=1e-4)
    alpha = np.ones((50, 2))
    np.testing.assert_allclose(parts.predict(alpha), together.predict(alpha), rtol=1e-4)
    # Trained on and tested on the same examples: the same inner products.
    np.testing.assert_allclose(
        parts.predict(np.eye(50)), np.triu(parts.matrix)[:9] + np.tril(parts.matrix.T, -1)[:9]
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--features", "pixel"), "unknown features 'pixel': did you mean 'pixels'"),
        (("--conditions", "gaussian"), "unknown condition 'gaussian'"),
        (("--l2", "-1"), "l2: -1.0; expected 0 or positive"),
        (("--gamma", "0"), "gamma: 0.0; expected a positive"),
        (("--num-filters", "0"), "num_filters: 0; expected at least 1"),
        (
            ("--num-train", "300", "--features", "random_conv", "--num-filters", "5"),
            "are 40 features",
        ),
        (("--gamma", "inf"), "gamma: inf; expected a positive"),
        (("--l2", "inf"), "l2: inf; expected 0 or positive"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command("linear_models", "--preset", "smoke", *flags, "--out", str(tmp_path)) == 2
    assert message in capsys.readouterr().err


def test_wavelets_of_color_images_are_refused_before_anything_is_solved(experiment):
    gray = data.load("digits", num_train=20)
    train, test = (
        split._replace(images=np.repeat(split.images, 3, axis=-1))
        for split in (gray.train, gray.test)
    )
    color = dataclasses.replace(gray, train=train, test=test)
    module = experiment("linear_models")
    with pytest.raises(InputError, match="features: gabor, of images with 3 channels"):
        module.check_features(module.Config(features=("pixels", "gabor")), color)
    module.check_features(module.Config(features=("pixels",)), color)
