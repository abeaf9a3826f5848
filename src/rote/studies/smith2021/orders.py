"""Which paths are compared, and the order in the learning rate that theory gives their distance."""

ONE_EPOCH = "one epoch"
FIXED_TIME = "fixed time"
ON_LOSS = "mean iterate, flow on C"
ON_FULL_BATCH = "mean iterate, flow with full-batch penalty"
ON_MODIFIED = "mean iterate, flow with mini-batch penalty"
ONE_ORDER = "one order, flow with mini-batch penalty"

_EXPECTED = {
    ONE_EPOCH: {ON_LOSS: 2.0, ON_FULL_BATCH: 2.0, ON_MODIFIED: 3.0, ONE_ORDER: 2.0},
    # An epoch is one order less, since a fixed time has 1/e epochs; but what a single order does at
    # random, e^2 an epoch, grows with the root of their number only.
    FIXED_TIME: {ON_LOSS: 1.0, ON_FULL_BATCH: 1.0, ON_MODIFIED: 2.0, ONE_ORDER: 1.5},
}


def expected_order(span: str, compared: str) -> float:
    """The exponent of the learning rate in the distance of two paths.

    Args:
      span: ``ONE_EPOCH`` or ``FIXED_TIME``.
      compared: which paths, such as ``ON_LOSS``.

    Reference:
      Expanding an epoch of SGD and the flow to second order; see
      ``experiments/smith2021/modified_loss.py``.

    >>> expected_order(ONE_EPOCH, ON_MODIFIED) - expected_order(ONE_EPOCH, ON_LOSS)
    1.0
    """
    return _EXPECTED[span][compared]
