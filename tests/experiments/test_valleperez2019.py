"""The functions of random nets as a user runs them: what they show, and that nothing is lost."""

import jax
import numpy as np
import pytest

from rote.record import RunDir

NAME = "valleperez2019/simplicity_bias"
# Nets on three bits: 256 functions, so that a few samples find them again and again.
SMALL = (
    *("--preset", "smoke", "--num-bits", "3", "--width", "8", "--num-samples", "3000"),
    *("--other-samples", "500", "--samples-at-once", "250", "--seeds", "0", "1"),
    *("--other-weight-scales", "3", "--other-depths", "1"),
)


@pytest.fixture(scope="module")
def small(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("bias") / "run"
    assert command(NAME, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_nets_prefer_simple_functions_and_chance_does_not(small):
    rows = {kind: [] for kind in ("net", "other net", "random functions")}
    for row in small.summary["table"]:
        rows[row["kind"]].append(row)
    assert [len(found) for found in rows.values()] == [2, 4, 2]
    for net, chance in zip(rows["net"], rows["random functions"], strict=True):
        assert net["num_samples"] == 3000 and chance["num_samples"] == 500
        assert net["rank_correlation"] < -0.3
        assert net["mean_complexity"] < chance["mean_complexity"] - 2
        assert chance["constant"] < 0.05 < net["constant"]
        assert net["bound_slope"] > 0 and 0 <= net["above_bound"] <= 1
    assert {figure.name for figure in small.figures()} == {"rank.png", "complexity.png"}
    assert not small.checkpoints.exists()


def test_functions_of_less_than_a_byte_are_as_many_as_there_are(experiment):
    module = experiment(NAME)
    config = module.Config(num_bits=1)
    chance = module.drawer(config, module.Setting("random functions"), 200)
    functions = np.unique(chance(jax.random.key(0)), axis=0)
    assert functions.tolist() == [[0b00000000], [0b01000000], [0b10000000], [0b11000000]]


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_counts(small, command, experiment, tmp_path, monkeypatch):
    import rote.studies.valleperez2019 as bias

    add, calls = bias.Counter.add, []

    class Killed(BaseException):
        pass

    def killed(self, packed):
        if len(calls) == 20:  # of 12 chunks a seed: in the second
            raise Killed
        calls.append(packed)
        add(self, packed)

    monkeypatch.setattr(bias.Counter, "add", killed)
    with pytest.raises(Killed):
        command(NAME, *SMALL, "--out", str(tmp_path / "cut"))
    monkeypatch.setattr(bias.Counter, "add", add)
    assert RunDir.open(tmp_path / "cut").continues
    seen = []
    monkeypatch.setattr(
        bias.Counter, "add", lambda self, packed: (seen.append(packed), add(self, packed))[1]
    )
    assert command(NAME, *SMALL, "--out", str(tmp_path / "cut")) == 0
    assert len(seen) == 12 + 6 * 2  # the first seed is not drawn again
    tables = [
        [{**row, "seconds": 0} for row in run.summary["table"]]
        for run in (small, RunDir.open(tmp_path / "cut"))
    ]
    assert tables[0] == tables[1]


def test_what_is_saved_within_a_seed_is_not_drawn_again(experiment, tmp_path):
    module = experiment(NAME)
    config = module.Config(num_bits=3, width=4, num_samples=90, samples_at_once=20, seeds=(0,))
    samples = module.Samples(config, module.settings_of(config)[0], 0)
    whole, _ = module.counted(samples, RunDir(tmp_path / "whole"))
    first = module.bias.Counter()
    for index in range(2):
        first.add(np.asarray(samples.chunk(index)))
    out = RunDir(tmp_path / "part")
    tree = {**first.total()._asdict(), "done": np.array(2), "seconds": np.array(1.0)}
    out.keep_arrays(samples.name, tree)
    drawn, chunk = [], samples.chunk
    samples.chunk = lambda index: (drawn.append(index), chunk(index))[1]
    rest, seconds = module.counted(samples, out)
    assert set(drawn) == {2, 3, 4} and seconds > 1
    assert whole.num_samples == rest.num_samples == 90
    np.testing.assert_array_equal(whole.words, rest.words)
    np.testing.assert_array_equal(whole.counts, rest.counts)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--num-bits", "13"), "num_bits: 13; expected 1 to 12"),
        (("--other-depths", "0"), "other_depths: 0; expected at least 1"),
        (("--weight-scale", "0"), "weight_scale: 0.0; expected a positive"),
        (("--bias-scale", "-1"), "bias_scale: -1.0; expected 0 or a positive"),
        (("--other-depths", "4", "4"), "a value that is tried already"),
        (("--num-samples", "0"), "num_samples: 0; expected at least 1"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(NAME, "--preset", "smoke", *flags, "--out", str(tmp_path)) == 2
    assert message in capsys.readouterr().err
