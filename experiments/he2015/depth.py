"""Plain and residual nets over depth: what is lost without shortcuts, and gained with them.

Claims: a deeper plain net fits its training set worse than a shallower one: degradation, which is
no overfitting. A deeper residual net, which differs by shortcuts without parameters, is better on
the test set.

Source: He, Zhang, Ren and Sun 2015, "Deep residual learning for image recognition" (arXiv
1512.03385), section 4.2: nets of 20 to 1,202 layers on CIFAR-10, test errors in Table 6, the course
of training in Fig. 6. foundations/residual.py has the gradients, and random labels.

Expected: on all of CIFAR-10 test errors of 8.75, 7.51, 7.17, 6.97 and 6.43 % with shortcuts and 20,
32, 44, 56 and 110 layers. What plain nets reach is in its figure only; that 56 layers fit worse
than 20 is known second-hand.

Command: python experiments/he2015/depth.py --preset smoke
  smoke  digits (in the package), 300 images, plain and residual nets of 8 and 14 layers, three
         seeds; a minute, most of it compiling
  cpu    1,000 of CIFAR-10 averaged to 16x16, 8, 20, 32 and 56 layers, three seeds, 930 steps; 21
         minutes on two cores, beside tests
  paper  CIFAR-10 with crops and flips, 20 to 110 layers, three seeds, 64,000 steps; has not been
         run: 2e17 operations, by a GPU's data sheet an hour; nets so narrow do not reach it

As published: batch 128, momentum 0.9, weight decay 0.0001, rate 0.1 divided by ten at 32,000 and
48,000 of 64,000 steps (half and three quarters of what a preset takes), images padded by 4, cropped
and flipped, their mean over the training images subtracted.

What the paper leaves open, or is not known here, and what is taken: its choice of recipe on a part
of the training set is not repeated; weight decay reaches kernels only; an epoch drops what does not
fill a batch, so that 64,000 steps are 164.1 epochs, of which 164 are taken; the first 400 steps of
nets of 110 layers and more are taken at a tenth of the rate (recalled). "smoke" and "cpu" have
smaller batches, no augmentation, and few steps: they show training more than its end.
"""

import dataclasses
import functools
import itertools
from typing import Any

import optax

from rote import cli, data, optim, tables, transforms, viz
from rote.core import Dataset, InputError
from rote.studies import he2015
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import averaged, ending
from rote.tables import Column
from rote.train import Group, Run, fit_groups

