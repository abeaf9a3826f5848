"""What is interrupted goes on as if nothing had happened, or says why it cannot."""

import contextlib
import dataclasses
import shutil

import chex
import jax
import numpy as np
import pytest

from rote import optim
from rote.combinators import serial
from rote.core import InputError
from rote.layers import activation, batch_norm, conv, dense, dropout, flatten
from rote.train import (
    CheckpointError,
    Checkpoints,
    Evaluated,
    Execution,
    Finished,
    Resumed,
    Run,
    TrainingInterrupted,
    accuracy_reached,
    any_of,
    cross_entropy,
    fit_runs,
    pace,
    patience,
)
from rote.transforms import standardize, unit_scale

CNN_END = (dropout(0.2), flatten(), dense(4))
CNN = serial(conv(4), batch_norm(), activation(jax.nn.relu), *CNN_END)
RATES = (float("inf"), 0.02, 0.05, 0.1)  # the first run diverges
RUNS = [
    Run(seed, hparams={"learning_rate": rate}, label=f"rate {rate}")
    for seed, rate in enumerate(RATES)
]
STOP = any_of(accuracy_reached(0.9), patience(2, "test_loss"))


def train(noise, folder=None, runs=RUNS, on_event=None, **options):
    checkpoints = folder and Checkpoints(folder, every_minutes=None, every_epochs=1)
    settings = {"max_epochs": 5, "batch_size": 32, "stop": STOP, **options}
    devices = settings.pop("run_devices", 2)
    return fit_runs(
        CNN,
        optim.momentum,
        noise,
        runs,
        transform=unit_scale(),
        on_event=on_event,
        execution=Execution(checkpoints=checkpoints, run_devices=devices),
        **settings,
    )


_whole = []


@pytest.fixture
def whole(noise):
    """The results that nothing interrupted; compiled within a test, as every test compiles."""
    if not _whole:
        _whole.append(train(noise))
    return _whole[0]


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    """A few steps each, so that an interruption falls into the middle of an epoch."""
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.002)


