"""The numbers that Zhang et al. (2017) print; a value says which rows of which table are ours."""

from typing import Any, Literal, NamedTuple

from rote.studies.comparison import TEST_MARGIN, TRAIN_MARGIN, Published, Tag

MODEL_NAMES = {
    "inception_small": "Inception",
    "inception_small_no_bn": "Inception without BN",
    "alexnet_small": "Alexnet",
    "mlp_3x512": "MLP 3x512",
    "mlp_1x512": "MLP 1x512",
}


class Table1Row(NamedTuple):
    """A row of Table 1, in percent as printed there."""

    model: str
    random_crop: bool
    weight_decay: bool
    labels: Literal["true", "random"]
    train: float
    test: float


TABLE_1 = (
    Table1Row("inception_small", True, True, "true", 100.0, 89.05),
    Table1Row("inception_small", True, False, "true", 100.0, 89.31),
    Table1Row("inception_small", False, True, "true", 100.0, 86.03),
    Table1Row("inception_small", False, False, "true", 100.0, 85.75),
    Table1Row("inception_small", False, False, "random", 100.0, 9.78),
    Table1Row("inception_small_no_bn", False, True, "true", 100.0, 83.00),
    Table1Row("inception_small_no_bn", False, False, "true", 100.0, 82.00),
    Table1Row("inception_small_no_bn", False, False, "random", 100.0, 10.12),
    Table1Row("alexnet_small", True, True, "true", 99.90, 81.22),
    Table1Row("alexnet_small", True, False, "true", 99.82, 79.66),
    Table1Row("alexnet_small", False, True, "true", 100.0, 77.36),
    Table1Row("alexnet_small", False, False, "true", 100.0, 76.07),
    Table1Row("alexnet_small", False, False, "random", 99.82, 9.86),
    Table1Row("mlp_3x512", False, True, "true", 100.0, 53.35),
    Table1Row("mlp_3x512", False, False, "true", 100.0, 52.39),
    Table1Row("mlp_3x512", False, False, "random", 100.0, 10.48),
    Table1Row("mlp_1x512", False, True, "true", 99.80, 50.39),
    Table1Row("mlp_1x512", False, False, "true", 100.0, 50.51),
    Table1Row("mlp_1x512", False, False, "random", 99.34, 10.61),
)
"""Complete. Two independent notes agree on every row."""


def setting(row: Table1Row) -> dict[str, Any]:
    """What tells a row of Table 1 from the others, as our tables have it."""
    names = ("model", "random_crop", "weight_decay", "labels")
    return {name: getattr(row, name) for name in names}


def _table_1() -> list[Published]:
    values = []
    for row in TABLE_1:
        treatment = [
            *(["random crop"] if row.random_crop else []),
            *(["weight decay"] if row.weight_decay else []),
            *(["random labels"] if row.labels == "random" else []),
        ]
        what = ", ".join([MODEL_NAMES[row.model], *treatment])
        for column, percent, margin in (
            ("test_accuracy", row.test, TEST_MARGIN),
            ("train_accuracy", row.train, TRAIN_MARGIN),
        ):
            values.append(
                Published(
                    "Table 1",
                    what,
                    column,
                    round(percent / 100, 6),
                    "second-hand",
                    "table1",
                    setting(row),
                    margin=margin,
                    without=() if row.weight_decay else ("weight_decay",),
                )
            )
    return values


def _figure_1c() -> list[Published]:
    """The ends of the curves: without corruption from Table 1, at full corruption chance."""
    plain = {
        row.model: round(1 - row.test / 100, 6)
        for row in TABLE_1
        if (row.random_crop, row.weight_decay, row.labels) == (False, False, "true")
    }
    ends: list[tuple[str, float, float, Tag]] = []
    for model in ("inception_small", "alexnet_small", "mlp_1x512"):
        ends += [(model, 0.0, plain[model], "computed"), (model, 1.0, 0.9, "verified")]
    return [
        Published(
            "Fig. 1c",
            f"{MODEL_NAMES[model]}, corruption {corruption:g}",
            "test_error",
            value,
            tag,
            "corruption_sweep",
            {"model": model, "corruption": corruption},
            without=("target_accuracy",),
        )
        for model, corruption, value, tag in ends
    ]