WARM_UP_DEPTH, WARM_UP_STEPS = 110, 400


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of plain and residual nets over depth."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, cifar10, any TFDS set."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    num_test: int | None = None
    """Test on a class-balanced subset of this many examples; None: on all."""
    pool: int = 1
    """Side of the squares of pixels that are averaged, to have smaller images."""
    augment: bool = False
    """Pad by 4, crop at random and flip the training images."""
    nets: tuple[str, ...] = ("plain", "residual")
    """plain, residual, residual_projection, plain_no_bn, residual_no_bn."""
    depths: tuple[int, ...] = (8, 14)
    """Layers with weights, 6 n + 2."""
    learning_rate: float = 0.1
    """The first; it is divided by ten after half of the steps and after three quarters."""
    momentum: float = 0.9
    """Of heavy ball."""
    weight_decay: float = 0.0001
    """Coefficient of the l2 term, on kernels."""
    batch_size: int = 32
    """Examples per step."""
    max_epochs: int = 16
    """Of every training."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of initialization, data order and augmentation."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("nets", "depths"):
            check_list(name, getattr(self, name))
        for name in ("pool", "learning_rate", "batch_size", "max_epochs"):
            check_positive(name, getattr(self, name))
        for name in ("momentum", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}: {getattr(self, name)}; expected a number in [0, 1)")
        for net, depth in itertools.product(self.nets, self.depths):
            he2015.build(net, depth, 2)  # an impossible depth is refused now


PRESETS = {
    "smoke": Config(num_train=300, num_test=200, max_epochs=8),
    "cpu": Config(
        dataset="cifar10",
        num_train=1_000,
        num_test=500,
        pool=2,
        depths=(8, 20, 32, 56),
        max_epochs=30,
    ),
    "paper": Config(
        dataset="cifar10",
        augment=True,
        depths=(20, 32, 44, 56, 110),
        batch_size=128,
        max_epochs=164,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains every net at every depth; leaves a table and two figures."""
    dataset = data.load(config.dataset, num_train=config.num_train, num_test=config.num_test)
    dataset = averaged(dataset, config.pool)
    cells = list(itertools.product(config.depths, config.nets))
    factors: dict[str, dict[str, Any]] = {
        f"{net} depth={depth} seed={seed}": {"net": net, "depth": depth, "seed": seed}
        for depth, net in cells
        for seed in config.seeds
    }
    groups = [group(config, dataset, net, depth) for depth, net in cells]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    table, curves = [], []
    for result in itertools.chain.from_iterable(trained):
        each = factors[result.label]
        ended = ending(result, ("train_loss", "train_accuracy", "test_accuracy"))
        accuracy = ended["test_accuracy"]
        table.append(
            {
                **each,
                "status": result.status,
                **ended,
                "test_error": None if accuracy is None else 1 - accuracy,
            }
        )
        curves += [
            {
                **each,
                "panel": he2015.in_words(each["net"]),
                "epoch": row["epoch"],
                "train_loss": row["train_loss"],
            }
            for row in result.history
        ]
    about = data.describe(dataset)
    where = f"{about['num_train']:,} images of {dataset.name}"
    figure = viz.lines(
        curves,
        x="epoch",
        y="train_loss",
        by="depth",
        panel="panel",
        log=("train_loss",),
        share_y=True,
        caption=f"evaluation mode; {where}",
        title="Training, by depth",
    )
    out.save_figure("training", figure)
    figure = viz.lines(
        [{**row, "net": he2015.in_words(row["net"])} for row in table],
        x="depth",
        y=("train_accuracy", "test_accuracy"),
        by="net",
        log=("depth",),
        markers=True,
        caption=f"{where}, after epoch {config.max_epochs}",
        title="With shortcuts and without",
    )
    out.save_figure("depth", figure)
    summary = tables.summarize(
        table,
        ["depth", "net"],
        {
            "train loss": Column("train_loss", 3, above="diverged"),
            "train accuracy": Column("train_accuracy", 1, unit="%", above="diverged"),
            "test error": Column("test_error", 2, unit="%", above="diverged"),
        },
    )
    out.finish(tables.format_table(summary), table=table, summary=summary, data=about)


def group(config: Config, dataset: Dataset, net: str, depth: int) -> Group:
    """The trainings of one net and depth."""
    steps = config.max_epochs * max(1, len(dataset.train.labels) // config.batch_size)
    warm_up = WARM_UP_STEPS if depth >= WARM_UP_DEPTH else 0
    transform = he2015.subtract_mean(dataset.train.images)
    if config.augment:
        size = dataset.image_shape[0]
        augmented = (transforms.random_crop(size, padding=4), transforms.random_flip())
        transform = transforms.chain(transform, *augmented)
    return Group(
        model=he2015.build(net, depth, dataset.num_classes),
        make_optimizer=functools.partial(optimizer, config, steps, warm_up),
        dataset=dataset,
        runs=[
            Run(init_seed=seed, label=f"{net} depth={depth} seed={seed}") for seed in config.seeds
        ],
        batch_size=config.batch_size,
        max_epochs=config.max_epochs,
        transform=transform,
        record="last",
    )


def optimizer(config: Config, steps: int, warm_up: int) -> optax.GradientTransformation:
    """Heavy ball with weight decay, its rate falling over so many steps."""
    return optim.momentum(
        he2015.learning_rate_schedule(config.learning_rate, steps, warm_up),
        config.momentum,
        weight_decay=config.weight_decay,
    )


if __name__ == "__main__":
    cli.main(run, PRESETS)