def same(results, others):
    for a, b in zip(results, others, strict=True):
        assert (a.status, a.error, a.run.label) == (b.status, b.error, b.run.label)
        chex.assert_trees_all_equal(a.final, b.final)
        chex.assert_trees_all_equal(a.initial, b.initial)
        assert (a.best is None) == (b.best is None)
        chex.assert_trees_all_equal(a.best, b.best)
        histories = [[{**row, "seconds": 0} for row in result.history] for result in (a, b)]
        assert histories[0] == histories[1]
        for x, y in zip(a.record, b.record, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype
        assert a.data.fingerprint == b.data.fingerprint
        np.testing.assert_array_equal(a.data.labels, b.data.labels)


class Interrupt:
    """Raises after so many events, as Ctrl-C would; keeps those that tell of the past."""

    def __init__(self, after):
        self.left, self.resumed = after, []

    def __call__(self, event):
        if isinstance(event, Resumed):
            self.resumed.append(event)
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def interrupted(noise, folder, after, **options):
    with pytest.raises(TrainingInterrupted):
        train(noise, folder, on_event=Interrupt(after), **options)


def test_a_training_interrupted_again_and_again_is_bit_for_bit_the_same(noise, whole, tmp_path):
    assert {result.status for result in whole} == {"diverged", "patience"}
    assert len({result.final.epoch for result in whole}) >= 3
    resumed, results = [], None
    for _ in range(30):
        watch = Interrupt(14)
        with contextlib.suppress(TrainingInterrupted):
            results = train(noise, tmp_path, on_event=watch)
        resumed += watch.resumed
        if results:
            break
    same(results, whole)
    assert len(resumed) >= 3
    assert any(event.finished for event in resumed)


def test_a_finished_call_is_found_again(noise, whole, tmp_path):
    train(noise, tmp_path)
    events = []
    again = train(noise, tmp_path, on_event=events.append)
    same(again, whole)
    assert not [event for event in events if isinstance(event, Evaluated | Finished)]


def test_the_limit_of_epochs_can_be_raised(noise, tmp_path):
    train(noise, tmp_path, max_epochs=3)
    events = []
    longer = train(noise, tmp_path, max_epochs=5, on_event=events.append)
    same(longer, train(noise, max_epochs=5))
    (resumed,) = (event for event in events if isinstance(event, Resumed))
    assert "max_epochs was 3, is 5" in resumed.notes
    with pytest.raises(InputError, match=r"max_epochs: 4; .* of a training to 5"):
        train(noise, tmp_path, max_epochs=4)


def test_a_run_beyond_its_old_limit_goes_on_from_where_it_was_last(noise, tmp_path):
    """Ended at epoch 2 of 2, gone on to 6, interrupted in the fifth: not from the second again."""
    train(noise, tmp_path, max_epochs=2, stop=None)

    def interrupt(event):
        if isinstance(event, Evaluated) and event.row["epoch"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted):
        train(noise, tmp_path, max_epochs=6, stop=None, on_event=interrupt)
    events = []
    results = train(noise, tmp_path, max_epochs=6, stop=None, on_event=events.append)
    epochs = [event.row["epoch"] for event in events if isinstance(event, Evaluated)]
    assert min(epochs) == 5
    same(results, train(noise, max_epochs=6, stop=None))


@pytest.mark.slow
def test_runs_with_other_kinds_of_images_go_on_beyond_their_limit(noise, tmp_path):
    inputs = noise.train.images.astype(np.float32) + 0.5
    floating = dataclasses.replace(noise, train=noise.train._replace(images=inputs))
    runs = [RUNS[1], dataclasses.replace(RUNS[2], dataset=floating), RUNS[3]]
    train(noise, tmp_path, runs=runs, max_epochs=2, stop=None)
    longer = train(noise, tmp_path, runs=runs, max_epochs=3, stop=None)
    same(longer, train(noise, runs=runs, max_epochs=3, stop=None))


def test_the_number_of_devices_may_change(noise, whole, tmp_path):
    interrupted(noise, tmp_path, 20)
    watch = Interrupt(10**9)
    same(train(noise, tmp_path, run_devices=3, on_event=watch), whole)
    assert any("on 2 cpu devices" in note and "on 3" in note for note in watch.resumed[0].notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": RUNS[:3]}, "4 runs before, 3 now"),
        (
            {"runs": [dataclasses.replace(RUNS[0], init_seed=9), *RUNS[1:]]},
            "runs 0 init_seed was 0, is 9",
        ),
        ({"batch_size": 16}, "batch_size was 32, is 16"),
        ({"stop": None}, "stop was"),
        ({"record": "last"}, "record was all, is last"),
        ({"micro_batches": 2}, "micro_batches was 1, is 2"),
    ],
)
def test_another_training_is_refused_by_name(noise, tmp_path, change, message):
    interrupted(noise, tmp_path, 3)
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        train(noise, tmp_path, **change)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_another_net_is_refused_by_name(noise, tmp_path, monkeypatch):
    interrupted(noise, tmp_path, 3)
    wider = serial(
        conv(5), batch_norm(), activation(jax.nn.relu), dropout(0.2), flatten(), dense(4)
    )
    monkeypatch.setitem(globals(), "CNN", wider)
    with pytest.raises(InputError, match=r"'0'.*kernel.*was float32\[3,3,1,4\], is .*\[3,3,1,5\]"):
        train(noise, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"transform": standardize([0.0], [255.0])},
        {"loss_fn": lambda logits, labels: 2 * cross_entropy(logits, labels)},
        {"make_optimizer": lambda learning_rate: optim.sgd(learning_rate)},
        {"make_optimizer": lambda learning_rate: optim.momentum(learning_rate, 0.8)},
        {"model": serial(conv(4), batch_norm(), activation(jax.nn.tanh), *CNN_END)},
    ],
    ids=["transform", "loss", "optimizer", "momentum", "activation"],
)
def test_another_computation_is_refused(noise, tmp_path, change):
    settings = {
        "model": serial(conv(4), batch_norm(), activation(jax.nn.relu), *CNN_END),
        "make_optimizer": optim.momentum,
        "dataset": noise,
        "runs": RUNS[1:2],
        "max_epochs": 1,
        "batch_size": 32,
        "transform": unit_scale(),
        "execution": Execution(checkpoints=Checkpoints(tmp_path)),
    }
    fit_runs(**settings)
    fit_runs(**settings)
    with pytest.raises(InputError, match="checkpoints of another training: "):
        fit_runs(**{**settings, **change})


def test_another_rule_is_refused(noise, tmp_path):
    train(noise, tmp_path, stop=accuracy_reached(0.3))
    with pytest.raises(InputError, match=r"stop was accuracy_reached\(0.3\), is .*\(0.9\)"):
        train(noise, tmp_path, stop=accuracy_reached(0.9))


