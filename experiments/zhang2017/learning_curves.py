"""Training loss under true labels, random labels and randomised pixels.

Claim: the same network, with the same settings, fits true labels, random labels, and labels of
images whose pixels are shuffled or noise; random labels start later, and then converge fast.

Source: Zhang et al. 2017, section 2.1, Fig. 1a (small Inception on CIFAR-10). random_labels:
every training label redrawn uniformly over all classes, once; shuffled_pixels: one permutation of
the positions for all images; random_pixels: one per image; gaussian: images of noise with the
data's mean and variance. Test labels stay clean; test images are randomised like training images.

Expected: all conditions reach 100 % training accuracy, in the order true < shuffled_pixels <
gaussian, random_pixels < random_labels (so on digits; on subsets of CIFAR-10 each network has an
order of its own, and small Inception without batch norm is not done in 100 epochs). Test accuracy
is at chance under random_labels and gaussian. Under random_pixels an image keeps the set of its
pixel values, which alone tells something about its class: on CIFAR-10 test accuracy stays above
chance; on digits this network makes no use of it (README).

The second table is about what was memorised; corruption_sweep.py says what its columns are.

Command: python experiments/zhang2017/learning_curves.py --preset smoke

The README beside this file has what each preset measured, and what it cost.
  smoke  digits (in the package), CNN with batch norm, three seeds; half a minute on two cores
  cpu    small Alexnet on 10,000 images of CIFAR-10, tested on 2,000; over two hours
  cpu_inception  small Inception with and without batch norm on 2,000 images, tested on 1,000;
                 with batch norm an hour; without, almost two for true and random labels, and
                 three and a half for the other conditions, which not every seed fits
  cpu_cnn        a smaller CNN on 5,000 images; eight minutes
  paper  CIFAR-10, all 50,000 images, small Inception, learning rate 0.1 times 0.95 per epoch, so
         that after 100 epochs nothing moves. Wants an accelerator; not run yet: at most 0.6 times
         the work of table1.py's.

Deviations: cpu and cpu_cnn keep the learning rate constant, because an epoch of a subset has few
steps. In cpu_inception batches are of 32, for four times as many steps, weights are He's, and the
learning rate is 0.0025: from Glorot's weights and 0.02 times 0.97 per epoch, about the paper's 0.1
for 128 per example, small Inception without batch norm was still at the loss of chance, 2.30, after
15 epochs of random labels (one seed). A network without convolutions cannot tell shuffled_pixels
from true (a test shows it), so this figure wants a convolutional one. gaussian matches one mean and
variance over the whole set; the paper does not say whether it is per channel. What else it leaves
open, and what is taken: batches of 128, as reproductions have; weights from He's normal
distribution in MLPs, from Glorot's uniform one in small Alexnet and small Inception, which without
batch norm start badly from He's at the paper's rates (more in rote/studies/zhang2017/settings.py).
"Fitted" means 100 % training accuracy in a full pass in evaluation mode at the end of an epoch.
"""

import dataclasses

from rote import cli, viz
from rote.studies import zhang2017
from rote.studies.config import TrainConfig, check_list
from rote.tables import Column


@dataclasses.dataclass(frozen=True)
class Config(TrainConfig):
    """Settings of the learning curves."""

    model: tuple[str, ...] = ("cnn",)
    """Networks, such as cnn, alexnet_small, inception_small, resnet_18, mlp_1x512; several are
    trained one after another, each with every seed."""
    conditions: tuple[str, ...] = (
        "true",
        "shuffled_pixels",
        "gaussian",
        "random_pixels",
        "random_labels",
    )
    """What is randomised: true, random_labels, shuffled_labels, shuffled_pixels, random_pixels,
    gaussian."""

    def __post_init__(self) -> None:
        """Checks the values."""
        super().__post_init__()
        check_list("conditions", self.conditions)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="cifar10",
        model=("alexnet_small",),
        num_train=10_000,
        num_test=2_000,
        learning_rate_decay=1.0,
    ),
    "cpu_inception": Config(
        dataset="cifar10",
        model=("inception_small", "inception_small_no_bn"),
        num_train=2_000,
        num_test=1_000,
        batch_size=32,
        init="he_normal",
        learning_rate=(0.0025,),
        learning_rate_decay=1.0,
        max_epochs=100,
    ),
    "cpu_cnn": Config(dataset="cifar10", model=("cnn_16_32",), num_train=5_000),
    "paper": Config(
        dataset="cifar10",
        model=("inception_small",),
        batch_size=128,
        learning_rate_decay=0.95,
        max_epochs=100,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains a network per condition and seed; leaves a table and figures."""
    dataset = zhang2017.load(config)
    cases = zhang2017.condition_cases(dataset, config.conditions, config)
    zhang2017.look(config, dataset, cases, out)
    progress = cli.Progress(out, columns={case.label: case.factors for case in cases})
    results = zhang2017.train(config, dataset, cases, progress, out.execution)
    table = zhang2017.outcomes(cases, results)
    summary = zhang2017.present(
        table,
        ["condition"],
        {
            "epochs to fit": Column("epochs_to_fit", above="not fitted"),
            "steps to fit": Column("steps_to_fit", digits=0, above="not fitted"),
            "train accuracy": Column("train_accuracy", digits=2, unit="%"),
            "test accuracy": Column("test_accuracy", unit="%"),
        },
    )
    memorized = zhang2017.present(table, ["condition"], zhang2017.MEMORIZATION)

    curves = [row for row in zhang2017.curves(cases, results) if row["epoch"] > 0]
    for net, part in zhang2017.by_net(curves).items():
        for metric in ("train_loss", "train_accuracy", "test_accuracy"):
            figure = viz.learning_curves(
                part, metric=metric, title=zhang2017.title(config, dataset, net)
            )
            out.save_figure(f"{metric} {net}".strip().replace(" ", "_"), figure)
    zhang2017.finish(out, config, dataset, table, summary, memorized)


if __name__ == "__main__":
    cli.main(run, PRESETS, resolve=zhang2017.resolve)