def _table_4() -> list[Published]:
    """Random labels with a regularizer on."""
    rows = (
        ("inception_small", "weight_decay", 1.0, False),
        ("mlp_3x512", "weight_decay", 1.0, False),
        ("mlp_1x512", "weight_decay", 0.9921, False),
        ("inception_small", "random_crop", 0.9993, True),
        ("inception_small", "augmentation", 0.9928, True),
    )
    return [
        Published(
            "Table 4",
            f"{MODEL_NAMES[model]}, random labels, {regularizer.replace('_', ' ')}",
            "train_accuracy",
            value,
            "recalled",
            "explicit_regularizers",
            {"model": model, "regularizer": regularizer},
            margin=TRAIN_MARGIN,
            without=(
                "dropout",
                *(() if slow else ("slow_epochs", "slow_decay")),
                *(() if regularizer == "weight_decay" else ("weight_decay",)),
            ),
        )
        for model, regularizer, value, slow in rows
    ]


NOT_SOLVED = ("dtype", "sgd_examples", "sgd_epochs")
"""Settings of the linear models that change no solution but in its last digits."""


def _linear_models() -> list[Published]:
    def error(dataset: str, features: str, l2: bool, value: float, what: str) -> Published:
        return Published(
            "Section 5",
            what,
            "test_error",
            value,
            "verified",
            "linear_models",
            {"dataset": dataset, "features": features, "labels": "true", "l2": l2},
            dataset,
            drawn=features == "random_conv",
            without=NOT_SOLVED if features == "random_conv" else (*NOT_SOLVED, "num_filters"),
        )

    def norm(features: str, value: float, what: str) -> Published:
        match = {"dataset": "mnist", "features": features, "labels": "true", "l2": False}
        return Published(
            "Section 5",
            what,
            "norm",
            value,
            "verified",
            "linear_models",
            match,
            "mnist",
            margin=None,
            drawn=False,
            without=(*NOT_SOLVED, "num_filters"),
        )

    return [
        error("mnist", "pixels", False, 0.012, "MNIST, Gaussian kernel on pixels"),
        error("mnist", "gabor", False, 0.006, "MNIST, Gabor wavelets"),
        error("cifar10", "pixels", False, 0.46, "CIFAR-10, Gaussian kernel on pixels"),
        error("cifar10", "random_conv", False, 0.17, "CIFAR-10, 32,000 random filters"),
        error("cifar10", "random_conv", True, 0.15, "CIFAR-10, 32,000 random filters, l2"),
        norm("pixels", 220.0, "MNIST, Gaussian kernel on pixels"),
        norm("gabor", 390.0, "MNIST, Gabor wavelets"),
    ]


def _table_2() -> list[Published]:
    """ImageNet: top-1 train, top-1 test and top-5 test accuracy, and which the text has, too."""
    rows: tuple[tuple[str, bool, bool, tuple[float, float, float], tuple[str, ...]], ...] = (
        ("true", True, False, (92.33, 72.95, 90.43), ("test_accuracy",)),
        ("true", False, True, (90.60, 67.18, 86.44), ()),
        ("true", False, False, (99.53, 59.80, 80.38), ("test_accuracy", "test_top_5")),
        ("random", False, True, (87.81, 0.12, 0.50), ()),
        ("random", False, False, (95.20, 0.11, 0.56), ("train_accuracy",)),
    )
    columns = ("train_accuracy", "test_accuracy", "test_top_5")
    values = []
    for labels, augmented, decays, percents, read in rows:
        treatment = [
            *(["random labels"] if labels == "random" else []),
            *(["augmentation"] if augmented else []),
            *(["weight decay"] if decays else []),
        ]
        for column, percent in zip(columns, percents, strict=True):
            tag: Tag = "verified" if column in read else "recalled"
            values.append(
                Published(
                    "Table 2",
                    ", ".join(["ImageNet", *treatment]),
                    column,
                    round(percent / 100, 6),
                    tag,
                    "imagenet",
                    {"labels": labels, "augmentation": augmented, "weight_decay": decays},
                    "imagenet2012",
                    margin=TRAIN_MARGIN if column == "train_accuracy" else TEST_MARGIN,
                    otherwise=("ResNet-50 for Inception V3",),
                )
            )
    return values


PUBLISHED = (*_table_1(), *_figure_1c(), *_table_2(), *_table_4(), *_linear_models())
"""Every number that ours are compared with."""