@pytest.mark.parametrize("images", ["the same", "others"])
def test_a_finished_run_is_not_taken_for_one_on_other_data(noise, tmp_path, images):
    def run(seed):
        split = noise.train
        changed = np.random.default_rng(seed).permutation(split.labels)
        picture = split.images if images == "the same" else split.images + np.uint8(seed)
        data = dataclasses.replace(noise, train=split._replace(labels=changed, images=picture))
        return [dataclasses.replace(RUNS[1], dataset=data)]

    (first,) = train(noise, tmp_path, run(1))
    (again,) = train(noise, tmp_path, run(1))
    np.testing.assert_array_equal(first.data.labels, again.data.labels)
    with pytest.raises(InputError, match="the train data are not those that its checkpoint"):
        train(noise, tmp_path, run(2))


def test_labels_are_never_silently_redrawn(noise, tmp_path):
    def relabelled(seed):
        labels = np.random.default_rng(seed).integers(0, 4, 300).astype(np.int32)
        return lambda: dataclasses.replace(noise, train=noise.train._replace(labels=labels))

    runs = [dataclasses.replace(run, dataset=relabelled(0)) for run in RUNS]
    interrupted(noise, tmp_path, 12, runs=runs)
    runs = [dataclasses.replace(run, dataset=relabelled(1)) for run in RUNS]
    with pytest.raises(InputError, match="the train data are not those"):
        train(noise, tmp_path, runs=runs)


def newest(folder):
    return max((folder / "steps").iterdir(), key=lambda path: int(path.name))


def damage(path, how):
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])


@pytest.mark.parametrize("how", ["truncated", "changed", "missing"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(noise, whole, tmp_path, how):
    interrupted(noise, tmp_path, 30)
    steps = newest(tmp_path)
    largest = max((p for p in steps.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    damage(largest, how)
    watch = Interrupt(10**9)
    same(train(noise, tmp_path, on_event=watch), whole)
    (resumed,) = watch.resumed
    assert any(f"checkpoint {steps.name} is damaged" in note for note in resumed.notes)


def test_without_any_good_checkpoint_training_starts_anew(noise, whole, tmp_path):
    interrupted(noise, tmp_path, 9)
    for step in (tmp_path / "steps").iterdir():
        shutil.rmtree(step / "arrays")
    same(train(noise, tmp_path), whole)


def test_a_damaged_finished_run_is_trained_again(noise, whole, tmp_path):
    train(noise, tmp_path)
    damage(next((tmp_path / "ended").iterdir()), "truncated")
    same(train(noise, tmp_path), whole)


def test_a_save_that_fails_is_an_error_and_leaves_the_last_one(noise, whole, tmp_path, monkeypatch):
    interrupted(noise, tmp_path, 12)
    kept = newest(tmp_path).name

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        import orbax.checkpoint as ocp

        patched.setattr(ocp.CheckpointManager, "save", full)
        with pytest.raises(CheckpointError, match="No space left on device; the last good one"):
            train(noise, tmp_path)
    assert newest(tmp_path).name == kept
    same(train(noise, tmp_path), whole)


def test_an_interruption_that_cannot_be_saved_keeps_the_results(noise, tmp_path, monkeypatch):
    import orbax.checkpoint as ocp

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    def interrupt(event):
        if isinstance(event, Evaluated) and event.row["epoch"] == 1:
            monkeypatch.setattr(ocp.CheckpointManager, "save", full)
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted) as caught:
        train(noise, tmp_path, on_event=interrupt)
    assert len(caught.value.results) == 4
    assert isinstance(caught.value.__cause__, CheckpointError)


def test_a_folder_that_vanishes_is_an_error(noise, tmp_path):
    folder = tmp_path / "checkpoints"

    def vanish(event):
        if isinstance(event, Evaluated) and event.row["epoch"] == 2:
            shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(CheckpointError, match=r"cannot write the checkpoint in .*checkpoints: "):
        train(noise, folder, on_event=vanish)


@pytest.mark.parametrize("change", [{"keep": 0}, {"every_minutes": 0}, {"every_epochs": -1}])
def test_bad_settings_are_named(tmp_path, change):
    with pytest.raises(InputError, match="expected a positive number"):
        Checkpoints(tmp_path, **change)


def test_the_last_few_are_kept(noise, tmp_path):
    train(noise, tmp_path, stop=None)
    assert len(list((tmp_path / "steps").iterdir())) == 2
    names = {path.stem for path in (tmp_path / "checks").iterdir()}
    assert names == {path.name for path in (tmp_path / "steps").iterdir()}
