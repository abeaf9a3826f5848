"""ImageNet with true and with random labels, with and without regularization.

Claim: also a network for ImageNet fits random labels, to 95 % top-1 train accuracy without a change
to its settings; regularization is worth 18 points of test accuracy on true labels, but without it
the network still generalises. On true labels without regularization the best test accuracy is
reached before the end (Fig. 2a).

Source: Zhang et al. 2017, Table 2 and Fig. 2a (Inception V3).

Expected: read in the paper's text are, without regularization, 95.20 % top-1 train accuracy on
random labels, 59.80 % top-1 and 80.38 % top-5 test accuracy on true ones, and 72.95 % top-1 with
augmentation alone. The rest of the table is recalled only, and nothing is judged against it.

Data: any image set of TFDS. The small ones have one image size (imagenet_resized/64x64, 15.7 GB
once decoded); imagenet2012 is brought to one by --image-size (224: 193 GB). Prepare them with TFDS
where TensorFlow is, "pip install 'rote[tensorflow]'": "tfds build imagenet_resized/64x64"; for
imagenet2012 the two archives of the original have to lie in downloads/manual first. Images that do
not fit into the device's memory are streamed from the decoded copy.

Command: python experiments/zhang2017/imagenet.py --preset smoke
  smoke     300 digits (in the package), ResNet-8; half a minute on two cores
  cpu       ResNet-20 on 2,000 images of CIFAR-10; not run yet
  resized   imagenet_resized/64x64, ResNet-50 (--dataset imagenet_resized/32x32 for less)
  paper     imagenet2012 at 224x224, ResNet-50
The last two have not been run: they want the data and several accelerators. An image at 224x224 is
4.1 billion multiply-adds, 25 Gflop forward and back; 90 epochs of 1.28 million images are 2.8e18
flop a run, 3.8e18 with the evaluation, 2.3e19 for the six; at 64x64 a twelfth. Measured on two
cores of an AMD EPYC, by what the first lines of a run predict: 5.4e12 flop in 2.1 minutes, 43
Gflop/s (--dataset cifar10 --image-size 64 --model resnet_50 --num-train 320 --num-test 64
--batch-size 32 --max-epochs 1 --seeds 0 --learning-rate 0.05), at which "resized" would take 1.4
years. On a GPU nothing has been measured; at an assumed tenth of 990 Tflop/s (bfloat16, a device of
the H100 and H200 kind) "paper" takes 64 hours and "resized" five.

Deviations: ResNet-50 instead of Inception V3, hence no dropout and no rows with it; per-image
whitening; augmentation is random crop after padding by an eighth (at 32x32: to 28x28) and flip;
momentum at 0.1 times 0.95 per epoch, batch 256, 90 epochs, weight decay 5e-4, none of which the
paper gives for this table in the sources at hand. Top-5 train accuracy is taken on 50,000 training
images. Of each example the last epoch's prediction alone is recorded, so nothing is said about when
it was learned.
"""

import dataclasses
import functools

import jax
import numpy as np

from rote import cli, data, viz
from rote.core import Dataset, Params, State
from rote.studies import catalog, zhang2017
from rote.studies.config import TrainConfig
from rote.tables import Column
from rote.train import Result, make_forward

ROWS = (
    ("true", True, True),
    ("true", True, False),
    ("true", False, True),
    ("true", False, False),
    ("random", False, True),
    ("random", False, False),
)
"""Labels, whether augmented, whether with weight decay."""
TOP_K_BATCH = 256
TOP_5_SAMPLE = 50_000


@dataclasses.dataclass(frozen=True)
class Config(TrainConfig):
    """Settings of the table."""

    model: tuple[str, ...] = ("resnet_8",)
    """Networks."""
    image_size: int | None = None
    """Height and width to which images are brought; None: as they are."""

    def __post_init__(self) -> None:
        """Checks the values."""
        super().__post_init__()
        zhang2017.check_compared(self)


