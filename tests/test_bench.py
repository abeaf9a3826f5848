"""The benchmark's statistics, turns, tables and command line; and that contenders train alike."""

import dataclasses
import importlib
import json
import random
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from rote.train.events import Advanced, Evaluated, Started
from scripts.benchmark import __main__ as command
from scripts.benchmark import report, workloads
from scripts.benchmark.contenders import CONTENDERS
from scripts.benchmark.driver import Bench, Measured
from scripts.benchmark.exchange import Job
from scripts.benchmark.paired import deviation, median_interval, ratios
from scripts.benchmark.turns import Worker, WorkerError, alternate
from scripts.benchmark.workers import export, rote_, rote_nets, timing
from scripts.benchmark.workloads import Comparison, Workload, choose

STUB = """
import json, sys, threading
name, busy = sys.argv[1:]
def spin():
    while True: pass
if busy == "busy":
    threading.Thread(target=spin, daemon=True).start()
count = 0
for word in sys.stdin:
    if word.strip() == "quit": break
    if name == "dies": sys.exit(3)
    import time; time.sleep(0.05)
    count += 1
    print(json.dumps({"name": name, "count": count}), flush=True)
"""


def test_the_interval_is_between_the_right_order_statistics():
    twelve = median_interval([float(value) for value in range(12, 0, -1)])
    # P(Binomial(12, 1/2) <= 2) = (1 + 12 + 66) / 4096; one value more would leave 85 %.
    assert twelve == (6.5, 3.0, 10.0, pytest.approx(1 - 2 * 79 / 4096))
    assert median_interval([1.0, 9.0, 2.0]) == (2.0, 1.0, 9.0, 0.75)
    assert median_interval([4.0]) == (4.0, 4.0, 4.0, 0.0)


def test_the_interval_covers_the_median_as_often_as_it_says():
    draw = random.Random(0)
    trials = 4000
    hits = 0
    for _ in range(trials):
        interval = median_interval([draw.expovariate(1) for _ in range(9)])
        hits += interval.low <= 0.6931471805599453 <= interval.high
    assert hits / trials == pytest.approx(interval.coverage, abs=0.01)


def test_ratios_pair_the_rounds():
    assert ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_deviation_is_the_largest_relative_difference():
    one = [[{"loss": 2.0}, {"loss": 1.0, "batch": None}]]
    assert deviation(one, [[{"loss": 2.0}, {"loss": 0.9, "batch": 3.0}]]) == pytest.approx(0.1)
    assert deviation(one, [[{"loss": float("nan")}, {"loss": 1.0}]]) == float("inf")
    with pytest.raises(ValueError, match="nothing"):
        deviation(one, [[{}, {"other": 1.0}]])
    with pytest.raises(ValueError, match="shorter"):
        deviation(one, [[{"loss": 2.0}]])


def advanced(taken: int, steps: int) -> Advanced:
    return Advanced({0: ""}, 1, 1, taken, steps, 10, 0.5)


def started() -> Started:
    return Started(1, 1, 10, "", 1, 0.0, 0.0, 0.0)


def test_training_is_timed_apart_from_evaluation():
    events = [
        (10.0, started()),
        (11.0, Evaluated(0, "", {}, None)),
        (13.0, advanced(4, 4)),
        (16.0, advanced(10, 6)),
        (20.0, Evaluated(0, "", {}, None)),
    ]
    assert timing.training_seconds(events) == 5.0
    assert (timing.began(events), timing.first_step(events)) == (10.0, 13.0)
    del events[3]
    with pytest.raises(ValueError, match="6 steps"):
        timing.training_seconds(events)


@pytest.fixture
def stub(tmp_path):
    (tmp_path / "stub.py").write_text(STUB)
    workers = []

    def start(name: str, busy: str = "") -> Worker:
        workers.append(Worker([sys.executable, str(tmp_path / "stub.py"), name, busy]))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def test_every_contender_has_one_turn_per_round(stub):
    answers, _ = alternate({name: stub(name) for name in "abc"}, 4, random.Random(0))
    for name, each in answers.items():
        assert each == [{"name": name, "count": count} for count in (1, 2, 3, 4)]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_worker_that_is_busy_while_it_waits_is_noticed(stub):
    for busy in ("", "busy"):
        workers = {"a": stub("a"), "b": stub("b", busy)}
        alternate(workers, 1, random.Random(0))  # both have started
        _, idle = alternate(workers, 8, random.Random(0))
        assert (idle > 0.1) == bool(busy)


