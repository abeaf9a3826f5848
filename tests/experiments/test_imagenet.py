"""The ImageNet table on stand-ins: digits, and a made-up set of images that differ in size."""

import numpy as np
import pytest

from rote.record import RunDir


@pytest.fixture(scope="module")
def small(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("imagenet") / "run"
    flags = ("--model", "mlp_1x512", "--num-train", "200", "--max-epochs", "30")
    assert command("imagenet", "--preset", "smoke", *flags, "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_it_has_the_rows_and_top_5(small):
    table = small.summary["table"]
    rows = [(row["labels"], row["augmentation"], row["weight_decay"]) for row in table]
    assert rows == [
        ("true", True, True),
        ("true", True, False),
        ("true", False, True),
        ("true", False, False),
        ("random", False, True),
        ("random", False, False),
    ]
    for row in table:
        assert row["train_accuracy"] <= row["train_top_5"] <= 1
        assert row["test_accuracy"] <= row["test_top_5"]
        assert row["test_accuracy"] <= row["best_test_accuracy"]
    plain, random = table[3], table[5]
    assert plain["train_accuracy"] == 1 and plain["test_top_5"] > 0.95
    assert random["train_accuracy"] > 0.9 and random["test_top_5"] < 0.65
    record = small.load_examples(0)
    assert len(record["epochs"]) == 1  # of 1.28 million examples the last epoch is enough


@pytest.mark.slow
def test_top_k_is_counted_by_hand(small, experiment):
    module = experiment("imagenet")
    table = small.summary["table"]
    from rote import load_run, random_labels
    from rote.data import load
    from rote.studies import zhang2017
    from rote.train import make_forward

    model, params, state, _ = load_run(small.folder, len(table) - 1)
    dataset = random_labels(load("digits", num_train=200), 1.0, seed=0)
    forward = make_forward(model, zhang2017.preprocessing((8, 8, 1), "none"))
    logits, _ = forward(params, state, dataset.train.images, train=False)
    own = np.take_along_axis(np.asarray(logits), dataset.train.labels[:, None], axis=1)
    rank = np.sum(np.asarray(logits) > own, axis=1)
    assert table[-1]["train_top_5"] == np.mean(rank < 5)
    assert module.TOP_5_SAMPLE == 50_000


def test_paper_preset(experiment):
    presets = experiment("imagenet").PRESETS
    assert {"smoke", "cpu", "paper"} <= presets.keys()
    paper = presets["paper"]
    assert (paper.dataset, paper.image_size, paper.model) == ("imagenet2012", 224, ("resnet_50",))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--augment", "crop"), "augment: crop; leave it out"),
        (("--weight-decay", "0"), "weight_decay: 0; expected the coefficient"),
        (("--image-size", "64"), "image_size: 64 for 'digits'; expected"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command("imagenet", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_smoke_with_its_residual_net(command, tmp_path):
    out = tmp_path / "run"
    assert command("imagenet", "--preset", "smoke", "--out", str(out)) == 0
    table = RunDir.open(out).summary["table"]
    assert table[3]["train_accuracy"] == 1 and table[5]["train_accuracy"] >= 0.99
