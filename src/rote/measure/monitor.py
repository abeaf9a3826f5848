"""Look at everything: what goes into a net, what comes out of its layers, how its arrays move."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import DTypeLike

from rote.core import Batch, Dataset, InputError, Model, Params
from rote.measure.first_steps import batches, start
from rote.measure.layers import dead_units, layer_outputs
from rote.measure.norms import array_norms
from rote.train import TrainState, cross_entropy, make_forward, make_step
from rote.train.step import Loss, Transform

MAGNITUDES = np.linspace(-12, 4, 49)
"""Edges of the histograms, in powers of ten of the absolute value; what lies beyond is counted in
the first or last bin."""
KINDS = ("parameter", "gradient", "update")

LARGEST_INPUT = 10.0
"""Root mean square above which the input counts as not normalised."""
MOST_DEAD = 0.9
"""Share of a layer's units from which it counts as dead."""


class Watched(NamedTuple):
    """What was seen in the first steps of a training.

    Attributes:
      inputs: the pixels of the first mini-batch, flat: ``stored``, as the data set has them, and
        ``transformed``, as the net gets them.
      steps: a row per step: ``step``, ``loss`` (mean of the mini-batch, before the update),
        ``learning_rate`` (``None`` where it is not known).
      layers: a row per step looked at and layer: ``step``, ``layer``, ``mean``, ``std``, ``low``,
        ``high``, ``dead`` of its outputs; see ``layer_outputs``.
      arrays: a row per step looked at, array and kind (``KINDS``): ``step``, ``array``, ``kind``,
        ``norm``, and ``histogram``, the ``[48]`` counts of absolute values between ``edges``.
      edges: ``[49]``, in powers of ten.
    """

    inputs: dict[str, np.ndarray]
    steps: list[dict[str, Any]]
    layers: list[dict[str, Any]]
    arrays: list[dict[str, Any]]
    edges: np.ndarray = MAGNITUDES

    def findings(self) -> list[str]:
        """What is wrong, in a line each; by fixed rules, hence no proof that all is well.

        The input is not normalised (root mean square above 10); a layer is dead (nine tenths of its
        units tell no examples apart), of which the first is named; a step is larger than the
        parameters that it changes, both as one vector, so that little is left of what was there,
        and the loss has more than doubled by then; nothing is updated; the loss is not finite.
        """
        found = []
        size = float(np.sqrt(np.mean(np.square(self.inputs["transformed"], dtype=np.float64))))
        if not size <= LARGEST_INPUT:
            found.append(f"inputs are not normalised: root mean square {size:.3g}")
        last = self.layers[-1]["step"]
        dead = [row for row in self.layers if row["step"] == last and row["dead"] >= MOST_DEAD]
        if dead:
            first = dead[0]
            since = last
            for row in reversed([row for row in self.layers if row["layer"] == first["layer"]]):
                if row["dead"] < MOST_DEAD:
                    break
                since = row["step"]
            others = f", and {len(dead) - 1} more layers" if len(dead) > 1 else ""
            found.append(
                f"layer {first['layer']} is dead from step {since} on: {100 * first['dead']:.0f} % "
                f"of its units at step {last}{others}"
            )
        norms = {kind: self.norms(kind) for kind in KINDS}
        for step, update in norms["update"].items():
            before = norms["parameter"][step]
            losses = [row["loss"] for row in self.steps if row["step"] <= step + 1]
            if not update <= before and not max(losses) <= 2 * losses[0]:
                found.append(
                    f"the training explodes: an update of norm {update:.3g} on parameters of norm "
                    f"{before:.3g} at step {step}, from a gradient of {norms['gradient'][step]:.3g}"
                )
                break
        if not any(norms["update"].values()):
            found.append("nothing is updated: every update is 0")
        lost = [row["step"] for row in self.steps if not np.isfinite(row["loss"])]
        if lost:
            found.append(f"the loss is not finite from step {lost[0]} on")
        return found

    def norms(self, kind: str) -> dict[int, float]:
        """By step looked at, the norm of all arrays of a kind together."""
        squares: dict[int, float] = {}
        for row in self.arrays:
            if row["kind"] == kind:
                squares[row["step"]] = squares.get(row["step"], 0.0) + row["norm"] ** 2
        return {step: square**0.5 for step, square in squares.items()}


