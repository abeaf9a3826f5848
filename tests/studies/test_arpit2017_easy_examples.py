"""When the claims on easy examples hold, and what contradicts them."""

from rote.studies.arpit2017 import easy_examples
from rote.studies.comparison import Result, judge_claims

DISTANCES = {"real": 0.1, "random inputs": 0.004, "random labels": 0.02}


def verdicts(split_half=0.9, jitter=0.001, seeds=3, **distances):
    given = DISTANCES | {name.replace("_", " "): value for name, value in distances.items()}
    table = [
        # Jitter that differs between the data, so that differences have a spread.
        {
            "data": name,
            "seed": seed,
            "distance": distance + jitter * (seed * (at + 1) % 3),
            "split_half": split_half,
        }
        for at, (name, distance) in enumerate(given.items())
        for seed in range(seeds)
    ]
    result = Result("some", "easy_examples", "", {}, {}, [], {}, "", table)
    judged = judge_claims(easy_examples.claims(), [result])
    return [item.finding.verdict for item in judged]


def test_claims_hold_and_what_would_contradict_them():
    assert verdicts() == ["holds"] * 5
    assert verdicts(seeds=2) == ["too few"] * 5
    assert verdicts(split_half=0.4)[0] == "does not hold"
    assert verdicts(split_half=None)[0] == "too few"
    assert verdicts(random_inputs=0.2)[1] == "does not hold"
    assert verdicts(random_labels=0.2)[2] == "does not hold"
    assert verdicts(random_inputs=0.05)[3] == "does not hold"
    assert verdicts(random_labels=0.001)[4] == "does not hold"
    assert verdicts(random_labels=0.004, jitter=0.01)[4] == "inconclusive"


def test_what_has_not_been_run_gets_no_verdict():
    result = Result("some", "easy_examples", "", {}, {}, [], {}, "", [])
    judged = judge_claims(easy_examples.claims(), [result])
    assert {item.finding.verdict for item in judged} == {"not run"}