def test_a_worker_that_dies_is_an_error_with_its_command(stub):
    with pytest.raises(WorkerError, match=r"code 3 .*stub\.py dies"):
        alternate({"dies": stub("dies")}, 1, random.Random(0))


def measured(**changes) -> Measured:
    workload = Workload(
        name="tiny",
        title="Tiny",
        net="mlp16",
        batch_size=64,
        comparisons=(
            Comparison(("torch-1", "torch-all"), 1.5),
            Comparison(("flax",), 3.0),
            Comparison(("rote-step",), 1.1, at_most=True),
        ),
        image_shape=(4, 4, 1),
        num_train=128,
        num_test=32,
        epochs=2,
    )
    seconds = {
        "rote": [1.0, 2.0],
        "torch-1": [4.0, 8.0],
        "torch-all": [2.0, 4.0],
        "flax": [2.0, 4.0],
        "rote-step": [1.0, 2.0],
    }
    values = {
        "training": seconds,
        "total": seconds,
        "starts": {"rote": {"cold": {"first_step_seconds": 3.25, "compile_seconds": 1.5}}},
        "peak_bytes": dict.fromkeys(seconds, 2**20),
        "deviations": dict.fromkeys(list(seconds)[1:], 1e-6),
        "epochs": dict.fromkeys(seconds, 2),
        "facts": {"multiply_adds": 1_000_000, "steps_per_round": 4, "devices": ["cpu:0"]},
    }
    return Measured(workload, **values | changes)


def test_lines_take_the_faster_peer_and_the_right_direction():
    best, flax, cost = list(report.lines(measured()))[:3]
    assert (
        best.against
        == "PyTorch, all threads (the faster of PyTorch, 1 thread, PyTorch, all threads)"
    )
    assert (best.interval.median, best.reached) == (2.0, "yes")
    assert (flax.interval.median, flax.reached) == (2.0, "no")
    assert (cost.interval.median, cost.reached) == (1.0, "yes")
    slow = {"rote": [1.2, 2.4], "rote-step": [1.0, 2.0], "torch-1": [1, 2], "torch-all": [1, 2]}
    (line,) = list(report.lines(measured(training=slow | {"flax": [1, 2]}, total={})))[2:]
    assert (line.interval.median, line.reached) == (pytest.approx(1.2), "no")


def test_tables_show_misses_speed_and_missing_coverage():
    where = {
        "started": "now",
        "command": "bench",
        "commit": {"id": "abc", "dirty": True},
        "cores": 2,
        "cpu": "C",
        "platform": "P",
        "versions": {"jax": "1"},
    }
    text = report.markdown([measured()], {"peak-jax float32": 4e9}, where)
    flax = "| Tiny, training alone | Flax, one jitted step per call | ≥ 3 | 2.00 [2.00, 2.00] (50%)"
    assert f"{flax} | 2 | no |" in text
    assert "| cost ≤ 1.1 | 1.00 " in text
    # 1.5 s for 4 steps of 2 x 3 x 10^6 x 64 floating-point operations
    assert "| Tiny | rote | 375 | 1.02 | 26% | 1.5 | 1.5 / – | 3.2 / – | 1 | 2 | – |" in text
    assert "- commit: abc with changes" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| Tiny, ")}
    assert widths == {7}


def test_different_losses_and_busy_workers_are_complaints():
    assert report.complaints([measured()]) == []
    assert "losses differ" in report.complaints([measured(deviations={"flax": 0.01})])[0]
    assert "waiting" in report.complaints([measured(idle_share=0.5)])[0]


