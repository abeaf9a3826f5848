"""What He et al. (2015) claim in words, each with its test, fixed before the run."""

from collections.abc import Callable

from rote.studies.comparison import FEWEST_SEEDS, Claim, Finding, Result, mean_interval, select
from rote.studies.comparison.findings import mean_text, paired_differences

EXPERIMENTS = ("depth",)
CHANGE_TEST = (
    "paired by seed, the 95 % t interval of the mean difference of accuracies lies on the claim's "
    "side of 0; it does not hold where it lies on the other; seeds that diverged are left out"
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        Claim(
            "Section 1, Fig. 1",
            "second-hand",
            "the deepest plain net fits its training set worse than the shallowest",
            CHANGE_TEST,
            EXPERIMENTS,
            over_depth("plain", "train_accuracy", rises=False),
        ),
        Claim(
            "Section 4.2, Table 6",
            "verified",
            "the deepest residual net is better on the test set than the shallowest",
            CHANGE_TEST,
            EXPERIMENTS,
            over_depth("residual", "test_accuracy", rises=True),
        ),
        Claim(
            "Section 4.2, Fig. 6",
            "second-hand",
            "at the largest depth the residual net is better on the test set than the plain one",
            CHANGE_TEST,
            EXPERIMENTS,
            with_shortcuts("test_accuracy"),
        ),
        Claim(
            "Section 4.2, Fig. 6",
            "second-hand",
            "and on the training set",
            CHANGE_TEST,
            EXPERIMENTS,
            with_shortcuts("train_accuracy"),
        ),
    ]


def over_depth(net: str, column: str, *, rises: bool) -> Callable[[Result], Finding | None]:
    """``CHANGE_TEST``, from a net's smallest depth to its largest.

    Args:
      net: its name.
      column: what is compared.
      rises: the claim's side.
    """

    def judged(result: Result) -> Finding | None:
        depths = sorted({row["depth"] for row in select(result, {"net": net})})
        if len(depths) < 2:
            return None
        shallow, deep = (
            select(result, {"net": net, "depth": depth}) for depth in (depths[0], depths[-1])
        )
        pairs = paired_differences(deep, shallow, column)
        return _changed(pairs, rises, f"{depths[-1]} over {depths[0]} layers")

    return judged


def with_shortcuts(column: str) -> Callable[[Result], Finding | None]:
    """``CHANGE_TEST``, from the plain to the residual net at the largest depth that both have."""

    def judged(result: Result) -> Finding | None:
        plain, residual = (
            {row["depth"] for row in select(result, {"net": net})} for net in ("plain", "residual")
        )
        if not plain & residual:
            return None
        depth = max(plain & residual)
        without, having = (
            select(result, {"net": net, "depth": depth}) for net in ("plain", "residual")
        )
        return _changed(paired_differences(having, without, column), True, f"{depth} layers")

    return judged


def _changed(pairs: list[float], rises: bool, what: str) -> Finding:
    if len(pairs) < FEWEST_SEEDS:
        return Finding(f"{what}: n = {len(pairs)}", "too few")
    low, high = mean_interval(pairs)
    risen, fallen = low > 0, high < 0
    verdict = "inconclusive"
    if risen or fallen:
        verdict = "holds" if risen == rises else "does not hold"
    return Finding(f"{mean_text(pairs, signed=True)}, {what}", verdict)