PRESETS = {
    "smoke": Config(num_train=300, seeds=(0,), batch_size=50, learning_rate=(0.05,), max_epochs=60),
    "cpu": Config(
        dataset="cifar10",
        model=("resnet_20",),
        num_train=2_000,
        learning_rate=(0.05,),
        max_epochs=100,
    ),
    "resized": Config(
        dataset="imagenet_resized/64x64",
        model=("resnet_50",),
        seeds=(0,),
        batch_size=256,
        learning_rate=(0.1,),
        learning_rate_decay=0.95,
        compute_dtype="bfloat16",
        max_epochs=90,
    ),
    "paper": Config(
        dataset="imagenet2012",
        image_size=224,
        model=("resnet_50",),
        seeds=(0,),
        batch_size=256,
        learning_rate=(0.1,),
        learning_rate_decay=0.95,
        compute_dtype="bfloat16",
        max_epochs=90,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains every row with every seed; leaves a table and figures."""
    dataset = data.load(
        config.dataset,
        num_train=config.num_train,
        num_test=config.num_test,
        image_size=config.image_size,
    )
    cases = [case for model in config.model for case in rows_of(model, dataset, config)]
    zhang2017.look(config, dataset, cases, out)
    progress = cli.Progress(out, columns={case.label: case.factors for case in cases})
    results = zhang2017.train(
        config, dataset, cases, progress, out.execution, stop=None, record="last"
    )
    table = zhang2017.outcomes(cases, results)
    for row, case, result in zip(table, cases, results, strict=True):
        top_5 = functools.partial(top_k_accuracy, case, result, k=5)
        sample = slice(TOP_5_SAMPLE)
        row["train_top_5"] = top_5(dataset.train.images[sample], result.data.labels[sample])
        row["test_top_5"] = top_5(dataset.test.images, dataset.test.labels)
        row["best_test_accuracy"] = max(epoch["test_accuracy"] for epoch in result.history)
    factors = ["labels", "augmentation", "weight_decay"]
    columns = {
        "train top-1": Column("train_accuracy", digits=2, unit="%"),
        "train top-5": Column("train_top_5", digits=2, unit="%"),
        "test top-1": Column("test_accuracy", digits=2, unit="%"),
        "(best)": Column("best_test_accuracy", digits=2, unit="%"),
        "test top-5": Column("test_top_5", digits=2, unit="%"),
    }
    summary = zhang2017.present(table, factors, columns)
    figure = viz.accuracies(
        table,
        by=("net", *factors),
        num_classes=dataset.num_classes,
        title=zhang2017.title(config, dataset),
    )
    out.save_figure("imagenet", figure)
    for net, part in zhang2017.by_net(zhang2017.curves(cases, results)).items():
        for row in part:
            row["row"] = _name(row["labels"], row["augmentation"], row["weight_decay"])
        figure = viz.learning_curves(
            part,
            metric="test_accuracy",
            x="epoch",
            by="row",
            title=zhang2017.title(config, dataset, net),
        )
        out.save_figure(f"test_accuracy {net}".strip().replace(" ", "_"), figure)
    zhang2017.finish(out, config, dataset, table, summary)


def rows_of(model: str, dataset: Dataset, config: Config) -> list[zhang2017.Case]:
    """The table's rows for a network."""
    decay = zhang2017.weight_decay_of(config, model)
    return [
        case
        for labels, augmented, decays in ROWS
        for case in zhang2017.expand(
            config,
            model,
            _name(labels, augmented, decays),
            {"labels": labels, "augmentation": augmented, "weight_decay": decays},
            functools.partial(data.corrupt, dataset, zhang2017.LABELS[labels]),
            augment="crop_flip" if augmented else "none",
            weight_decay=decay if decays else 0.0,
        )
    ]


def _name(labels: str, augmented: bool, decays: bool) -> str:
    return " ".join([f"{labels}_labels", *["augmentation"] * augmented, *["weight_decay"] * decays])


def top_k_accuracy(
    case: zhang2017.Case, result: Result, images: np.ndarray, labels: np.ndarray, k: int
) -> float:
    """The fraction of images whose label is among the ``k`` largest logits of a trained net.

    Args:
      case: how the net was trained.
      result: what came out.
      images: ``[N, H, W, C]`` as stored.
      labels: ``[N]`` integers.
      k: 1 is accuracy.
    """
    model = catalog.build(case.model, result.data.num_classes, dropout=case.dropout)
    transform = zhang2017.preprocessing(images.shape[1:], "none", whiten=case.whiten)
    forward = make_forward(model, transform)

    @jax.jit
    def logits(params: Params, state: State, x: jax.Array) -> jax.Array:
        return forward(params, state, x, train=False)[0]

    found = 0
    for start in range(0, len(labels), TOP_K_BATCH):
        part = slice(start, start + TOP_K_BATCH)
        largest = np.argsort(np.asarray(logits(result.params, result.state, images[part])), axis=1)[
            :, -k:
        ]
        found += int(np.sum(largest == labels[part, None]))
    return found / len(labels)


if __name__ == "__main__":
    cli.main(run, PRESETS, resolve=zhang2017.resolve)
