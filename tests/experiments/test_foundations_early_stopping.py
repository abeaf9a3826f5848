"""The lesson on stopping early: what is kept, and what it is compared with."""

import numpy as np
import pytest


@pytest.mark.slow
def test_stopping_early_keeps_what_was_learned_before_it_memorised(run_lesson, tmp_path):
    flags = ("--seeds", "0", "--max-epochs", "40")
    done = run_lesson("early_stopping", *flags, out=tmp_path / "run")
    clean, noisy = done.summary["table"]
    assert noisy["test_accuracy"] - noisy["test_accuracy_end"] == pytest.approx(noisy["gain"])
    assert noisy["gain"] > 0.1 > abs(clean["gain"])
    assert noisy["train_accuracy"] < 0.7 < 0.95 < noisy["train_accuracy_end"]
    history = {
        kind: [row for row in done.rows() if row["label"] == f"corruption=0.4 {kind} seed=0"]
        for kind in ("stopped", "to the end")
    }
    # The same training, cut off ten epochs after the best of the held-out tenth.
    held_out = [row["held_out_accuracy"] for row in history["to the end"]]
    best = int(np.argmax(held_out[: len(history["stopped"])]))
    assert noisy["best_epoch"] == best and noisy["stopped_at"] == best + 10
    for one, other in zip(history["stopped"], history["to the end"], strict=False):
        assert one["test_accuracy"] == other["test_accuracy"]
    # What is kept is evaluated, and not read off the history.
    assert noisy["test_accuracy"] == pytest.approx(noisy["test_accuracy_history"], abs=1e-6)
    assert noisy["test_accuracy_history"] == history["stopped"][best]["test_accuracy"]
    # The third training has all 1,437 examples, and so more steps in as many epochs.
    on_all = [row for row in done.rows() if row["label"] == "corruption=0.4 on all seed=0"]
    assert on_all[-1]["step"] == 40 * (1437 // 128) > history["to the end"][-1]["step"]
    assert noisy["test_accuracy_all"] == on_all[-1]["test_accuracy"]
    assert noisy["split"] == noisy["test_accuracy_all"] - noisy["test_accuracy_end"]
    assert noisy["whole"] == pytest.approx(noisy["gain"] - noisy["split"])
