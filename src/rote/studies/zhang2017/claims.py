"""What Zhang et al. (2017) claim in words, each with its test."""

from collections.abc import Callable, Sequence

from rote.studies.comparison import Claim, Finding, Result, Row, findings
from rote.studies.zhang2017 import findings as own
from rote.studies.zhang2017.published import MODEL_NAMES, TABLE_1, Table1Row, setting


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    random_rows = [row for row in TABLE_1 if row.labels == "random"]
    return [
        *(
            Claim(
                "Table 1",
                "second-hand",
                f"{MODEL_NAMES[row.model]} {text}",
                test,
                ("table1", "corruption_sweep", "learning_curves"),
                _random_labels(row.model, finding),
            )
            for text, test, finding in (
                ("fits random labels", findings.FITTED_TEST, findings.fitted),
                ("is at chance after random labels", findings.CHANCE_TEST, findings.at_chance),
            )
            for row in random_rows
        ),
        *(
            Claim(
                "Fig. 1a",
                "verified",
                f"the labels are fitted under {condition}",
                findings.FITTED_TEST,
                ("learning_curves",),
                findings.over({"condition": condition}, findings.of_each_model(findings.fitted)),
            )
            for condition in ("random_labels", "shuffled_pixels", "random_pixels", "gaussian")
        ),
        Claim(
            "Fig. 1a",
            "verified",
            "true labels are fitted first, random labels last",
            own.ORDER_TEST,
            ("learning_curves",),
            own.order,
        ),
        *(
            Claim(
                "Fig. 1b",
                "second-hand",
                f"{MODEL_NAMES[model]} takes longer to fit random labels",
                own.SLOWER_TEST,
                ("corruption_sweep", "learning_curves"),
                own.slower(model),
            )
            for model in ("inception_small", "alexnet_small", "mlp_1x512")
        ),
        *(
            Claim(
                "Appendix E",
                "verified",
                f"{MODEL_NAMES[model]} {'fails to fit' if fails else 'fits'} random labels under "
                "weight decay",
                findings.UNFITTED_TEST if fails else findings.FITTED_TEST,
                ("explicit_regularizers",),
                findings.over(
                    {"model": model, "regularizer": "weight_decay"},
                    findings.not_fitted if fails else findings.fitted,
                ),
            )
            for model, fails in (
                ("inception_small", False),
                ("alexnet_small", True),
                ("mlp_3x512", False),
                ("mlp_1x512", False),
            )
        ),
        *_effects_on_test_accuracy(),
        *(
            Claim(
                "Table 4",
                "recalled",
                f"effect of {regularizer.replace('_', ' ')} on fitting random labels, "
                f"{MODEL_NAMES[model]} (train accuracy)",
                findings.EFFECT_TEST,
                ("explicit_regularizers",),
                findings.effect(
                    {"model": model, "regularizer": regularizer},
                    {"model": model, "regularizer": "none"},
                    "train_accuracy",
                ),
            )
            for model, regularizer in (
                ("inception_small", "random_crop"),
                ("inception_small", "augmentation"),
            )
        ),
        Claim(
            "Fig. 2b",
            "verified",
            "early stopping does not help on CIFAR-10",
            own.EARLY_STOPPING_TEST,
            ("early_stopping",),
            own.early_stopping,
        ),
        Claim(
            "Fig. 2b",
            "verified",
            "batch norm steadies the course of test accuracy",
            own.STEADIER_TEST,
            ("early_stopping",),
            own.steadier,
        ),
        Claim(
            "Fig. 2a",
            "verified",
            "early stopping could help on ImageNet",
            own.BEST_EPOCH_TEST,
            ("imagenet",),
            own.best_epoch,
        ),
        Claim(
            "Theorem 1",
            "verified",
            "two layers of 2n + d weights fit any labels on n points",
            own.THEOREM_TEST,
            ("expressivity",),
            own.theorem,
        ),
        Claim(
            "Section 4",
            "verified",
            "networks of depth k and width O(n/k) fit any labels on n points",
            own.COROLLARY_TEST,
            ("expressivity",),
            own.corollary,
        ),
        Claim(
            "Section 5",
            "verified",
            "MNIST: the solution with the smaller error has the larger norm",
            own.NORMS_TEST,
            ("linear_models",),
            own.norms,
        ),
        Claim(
            "Section 5",
            "verified",
            "MNIST: l2 helps neither model",
            own.L2_TEST,
            ("linear_models",),
            own.l2_on_mnist,
        ),
    ]


def _effects_on_test_accuracy() -> list[Claim]:
    """Every pair of rows of Table 1 that differ in one treatment."""
    true = [row for row in TABLE_1 if row.labels == "true"]
    pairs = [
        (one, other, treatment)
        for treatment in ("weight_decay", "random_crop")
        for one in true
        for other in true
        if getattr(one, treatment) > getattr(other, treatment) and _alike(one, other, treatment)
    ]
    pairs += [
        (one, other, "batch norm")
        for one in true
        for other in true
        if other.model == f"{one.model}_no_bn" and _alike(one, other, "model")
    ]
    made = []
    for treated, untreated, treatment in pairs:
        with_ = [
            name.replace("_", " ")
            for name in ("random_crop", "weight_decay")
            if name != treatment and getattr(treated, name)
        ]
        what = ", ".join([MODEL_NAMES[treated.model], *(f"with {name}" for name in with_)])
        made.append(
            Claim(
                "Table 1",
                "computed",
                f"effect of {treatment.replace('_', ' ')} on test accuracy, {what} "
                f"(paper: {treated.test - untreated.test:+.2f} points)",
                findings.EFFECT_TEST,
                ("table1",),
                findings.effect(
                    setting(treated),
                    setting(untreated),
                    "test_accuracy",
                    treated.test - untreated.test,
                ),
            )
        )
    return made


def _alike(one: Table1Row, other: Table1Row, but: str) -> bool:
    """Whether two settings differ in nothing else."""
    return {**setting(one), but: None} == {**setting(other), but: None}


def _random_labels(
    model: str, finding: Callable[[Sequence[Row]], Finding]
) -> Callable[[Result], Finding | None]:
    matches: dict[str, dict[str, object]] = {
        "table1": {
            "model": model,
            "labels": "random",
            "random_crop": False,
            "weight_decay": False,
        },
        **{
            experiment: {"model": model, column: random}
            for experiment, (column, (_, random)) in own.TRUE_AND_RANDOM.items()
        },
    }
    return lambda result: findings.over(matches[result.experiment], finding)(result)