def watch(
    model: Model,
    optimizer: optax.GradientTransformation,
    dataset: Dataset,
    *,
    seed: int,
    batch_size: int,
    transform: Transform,
    loss_fn: Loss = cross_entropy,
    learning_rate: optax.ScalarOrSchedule | None = None,
    compute_dtype: DTypeLike | None = None,
    steps: int = 100,
    every: int = 5,
) -> Watched:
    """Trains for some steps as ``rote.fit`` would, and looks at everything on the way.

    Args:
      model: the network.
      optimizer: any optax transformation.
      dataset: its training split is trained on.
      seed: of initialization and order: the steps are the first of ``rote.fit`` with this seed.
      batch_size: examples per step.
      transform: from stored images to the net's input.
      loss_fn: per-example loss.
      learning_rate: the rate or schedule inside ``optimizer``, to be shown.
      compute_dtype: see ``rote.train.make_forward``.
      steps: how many; the training ends before, where the loss is not finite.
      every: how often layers and arrays are looked at; the first and the last step always are.

    Raises:
      InputError: if a number cannot be used.
    """
    for name, value, least in (
        ("steps", steps, 1),
        ("every", every, 1),
        ("batch_size", batch_size, 2),
    ):
        if value < least:
            raise InputError(f"{name}: {value}; expected at least {least}")
    step = jax.jit(
        make_step(model, optimizer, loss_fn, transform=transform, compute_dtype=compute_dtype)
    )
    paths: list[str] = []
    look = jax.jit(_make_look(model, loss_fn, transform, compute_dtype, paths))
    train_state = start(model, optimizer, dataset, seed=seed, transform=transform)

    def place(layer: str) -> int:
        """Its place in the order of computing, which a dict that leaves jit has lost."""
        return paths.index(layer) if layer in paths else len(paths)

    seen = Watched({}, [], [], [])
    for number, batch in enumerate(batches(dataset, seed=seed, batch_size=batch_size, steps=steps)):
        before = train_state
        train_state, loss = step(before, batch)
        rate = learning_rate(number) if callable(learning_rate) else learning_rate
        seen.steps.append(
            {
                "step": number,
                "loss": float(loss),
                "learning_rate": None if rate is None else float(rate),
            }
        )
        over = number == steps - 1 or not np.isfinite(loss)
        if number % every == 0 or over:
            inputs, gradient, outputs = look(before, batch)
            if number == 0:
                seen.inputs.update(stored=np.ravel(batch.images), transformed=np.ravel(inputs))
            seen.layers.extend(
                {"step": number, "layer": layer, **{name: float(x) for name, x in row.items()}}
                for layer, row in sorted(outputs.items(), key=lambda item: place(item[0]))
            )
            update = optax.tree.sub(train_state.params, before.params)
            for kind, tree in zip(KINDS, (before.params, gradient, update), strict=True):
                rows = _arrays(number, kind, tree)
                seen.arrays.extend(
                    sorted(rows, key=lambda row: place(row["array"].rpartition("/")[0]))
                )
        if over:
            break
    return seen


Look = Callable[[TrainState, Batch], tuple[jax.Array, Params, dict[str, dict[str, jax.Array]]]]


def _make_look(
    model: Model,
    loss_fn: Loss,
    transform: Transform,
    compute_dtype: DTypeLike | None,
    paths: list[str],
) -> Look:
    """The input, the gradient and the layers of a step, without taking it.

    When it is traced, ``paths`` is filled with the layers in the order of computing.
    """
    forward = make_forward(model, transform, compute_dtype)

    def look(
        train_state: TrainState, batch: Batch
    ) -> tuple[jax.Array, Params, dict[str, dict[str, jax.Array]]]:
        params, state, _, count, run_key = train_state
        key = jax.random.fold_in(run_key, count)  # what the step itself will draw from

        def mean_loss(params: Params) -> jax.Array:
            logits, _ = forward(params, state, batch.images, train=True, key=key)
            return loss_fn(logits, batch.labels).mean()

        # The same draws again, on purpose.
        transform_key, model_key = jax.random.split(jax.random.clone(key))
        x = transform(batch.images, train=True, key=transform_key)
        inside = (params, x)
        if compute_dtype is not None:
            inside = jax.tree.map(lambda leaf: leaf.astype(compute_dtype), inside)
        outputs = layer_outputs(model, inside[0], state, inside[1], train=True, key=model_key)
        paths[:] = outputs
        layers = {
            layer: {
                "mean": jnp.mean(y),
                "std": jnp.std(y),
                "low": jnp.min(y),
                "high": jnp.max(y),
                "dead": dead_units(y),
            }
            for layer, y in outputs.items()
        }
        return x, jax.grad(mean_loss)(params), layers

    return look


def _arrays(step: int, kind: str, tree: Params) -> list[dict[str, Any]]:
    """A row per array: norm and histogram of the magnitudes."""
    norms = array_norms(tree)
    return [
        {
            "step": step,
            "array": path,
            "kind": kind,
            "norm": float(norms[path]),
            "histogram": magnitudes(np.asarray(leaf)),
        }
        for path, leaf in zip(norms, jax.tree.leaves(tree), strict=True)
    ]


def magnitudes(array: np.ndarray) -> np.ndarray:
    """How many entries have each size: ``[48]`` counts between the edges ``MAGNITUDES``.

    Zeros are counted in the first bin; entries that are not a number in the last.

    >>> counts = magnitudes(np.array([0.0, 1.5, -1.5, np.nan]))
    >>> [(round(float(MAGNITUDES[i]), 2), int(counts[i])) for i in np.flatnonzero(counts)]
    [(-12.0, 1), (0.0, 2), (3.67, 1)]
    """
    with np.errstate(divide="ignore"):
        logs = np.log10(np.abs(array, dtype=np.float64))
    logs = np.nan_to_num(logs, nan=np.inf)
    return np.histogram(np.clip(logs, MAGNITUDES[0], MAGNITUDES[-1]), MAGNITUDES)[0]
