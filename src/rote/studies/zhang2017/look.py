"""What ``--look`` shows before a study is trained."""

import dataclasses
import functools
from collections.abc import Sequence

from rote import measure, optim, viz
from rote.core import Dataset, Split
from rote.record import RunDir
from rote.studies.config import TrainConfig
from rote.studies.zhang2017.cases import Case
from rote.studies.zhang2017.report import title
from rote.studies.zhang2017.training import hold_out, network, schedule_of, transform_of


def look(config: TrainConfig, dataset: Dataset, cases: Sequence[Case], out: RunDir) -> None:
    """Looks at the first case of each network, as ``config.look`` asks for.

    The steps looked at are those of the training to come, but for ``config.micro_batches``. Leaves
    a figure for each in the run directory, and says in a line what was found.

    Args:
      config: the configuration.
      dataset: the data set that the cases are made from.
      cases: the trainings to come.
      out: the run directory; of several processes the one that writes looks.
    """
    if not config.look or not out.writes:
        return
    for case in {case.model: case for case in reversed(cases)}.values():
        if config.patience is not None:
            case = hold_out(case, dataset)
        trained_on = case.make()
        if case.subset is not None:
            rows = Split(*(array[case.subset] for array in trained_on.train))
            trained_on = dataclasses.replace(trained_on, train=rows)
        for kind in config.look:
            show = _range_test if kind == "range_test" else _monitor
            found = show(config, trained_on, case, out)
            print(f"{kind}, {case.model}, {case.label}: {found}", flush=True)


def _range_test(config: TrainConfig, dataset: Dataset, case: Case, out: RunDir) -> str:
    recipe = getattr(optim, config.optimizer)
    found = measure.range_test(
        network(dataset, case),
        functools.partial(recipe, weight_decay=case.weight_decay),
        dataset,
        seed=case.seed,
        batch_size=case.settings.batch_size,
        transform=transform_of(dataset, case),
        compute_dtype=config.compute_dtype,
    )
    if found.chosen is None:
        steepest, marks = "the loss hardly falls at any rate", [case.learning_rate]
    else:
        steepest = f"steepest descent at {found.chosen:.2g}, often far too low"
        marks = [found.chosen, case.learning_rate]
    trained = f"lowest loss at {found.lowest:.2g}; trained with {case.learning_rate:g}"
    figure = viz.range_test(
        found.rates,
        found.losses,
        found.smoothed,
        marks=marks,
        caption=f"dashed: {steepest}; {trained}",
        title=f"Range test: {title(config, dataset, case.model)}",
    )
    out.save_figure(f"range_test_{case.model}", figure)
    return f"{steepest}; {trained}"


def _monitor(config: TrainConfig, dataset: Dataset, case: Case, out: RunDir) -> str:
    schedule = schedule_of(dataset, case, case.learning_rate)
    watched = measure.watch(
        network(dataset, case),
        getattr(optim, config.optimizer)(schedule, weight_decay=case.weight_decay),
        dataset,
        seed=case.seed,
        batch_size=case.settings.batch_size,
        transform=transform_of(dataset, case),
        learning_rate=schedule,
        compute_dtype=config.compute_dtype,
    )
    findings = watched.findings()
    figure = viz.dashboard(
        **watched._asdict(),
        findings=findings,
        title=f"First steps: {title(config, dataset, case.model)}; {case.label}",
    )
    out.save_figure(f"monitor_{case.model}", figure)
    return "; ".join(findings) or "nothing found wrong"
