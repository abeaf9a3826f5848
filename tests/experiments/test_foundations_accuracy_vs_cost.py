"""Accuracy against cost: what is counted, what is timed, what is said of it."""

import numpy as np
import pytest

from rote.losses import accuracy
from rote.record import RunDir


@pytest.fixture(scope="module")
def lesson(experiment):
    return experiment("foundations/accuracy_vs_cost")


@pytest.mark.slow
def test_the_chart_is_of_what_was_trained(lesson, command, tmp_path):
    flags = ("--models", "mlp_1x8", "mlp_1x512", "--seeds", "0", "1", "--num-test", "100")
    flags += ("--max-epochs", "4", "--rounds", "3", "--timed-batch", "10")
    out = tmp_path / "run"
    assert command("foundations/accuracy_vs_cost", *flags, "--out", str(out)) == 0
    done = RunDir.open(out)
    small, large = done.summary["chart"]
    assert (small["multiply-adds"], large["multiply-adds"]) == (74 * 8, 74 * 512)
    assert (small["parameters"], large["parameters"]) == (74 * 8 + 18, 74 * 512 + 522)
    assert small["test_accuracy"] < large["test_accuracy"] > 0.8
    for row in (small, large):
        seeds = [r for r in done.summary["table"] if r["model"] == row["model"]]
        assert len(seeds) == 2
        assert row["test_accuracy"] == pytest.approx(np.mean([r["test_accuracy"] for r in seeds]))
        times = done.summary["times"][row["model"]]
        assert len(times) == 3 and row["microseconds an image"] == pytest.approx(
            1e6 * np.median(times)
        )
    assert {path.stem for path in done.figures()} == {"accuracy", "time", "depth"}


def test_what_is_timed_is_the_trained_net(lesson):
    config = lesson.Config(models=("mlp_1x8",), num_test=90, max_epochs=3, timed_batch=90)
    dataset = lesson.load(config)
    assert len(dataset.test.labels) == 90
    group = lesson.group_of(config, "mlp_1x8", dataset)
    ((result,),) = lesson.fit_groups([group])
    logits, _ = lesson.forward_pass(config, group, result)()
    said = accuracy(logits, dataset.test.labels).mean()
    assert float(said) == pytest.approx(result.history[-1]["test_accuracy"])


def test_calls_take_turns(lesson):
    called, now = [], iter(range(100))
    calls = {name: (lambda name=name: called.append(name)) for name in "ab"}
    times = lesson.alternate(calls, 2, clock=lambda: next(now))
    assert called == ["a", "b", "a", "b", "a", "b"]  # once each uncounted, then in turn
    assert times == {"a": [1, 1], "b": [1, 1]}


def row(model, parameters, work, microseconds, test_accuracy):
    return {
        "model": model,
        "parameters": parameters,
        "multiply-adds": work,
        "microseconds an image": microseconds,
        "test_accuracy": test_accuracy,
    }


def test_who_is_beaten_and_whether_work_is_time(lesson):
    chart = [row("a", 10, 10, 1.0, 0.9), row("b", 20, 100, 10.0, 0.8), row("c", 5, 1000, 100.0, 1)]
    beaten, work = lesson.verdict(chart)
    assert beaten.endswith(": b by a")  # c costs more operations than a
    assert "R² = 1.00" in work and "a factor of 1" in work
    slow = [*chart[:2], row("c", 5, 1000, 500.0, 1)]
    assert "a factor of 5" in lesson.verdict(slow)[1]
    # Two nets with equally many operations both count: the correlation of 0, 0, 1, 2 with
    # 0, 2, 1, 3 is 2.5 / sqrt(2.75 * 5).
    times = (1.0, 100.0, 10.0, 1000.0)
    four = [row("d", 1, 10 ** max(i, 1), times[i], 1) for i in range(4)]
    assert f"4 nets: R² = {2.5**2 / (2.75 * 5):.2f}" in lesson.verdict(four)[1]
    assert lesson.verdict(chart[:1]) == ["beaten with fewer parameters and multiply-adds: none"]


def test_the_milestones_are_in_order_and_have_sources(lesson):
    years = [each.year for each in lesson.MILESTONES]
    assert years == sorted(years) and all(each.source for each in lesson.MILESTONES)
    voters = {each.net: each.voters for each in lesson.MILESTONES if each.data == "ImageNet"}
    assert voters == {"AlexNet": 7, "VGG-19": 7, "GoogLeNet": 7, "ResNet-152": 6}
    layers = {each.net: each.layers for each in lesson.MILESTONES}
    assert layers["ResNet-152"] == 8 * layers["VGG-19"]  # "8 times deeper", as its paper says


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--models", "resnet_9"), "did you mean 'resnet_8'"),
        (("--num-test", "0"), "num_test: 0; expected a positive number"),
        (("--rounds", "0"), "rounds: 0; expected a positive number"),
        (("--seeds", "1", "1"), "seeds: 1 1; expected one or more different values"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert command("foundations/accuracy_vs_cost", *flags, "--out", str(out)) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
