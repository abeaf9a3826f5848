"""The lesson on memorising one batch: that a net does, and that every bug shows."""

import math

import jax
import numpy as np
import pytest


@pytest.mark.slow
def test_one_batch_is_memorised_and_every_bug_shows(run_lesson, tmp_path):
    flags = ("--models", "mlp_1x512", "cnn", "--steps", "400")
    done = run_lesson("one_batch", *flags, out=tmp_path / "run")
    assert done.summary["wrong"] == 0
    rows = {(row["model"], row["labels"], row["bug"]): row for row in done.summary["table"]}
    assert len(rows) == 2 * 2 + 4
    for (_, _, bug), row in rows.items():
        assert row["memorised"] == (bug == "none")
        if bug == "none":
            assert row["loss"] < 1e-3 and row["accuracy"] == 1
    losses = {bug: row["loss"] for (_, _, bug), row in rows.items()}
    assert losses["softmax twice"] == pytest.approx(math.log(1 + 9 / math.e), abs=0.01)
    assert losses["labels redrawn"] > 1.5 and losses["learning rate 0"] > 2


def test_dead_units_end_at_the_entropy_of_the_labels(experiment):
    module = experiment("foundations/one_batch")
    config = module.Config(batch_size=4, steps=800, learning_rate=0.01)
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8)
    batch = module.Batch(jax.numpy.asarray(images), jax.numpy.array([0, 0, 0, 1]))
    found = module.check(config, "mlp_1x512", "dead ReLUs", batch, 0, 3)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert not found.passed and found.loss == pytest.approx(entropy, abs=1e-2)
    assert found.accuracy == 0.75 and "NOT memorised" in found.explain()


def test_a_surprise_is_said(run_lesson, tmp_path):
    flags = ("--models", "mlp_1x512", "--bugs", "learning rate 0", "--steps", "3")
    done = run_lesson("one_batch", *flags, out=tmp_path / "run")
    assert done.summary["wrong"] == 2
    assert "NOT AS EXPECTED: mlp_1x512, true, none" in done.summary["text"]
