"""Counting functions, and how frequency goes with complexity."""

import collections
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from rote.studies import valleperez2019 as bias
from rote.studies.comparison import Result, judge_claims
from rote.studies.valleperez2019 import tally
from rote.studies.valleperez2019.claims import claims


def packed(num_inputs, size, seed=0, kinds=50):
    rng = np.random.default_rng(seed)
    known = rng.integers(0, 2, (kinds, num_inputs))
    return np.packbits(known[rng.integers(0, kinds, size)], axis=1)


@pytest.mark.parametrize("num_inputs", [2, 8, 64, 128])
def test_counts_are_those_of_a_dict(num_inputs, monkeypatch):
    monkeypatch.setattr(tally, "SAMPLES_TO_SORT", 30)  # so that tallies are merged on the way
    samples = packed(num_inputs, 500)
    counter = bias.Counter()
    for part in np.split(samples, [7, 60, 61, 300]):
        counter.add(part)
    found = counter.total()
    expected = collections.Counter(map(bytes, samples))
    bits = bias.as_bits(found.words, num_inputs)
    keys = list(map(bytes, np.packbits(bits, axis=1)))
    assert dict(zip(keys, found.counts.tolist(), strict=True)) == expected
    assert found.num_samples == 500
    # Going on from what was counted is the same as counting all.
    again = bias.Counter([found])
    again.add(samples)
    twice = again.total()
    np.testing.assert_array_equal(twice.words, found.words)
    np.testing.assert_array_equal(twice.counts, 2 * found.counts)


def spectrum(triples, once=0):
    complexity, count, number = map(np.array, zip(*triples, strict=True))
    return bias.Spectrum(complexity, count, number, once, int(count @ number) + once)


def test_a_spectrum_by_hand():
    zero, one = np.zeros(128, int), np.ones(128, int)
    last = np.eye(128, dtype=int)[127]  # 2 words, backwards 3: 7 * 5 / 2
    samples = np.stack([zero] * 5 + [one] * 5 + [last] * 3 + [np.arange(128) % 2])
    found = bias.spectrum_of(
        bias.count(bias.as_words(np.packbits(samples, axis=1))), num_inputs=128
    )
    rows = np.stack([found.complexity, found.finds, found.number], axis=1)
    assert rows.tolist() == [[7, 5, 2], [17.5, 3, 1]]
    assert (found.once, found.num_samples, found.num_functions) == (1, 14, 4)
    rank, probability = bias.ranks(found)
    assert rank.tolist() == [1, 2, 3, 3, 4, 4]
    np.testing.assert_allclose(probability * 14, [5, 5, 3, 3, 1, 1])


def test_rank_correlation_is_scipys_on_the_functions_one_by_one():
    triples = [(7, 40, 2), (7, 3, 5), (10.5, 3, 4), (14, 2, 30), (14, 9, 1), (21, 2, 6)]
    found = spectrum(triples, once=9)
    each = np.repeat(np.array(triples)[:, :2], [row[2] for row in triples], axis=0)
    expected = scipy.stats.spearmanr(*each.T).statistic
    assert bias.rank_correlation(found) == pytest.approx(expected)
    assert bias.rank_correlation(spectrum([(7, 2, 3)])) is None
    assert bias.rank_correlation(bias.Spectrum(*[np.zeros(0)] * 3, 5, 5)) is None


def test_the_bound_lies_on_the_largest_and_is_judged_on_others():
    # P = 2^-1, 2^-2 and 2^-3 at K = 1, 2, 3, of 2^10 samples; what is found seldom does not count.
    triples = [(1, 512, 1), (2, 256, 1), (2, 16, 3), (3, 128, 1), (9, 5, 1)]
    found = spectrum(triples)._replace(num_samples=1024)
    line = bias.upper_line(found)
    assert line == pytest.approx((1, 0))
    assert bias.share_above(line, found) == 0
    assert bias.decades(found) == pytest.approx(np.log10(512 / 16))
    others = spectrum([(3, 500, 1), (3, 250, 1), (3, 30, 2)])._replace(num_samples=1024)
    assert bias.share_above(line, others) == 0.25  # 250 is within a factor of two of 128
    assert bias.upper_line(others) is None and bias.share_above(line, spectrum([(1, 2, 1)])) is None


def result(**columns):
    """Four seeds of nets, simple and frequent, and of random functions."""
    base = {
        "setting": "net",
        "kind": "net",
        "num_samples": 100_000,
        "most_frequent": 0.4,
        "decades": 4.0,
        "rank_correlation": -0.5,
        "mean_complexity": 60.0,
        "bound_slope": 0.2,
        "above_bound": 0.0,
    }
    table = []
    for seed in range(4):
        jitter = 0.01 * seed
        own = {name: values[seed] for name, values in columns.items()}
        row = base | {"rank_correlation": -0.5 - jitter, "mean_complexity": 60 + jitter} | own
        chance = {"kind": "random functions", "setting": "random functions"}
        table += [row | {"seed": seed}, chance | {"mean_complexity": 160.0, "seed": seed}]
        table.append(row | {"seed": seed, "kind": "other net", "setting": "deep"})
    data = [{"name": "boolean", "num_train": 128, "subset": False, "stored_as": None}]
    return Result("some", "simplicity_bias", "python x.py", {}, {}, data, {}, "2026", table)


def verdicts(found):
    return [item.finding.verdict for item in judge_claims(claims(), [found])]


def test_claims_hold_and_what_would_contradict_them():
    assert verdicts(result()) == ["holds"] * 4 + ["no verdict"]  # the last is only recalled
    assert verdicts(result(decades=[4, 4, 4, 2.9]))[0] == "does not hold"
    assert verdicts(result(decades=[4, 4, 4, None]))[0] == "too few"
    seldom = result(decades=[1, 1, 1, 1], most_frequent=[0.4, 0.4, 0.4, 0.09])
    assert verdicts(seldom)[0] == "too few"  # 9,000 finds span less than three decades down to ten
    assert verdicts(result(rank_correlation=[0.5, 0.4, 0.5, 0.6]))[1] == "does not hold"
    assert verdicts(result(rank_correlation=[-0.5, 0.4, -0.5, 0.6]))[1] == "inconclusive"
    assert verdicts(result(rank_correlation=[-0.5, -0.5, None, None]))[1] == "too few"
    assert verdicts(result(above_bound=[0, 0, 0, 0.01]))[2] == "does not hold"
    assert verdicts(result(bound_slope=[0.1, 0.1, 0.1, -0.1]))[2] == "does not hold"
    assert verdicts(result(mean_complexity=[160, 161, 162, 161]))[3] == "inconclusive"
    assert verdicts(result(mean_complexity=[170, 171, 172, 171]))[3] == "does not hold"


def test_the_readme_is_what_the_result_files_give(capsys):
    path = Path(__file__).resolve().parents[2] / "experiments/valleperez2019/side_by_side.py"
    spec = importlib.util.spec_from_file_location("side_by_side", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, capsys.readouterr().err