@pytest.mark.parametrize("arguments", [["--only", "mlp17"], ["--rounds", "0"]])
def test_wrong_flags_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.parse(arguments)
    assert stopped.value.code == 2
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.parametrize(("deviations", "code"), [({"flax": 1e-6}, 0), ({"flax": 1.0}, 1)])
def test_the_command_prints_and_writes_the_report(deviations, code, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command.importlib.metadata, "version", lambda name: "1")
    monkeypatch.setattr(Bench, "peaks", lambda self: {"peak-jax float32": 1e9})
    monkeypatch.setattr(Bench, "measure", lambda self, workload: measured(deviations=deviations))
    out = tmp_path / "new" / "table"
    assert command.main(["--only", "mlp16", "--out", str(out)]) == code
    text = capsys.readouterr().out
    assert out.with_suffix(".md").read_text() == text
    raw = json.loads(out.with_suffix(".json").read_text())
    assert raw["workloads"][0]["training"]["rote"] == [1.0, 2.0]
    assert raw["environment"]["versions"]["torch"] == "1"


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_workloads_are_sound(device):
    for quick in (False, True):
        for workload in choose(device, quick=quick):
            assert set(workload.contenders) <= set(CONTENDERS)
            assert workload.contenders[0] == "rote"
            assert (workload.image_shape is None) == (workload.num_train == 0)
            assert workload.num_train % workload.batch_size == 0 or workload.name == "mlp16"


TINY = Workload(
    name="tiny",
    title="Tiny",
    net="mlp16",
    batch_size=32,
    comparisons=(Comparison(("rote-step",)),),
    image_shape=(4, 4, 1),
    num_train=128,
    num_test=16,
)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A job of the tiny workload, whose shared file is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workloads, "CPU", (TINY,))
        made = Job("rote", "tiny", "cpu", False, str(tmp_path_factory.mktemp("bench")))
        facts = export.run(made)
        assert facts["multiply_adds"] == 16 * 16 + 16 * 16 + 16 * 10
        assert facts["steps_per_round"] == 4
        yield made


@pytest.fixture(scope="module")
def ours(job):
    """What rote does."""
    contestant = rote_.make(job)
    assert contestant.start().first_step <= time.time()
    return contestant.round()


def test_rote_learns(ours):
    assert 0 < ours.training < ours.total
    before, after = ours.histories[0]
    assert after["train_loss"] < before["train_loss"]


@pytest.mark.parametrize(
    ("name", "needs"),
    [("step", "jax"), ("torch_", "torch"), ("torch_vmap", "torch"), ("flax_", "flax")],
)
def test_peers_train_as_rote_does(job, ours, name, needs):
    pytest.importorskip(needs)
    module = importlib.import_module(f"scripts.benchmark.workers.{name}")
    peer = module.make(dataclasses.replace(job, contender="torch-all"))
    assert peer.start().first_step <= time.time()
    theirs = peer.round()
    assert deviation(ours.histories, theirs.histories) < 1e-5
    assert 0 < theirs.training <= theirs.total


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [("alexnet16", 28), ("resnet20", 32), ("inception_small", 28), ("resnet18", 32)],
)
def test_nets_are_the_same(name, size):
    torch_nets = pytest.importorskip("scripts.benchmark.workers.torch_nets")
    flax_nets = pytest.importorskip("scripts.benchmark.workers.flax_nets")
    torch = pytest.importorskip("torch")
    net = rote_nets.build(name)
    x = np.random.default_rng(0).random((4, size, size, 3), np.float32)
    params, state = jax.jit(net.init)(jax.random.key(0), x)
    weights = {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.array(leaf)[None]
        for tree in (params, state)
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
    ours, _ = jax.jit(lambda: net.apply(params, state, x, train=True))()

    theirs = torch_nets.build(name, x.shape[1:]).train()
    _, unexpected = theirs.load_state_dict(torch_nets.convert(weights, 0), strict=False)
    assert not unexpected
    logits = theirs(torch.from_numpy(x).permute(0, 3, 1, 2)).detach().numpy()
    np.testing.assert_allclose(logits, ours, rtol=0, atol=1e-5 * np.abs(ours).max())

    module, variables = flax_nets.Net(name), flax_nets.convert(weights)
    logits, _ = jax.jit(lambda: module.apply(variables, x, True, mutable=["batch_stats"]))()
    np.testing.assert_allclose(logits, ours, rtol=0, atol=1e-5 * np.abs(ours).max())


def test_scripts_leave_the_driver_without_a_framework():
    driver = Path(command.__file__).parent
    for path in driver.glob("*.py"):
        text = path.read_text()
        assert not any(f"import {name}" in text for name in ("jax", "torch", "flax")), path
