import json

import pytest

from rote.core import InputError
from rote.train import accuracy_reached, any_of, loss_reached, patience


def decisions(rule, rows):
    state, out = rule.init(), []
    for row in rows:
        state, decision = rule.update(json.loads(json.dumps(state)), row)
        out.append((decision.status, decision.best))
    return out


def test_accuracy_reached():
    rows = [{"train_accuracy": value} for value in (0.9, 0.99, 1.0)]
    assert decisions(accuracy_reached(), rows) == [(None, False)] * 2 + [("fitted", False)]
    assert decisions(accuracy_reached(0.99), rows)[1] == ("fitted", False)


def test_loss_reached():
    rows = [{"train_loss": value} for value in (0.2, 0.1)]
    assert decisions(loss_reached(0.1), rows) == [(None, False), ("fitted", False)]


def test_patience_waits_and_marks_the_best():
    rows = [{"test_loss": value} for value in (3.0, 2.0, 2.0, 1.0, 1.5, 1.0)]
    assert decisions(patience(2), rows) == [
        (None, True),
        (None, True),
        (None, False),
        (None, True),
        (None, False),
        ("patience", False),
    ]


def test_patience_takes_no_nan_for_the_best():
    rows = [{"test_loss": value} for value in (float("nan"), 1.0, 0.5)]
    assert decisions(patience(5), rows) == [(None, False), (None, True), (None, True)]


def test_patience_on_an_accuracy_goes_up():
    rows = [{"test_accuracy": value} for value in (0.1, 0.3, 0.2)]
    assert decisions(patience(1, "test_accuracy"), rows) == [
        (None, True),
        (None, True),
        ("patience", False),
    ]


def test_any_of_stops_with_the_first_and_keeps_the_best():
    rule = any_of(accuracy_reached(), patience(1))
    rows = [
        {"train_accuracy": 0.5, "test_loss": 1.0},
        {"train_accuracy": 1.0, "test_loss": 2.0},
    ]
    assert decisions(rule, rows) == [(None, True), ("fitted", False)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: accuracy_reached(95), "target 95"),
        (lambda: loss_reached(0.0), "positive loss"),
        (lambda: patience(0), "at least 1"),
        (lambda: patience(3, "test_acuracy"), "did you mean 'test_accuracy'"),
    ],
)
def test_bad_rules_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_patience_needs_its_metric():
    rule = patience(2, "held_out_accuracy")
    state, _ = rule.update(rule.init(), {"held_out_accuracy": 0.5})
    with pytest.raises(InputError, match="give it a subset"):
        rule.update(state, {"held_out_accuracy": None})
