"""The lessons as a user runs them: what each claims, and what it refuses."""

import math

import jax
import numpy as np
import optax
import PIL.Image
import pytest

from rote.record import RunDir


def run(command, name, *flags, out):
    assert command(f"foundations/{name}", *flags, "--out", str(out)) == 0
    return RunDir.open(out)


# --- line_fit


def test_descent_ends_at_the_closed_form(command, tmp_path):
    done = run(command, "line_fit", "--num-starts", "9", out=tmp_path / "run")
    for row in done.summary["table"]:
        assert row["squared"] < 1e-4 < row["absolute"]
        assert row["shrinks_squared"] < 1e-4 < 1e-2 < row["shrinks_absolute"]
    assert len({round(row["end"], 2) for row in done.summary["valleys"]}) >= 3
    names = {path.stem for path in done.figures()}
    assert names == {"fit", "path", "step_length", "valleys"}


def test_steps_on_the_absolute_error_keep_their_length(experiment):
    module = experiment("foundations/line_fit")
    x, y, _ = module.draw(module.Config(), 0)
    start = [2.0, 50.0]  # so far above that no point changes sides
    paths = {
        name: np.asarray(
            module.descend(
                lambda params, name=name: getattr(module, name)(params, x, y),
                start,
                module.optax.sgd(0.1),
                20,
            )
        )
        for name in ("squared", "absolute")
    }
    lengths = {name: np.linalg.norm(np.diff(path, axis=0), axis=1) for name, path in paths.items()}
    np.testing.assert_allclose(lengths["absolute"], lengths["absolute"][0], rtol=1e-4)
    assert np.all(np.diff(lengths["squared"]) < 0)
    np.testing.assert_allclose(
        module.two_points(np.array([1.0, 3.0]), np.array([2.0, 8.0])), [3, -1]
    )


def test_the_least_absolute_line_goes_through_two_points_and_no_such_line_is_better(experiment):
    module = experiment("foundations/line_fit")
    x, y, _ = (array.astype(np.float32) for array in module.draw(module.Config(num_points=15), 0))
    found = module.absolute(module.least_absolute(x, y).astype(np.float32), x, y)
    costs = [
        module.absolute(module.two_points(x[[i, j]], y[[i, j]]), x, y)
        for i in range(15)
        for j in range(i)
    ]
    assert float(found) == pytest.approx(float(min(costs)), abs=1e-6)


# --- neuron


def test_one_neuron_separates_14_of_16_functions(experiment):
    module = experiment("foundations/neuron")
    unable = []
    for truth in module.itertools.product((0, 1), repeat=4):
        weights = module.one_neuron(truth)
        if weights is None:
            unable.append(truth)
        else:
            says = module.INPUTS @ weights[:2] + weights[2] > 0
            np.testing.assert_array_equal(says, truth)
    assert unable == [(0, 1, 1, 0), (1, 0, 0, 1)]
    assert module.most_right(module.GATES["XOR"]) == 3


def test_a_stack_without_activation_is_one_layer(experiment):
    module = experiment("foundations/neuron")
    assert [module.collapse(seed) for seed in range(3)] == [0, 0, 0]


def test_the_four_steps_by_hand_and_what_binary_units_learn(experiment):
    module = experiment("foundations/neuron")
    config = module.Config()
    assert module.steps_against_grad(config) < 1e-6
    graded, binary = (module.learn_xor(config, kind, 1) for kind in ("graded", "binary"))
    assert graded["accuracy"] == 1 and graded["cost"] < 0.01 and graded["way"] > 1
    assert binary["way"] == 0 and binary["cost"] > 0.05


def test_below_binary_units_nothing_is_learned(experiment):
    module = experiment("foundations/neuron")
    net = module.models.mlp((5,), num_classes=3, activation=module.UNITS["binary"])
    x = jax.random.normal(jax.random.key(0), (20, 4))
    params, state = net.init(jax.random.key(1), x)
    gradient = jax.grad(lambda params: (net.apply(params, state, x, train=True)[0] ** 2).sum())
    moves = {
        name: any(bool(leaf.any()) for leaf in jax.tree.leaves(each))
        for name, each in gradient(params).items()
    }
    assert moves == {"flatten": False, "hidden1": False, "head": True}


@pytest.mark.slow
def test_the_sweep_has_a_row_per_net(command, tmp_path):
    flags = ("--widths", "2", "16", "--depths", "1", "--seeds", "0", "--steps", "60")
    done = run(command, "neuron", *flags, "--max-epochs", "20", out=tmp_path / "run")
    small, large, _, binary = done.summary["table"]
    assert (small["num_params"], large["num_params"]) == (65 * 2 + 30, 65 * 16 + 170)
    assert small["test_accuracy"] < large["test_accuracy"] > 0.8
    # The first layer of the binary net is a random one, and stays so.
    assert (binary["activation"], binary["num_params"]) == ("binary", large["num_params"])
    assert binary["train_accuracy"] < large["train_accuracy"]
    assert "separates 14 of 16" in done.summary["text"]


# --- chain_rule


def test_three_ways_to_a_derivative_agree(command, tmp_path):
    done = run(command, "chain_rule", out=tmp_path / "run")
    assert done.summary["difference"] < 1e-5
    assert [row["paths"] for row in done.summary["table"]] == [2, 4, 2]
    assert done.summary["counts"] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert "over its 32 edges: 65,536" in done.summary["text"]


def test_an_operand_that_is_there_twice_has_two_edges(command, tmp_path):
    flags = ("--inputs", "x0=1", "--graph", *(f"x{i + 1} = x{i} + x{i}" for i in range(3)))
    done = run(command, "chain_rule", *flags, out=tmp_path / "run")
    (row,) = done.summary["table"]
    assert (row["paths"], row["sum over paths"], row["jax.vjp"]) == (8, 8, 8)
    assert len(done.summary["summary"]) == 6


def test_an_input_that_is_not_used_has_the_derivative_0(command, tmp_path):
    flags = ("--graph", "p = x * y", "q = sin(w)", "f = square(p)")
    done = run(command, "chain_rule", *flags, out=tmp_path / "run")
    assert [row["paths"] for row in done.summary["table"]] == [1, 1, 0]
    for row in done.summary["table"]:
        assert row["sum over paths"] == row["reverse pass"] == pytest.approx(row["jax.vjp"])
    assert done.summary["table"][2]["jax.vjp"] == 0


def test_slopes_at_the_ends_of_the_line(experiment):
    module = experiment("foundations/chain_rule")

    def slopes(line, **inputs):
        nodes = module.parse([line], inputs)
        edges = module.local_derivatives(nodes, module.forward(nodes, inputs))
        assert {edge.operand: edge.derivative for edge in edges} == module.vjp(nodes, inputs)
        return [edge.derivative for edge in edges]

    assert slopes("z = sigmoid(x)", x=-800.0) == slopes("z = sigmoid(x)", x=800.0) == [0]
    assert slopes("z = x ** y", x=0.0, y=2.0) == [0, 0]


def test_every_operation_has_the_derivative_that_jax_finds(experiment):
    module = experiment("foundations/chain_rule")
    inputs = {"a": 1.3, "b": 0.7}
    lines = [f"o{i} = a {sign} b" for i, sign in enumerate(("+", "-", "*", "/", "**"))]
    lines += [f"{name}_ = {name}(a)" for name in module.FUNCTIONS]
    lines += ["twice = a * a"]
    for line in lines:
        nodes = module.parse([line], inputs)
        edges = module.local_derivatives(nodes, module.forward(nodes, inputs))
        expected = module.vjp(nodes, inputs)
        found = module.reverse([*inputs, nodes[0].name], edges)
        for name in inputs:
            assert found[name] == pytest.approx(expected[name], rel=1e-5)
    assert len(lines) == 13


def test_paths_are_summed_by_hand(experiment):
    module = experiment("foundations/chain_rule")
    inputs = {"x": 2.0}
    nodes = module.parse(["a = x * x", "b = square(a)", "c = a + b"], inputs)
    edges = module.local_derivatives(nodes, module.forward(nodes, inputs))
    assert edges == [("x", "a", 2), ("x", "a", 2), ("a", "b", 8), ("a", "c", 1), ("b", "c", 1)]
    found = module.paths(edges, "x", "c")
    assert sorted(map(module.product, found)) == [2, 2, 16, 16]
    assert module.reverse(["x", "a", "b", "c"], edges) == {"x": 36, "a": 9, "b": 1, "c": 1}


# --- activations


@pytest.mark.parametrize(
    ("name", "largest", "at_zero"),
    [("sigmoid", 0.25, 0.25), ("tanh", 1, 1), ("relu", 1, 0), ("softplus", 1, 0.5)],
)
def test_derivatives_of_activations(experiment, name, largest, at_zero):
    row = experiment("foundations/activations").measure_one(name)
    assert row["sup of the derivative"] == pytest.approx(largest, abs=1e-4)
    assert row["derivative at 0"] == at_zero


def test_what_saturates_and_what_blocks(experiment):
    module = experiment("foundations/activations")
    share = {name: module.measure_one(name) for name in ("relu", "sigmoid", "leaky_relu")}
    assert share["relu"]["saturated, s=1"] == share["relu"]["blocked, s=1"] == "50.2 %"
    assert share["leaky_relu"]["saturated, s=5"] == "0.0 %"  # its slope of 1 % is not below 1 %
    # s(x) (1 - s(x)) < 0.0025 where |x| > 5.987, which N(0, 25) is with probability 0.231.
    assert share["sigmoid"]["saturated, s=5"] == "23.0 %"
    assert share["sigmoid"]["blocked, s=5"] == "0.0 %"


def test_closed_forms_of_all_activations(experiment):
    module = experiment("foundations/activations")
    grid = np.linspace(-5, 5, 101) + 0.01
    for name, (_, derivative) in module.ACTIVATIONS.items():
        np.testing.assert_allclose(
            module.value_and_slope(name, grid)[1], derivative(grid), atol=1e-6
        )


@pytest.mark.slow
def test_signals_in_a_deep_stack(command, tmp_path):
    flags = ("--activations", "relu", "--in-the-stack", "relu", "sigmoid", "--seeds", "0", "1")
    done = run(command, "activations", *flags, out=tmp_path / "run")
    ends = {}
    for row in done.summary["signals"]:
        if row["layer"] == 20:
            ends.setdefault((row["activation"], row["start"]), []).append(row["signal"])
    mean = {key: np.mean(np.log10(values)) for key, values in ends.items()}
    assert abs(mean["relu", "uniform Kaiming"]) < 1
    # Glorot's variance is half of Kaiming's: a factor 2^(-1/2) per layer.
    lost = mean["relu", "uniform Kaiming"] - mean["relu", "Glorot"]
    assert lost == pytest.approx(10 * math.log10(2), abs=0.5)
    assert mean["relu", "too small"] < -15 and mean["relu", "too large"] > 5


def test_the_gradient_of_a_stack_against_one_layer_by_hand(experiment):
    module = experiment("foundations/activations")
    config = module.Config(depth=2, width=7, batch=3)
    rows = module.through_the_stack(config, "tanh", "Glorot", 0)
    # At the output the gradient of sum(w * y) is w itself.
    _, _, of_outputs = jax.random.split(jax.random.key(0), 3)
    weights = jax.random.normal(of_outputs, (3, 7))
    assert rows[-1]["gradient"] == pytest.approx(float(np.linalg.norm(weights)), rel=1e-5)


# --- losses


def test_every_loss_is_its_formula(experiment):
    module = experiment("foundations/losses")
    for name in module.LOSSES:
        row = module.check(name, 100)
        assert float(row["value - closed form"]) < 1e-4
        assert float(row["gradient - differences"]) < 1e-4
    assert module.check("hinge", 100)["without a pull"] != "0 %"
    assert module.check("binary_cross_entropy", 100)["without a pull"] == "0 %"


def test_losses_of_two_classes_by_hand(experiment):
    module = experiment("foundations/losses")

    def both(name, *entries):
        loss, closed, size = module.LOSSES[name]
        v = np.array(entries, np.float32)
        assert len(v) == size and float(loss(v)) == pytest.approx(closed(v), rel=1e-6)
        return closed(v)

    assert both("hinge", 0.5, 1) == 0.5 and both("hinge", 0.5, -1) == 1.5
    assert both("hinge", -2, -1) == 0 and both("hinge", -2, 1) == 3
    assert both("binary_cross_entropy", 2, 1) == pytest.approx(math.log(1 + math.exp(-2)))
    assert both("binary_cross_entropy", 2, -1) == pytest.approx(math.log(1 + math.exp(2)))
    assert both("ranking", 1, 0.5, 1) == 0.5 and both("ranking", 1, 0.5, -1) == 1.5


def test_a_slanted_stroke_has_its_slant(experiment):
    module = experiment("foundations/losses")
    images = np.zeros((3, 5, 5, 1), np.uint8)
    for i in range(5):
        images[0, i, 2] = images[1, i, i] = images[2, i, 4 - i] = 200
    np.testing.assert_allclose(module.slant(images), [0, 1, -1], atol=1e-12)


@pytest.mark.slow
def test_two_tasks_from_one_net(command, tmp_path):
    flags = ("--weights", "0", "10", "--seeds", "0", "--num-inputs", "20", "--steps", "200")
    done = run(command, "losses", *flags, out=tmp_path / "run")
    alone, both = done.summary["joint"]
    assert alone["test_accuracy"] > 0.9 and both["test_accuracy"] > 0.9
    assert alone["r2"] < 0.5 < 0.9 < both["r2"]


# --- digit_net


@pytest.fixture(scope="module")
def digit_net(command, tmp_path_factory):
    flags = ("--seeds", "0", "--nets", "course", "modern", "--max-epochs", "8")
    return run(command, "digit_net", *flags, out=tmp_path_factory.mktemp("digit_net") / "run")


@pytest.mark.slow
def test_the_digit_nets_read_digits(digit_net):
    course, modern = digit_net.summary["table"]
    assert course["num_params"] == 64 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    assert course["test_accuracy"] > 0.9 and modern["test_accuracy"] > 0.95
    assert course["sure_wrong"] < course["sure_right"]
    names = {path.stem for path in digit_net.figures()}
    assert names == {
        "confidence",
        *(f"{what}_{net}" for what in ("weights", "errors") for net in ("course", "modern")),
    }


@pytest.mark.slow
def test_the_rate_of_the_course_net_is_compared_on_held_out_digits(digit_net):
    slow, fast = digit_net.summary["compared"]
    assert (slow["learning_rate"], fast["learning_rate"]) == (0.3, 3)
    assert slow["held_out_accuracy"] < 0.7 < 0.8 < fast["held_out_accuracy"]
    # Compared on five sixths of 1,437 digits, trained on all of them.
    assert fast["step"] == 8 * ((1437 - round(1437 / 6)) // 10)
    assert max(row["step"] for row in digit_net.rows() if row["net"] == "course") == 8 * 143
    assert "held-out accuracy" in digit_net.summary["text"]


def test_a_digit_net_that_diverges_has_no_accuracy(experiment, tmp_path):
    module = experiment("foundations/digit_net")
    # The other two end at outputs of 0 and 1, whatever the rate.
    module.NETS["modern"] = module.NETS["modern"]._replace(learning_rate=1e30)
    flags = ("--nets", "modern", "--seeds", "0", "--max-epochs", "1")
    with pytest.raises(SystemExit, match="1"):
        argv = (*flags, "--out", str(tmp_path / "run"))
        module.cli.main(module.run, module.PRESETS, argv=argv)
    done = RunDir.open(tmp_path / "run")
    (row,) = done.summary["table"]
    assert row["test_accuracy"] is row["train_accuracy"] is row["sure_noise"] is None
    assert "diverged (1)" in done.summary["text"] and "best of modern" not in done.summary["text"]
    assert not done.figures()


def test_the_squared_error_is_a_sum_over_outputs(experiment):
    module = experiment("foundations/digit_net")
    outputs = np.array([[0.2, 0.5, 0.0], [1.0, 0.0, 0.0]], np.float32)
    by_hand = [(0.04 + 0.25 + 0) / 2, (1 + 0 + 1) / 2]
    np.testing.assert_allclose(module.squared_error(outputs, np.array([1, 2])), by_hand, rtol=1e-6)


def test_the_nets_have_the_sizes_that_the_course_gives_them(experiment):
    module = experiment("foundations/digit_net")
    sizes = {}
    for name in module.NETS:
        net = module.build(name, 10)
        params, _ = jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, 28, 28, 1)))
        sizes[name] = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert sizes == {"course": 13_002, "nielsen": 23_860, "modern": 407_050}


# --- one_batch


@pytest.mark.slow
def test_one_batch_is_memorised_and_every_bug_shows(command, tmp_path):
    flags = ("--models", "mlp_1x512", "cnn", "--steps", "400")
    done = run(command, "one_batch", *flags, out=tmp_path / "run")
    assert done.summary["wrong"] == 0
    rows = {(row["model"], row["labels"], row["bug"]): row for row in done.summary["table"]}
    assert len(rows) == 2 * 2 + 4
    for (_, _, bug), row in rows.items():
        assert row["memorised"] == (bug == "none")
        if bug == "none":
            assert row["loss"] < 1e-3 and row["accuracy"] == 1
    losses = {bug: row["loss"] for (_, _, bug), row in rows.items()}
    assert losses["softmax twice"] == pytest.approx(math.log(1 + 9 / math.e), abs=0.01)
    assert losses["labels redrawn"] > 1.5 and losses["learning rate 0"] > 2


def test_dead_units_end_at_the_entropy_of_the_labels(experiment):
    module = experiment("foundations/one_batch")
    config = module.Config(batch_size=4, steps=800, learning_rate=0.01)
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8)
    batch = module.Batch(jax.numpy.asarray(images), jax.numpy.array([0, 0, 0, 1]))
    found = module.check(config, "mlp_1x512", "dead ReLUs", batch, 0, 3)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert not found.passed and found.loss == pytest.approx(entropy, abs=1e-2)
    assert found.accuracy == 0.75 and "NOT memorised" in found.explain()


def test_a_surprise_is_said(command, tmp_path):
    flags = ("--models", "mlp_1x512", "--bugs", "learning rate 0", "--steps", "3")
    done = run(command, "one_batch", *flags, out=tmp_path / "run")
    assert done.summary["wrong"] == 2
    assert "NOT AS EXPECTED: mlp_1x512, true, none" in done.summary["text"]


# --- inside_the_net


def test_the_discs_take_their_share_of_the_plane(experiment):
    module = experiment("foundations/inside_the_net")
    points = module.draw(200_000, 0)
    assert module.label(points).mean() == pytest.approx(5 * math.pi / 100, abs=3e-3)
    few = np.array([[0, 1.9], [0, 2.1], [3.9, 3], [3, 4.1], [2, 2]], np.float32)
    np.testing.assert_array_equal(module.inside(few)[:, 0], [True, False, False, False, False])
    np.testing.assert_array_equal(module.inside(few)[:, 1], [False, False, True, False, False])


def test_the_nets_are_those_of_the_source(experiment):
    module = experiment("foundations/inside_the_net")
    sizes = {}
    for name in module.NETS:
        params, _ = jax.eval_shape(module.full(name).init, jax.random.key(0), np.zeros((1, 2)))
        sizes[name] = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert sizes == {"article": 505, "code": 1_105, "faster": 505}
    x = np.array([[1.0, -2.0]], np.float32)
    layer = module.after(1)
    params = {"kernel": np.array([[1.0], [1.0]], np.float32), "bias": np.array([3.0], np.float32)}
    assert layer.apply(params, {}, x, train=False)[0].item() == pytest.approx(-0.2 + 3)
    made, _ = module.features().apply({}, {}, x, train=False)
    expected = [1, -2, 1, 4, np.sinh(1), np.sinh(-2), np.cos(1), np.cos(-2)]
    np.testing.assert_allclose(made[0], expected, rtol=1e-5)


def test_every_epoch_is_trained(experiment):
    module = experiment("foundations/inside_the_net")
    points = module.draw(50, 0)

    def epochs(epochs, every):
        config = module.Config(num_points=50, epochs=epochs, every=every)
        return module.train(config, "faster", 0, points)

    few = epochs(3, 10)
    assert [epoch for epoch, _ in few] == [0, 3]
    changed = jax.tree.map(lambda a, b: bool(np.any(a != b)), few[0][1], few[1][1])
    assert all(jax.tree.leaves(changed))
    assert [epoch for epoch, _ in epochs(4, 3)] == [0, 3, 4]


def test_the_dashed_line_is_where_the_head_changes_its_mind(experiment):
    module = experiment("foundations/inside_the_net")
    head = {"kernel": np.array([[3.0], [-4.0]], np.float32), "bias": np.array([2.0], np.float32)}
    points = np.random.default_rng(0).normal([5.0, -1.0], [2.0, 0.1], (100, 2))
    line = module.decision("faster", {"head": head}, points)
    dashes = line[~np.isnan(line[:, 0])]
    np.testing.assert_allclose(3 * dashes[:, 0] - 4 * dashes[:, 1] + 2, 0, atol=1e-4)
    assert len(dashes) == 2 * np.isnan(line[:, 0]).sum() > 0
    flat = {"kernel": np.zeros((2, 1), np.float32), "bias": head["bias"]}
    assert module.decision("faster", {"head": flat}, points).shape == (0, 2)


@pytest.mark.slow
def test_a_net_learns_the_discs_and_leaves_a_film(command, tmp_path):
    flags = ("--nets", "faster", "--seeds", "0", "--epochs", "20", "--every", "5")
    done = run(command, "inside_the_net", *flags, out=tmp_path / "run")
    (row,) = done.summary["table"]
    assert row["test_accuracy"] > 0.86 and row["large_disc"] > 0.3
    assert [each["epoch"] for each in done.summary["curves"]] == [0, 5, 10, 15, 20]
    with PIL.Image.open(done.folder / "figures" / "film_faster.gif") as film:
        assert film.n_frames == 5


# --- learning_rate


@pytest.mark.slow
def test_schedules_over_the_grid_beside_the_range_test(command, tmp_path):
    flags = ("--seeds", "0", "--rates", "0.001", "0.1", "--max-epochs", "7")
    done = run(command, "learning_rate", *flags, out=tmp_path / "run")
    table = done.summary["table"]
    assert len(table) == 4 * 2 + 1
    (tested,) = done.summary["range_tests"]
    assert [row["rate"] for row in table if row["chosen_by"] == "range test"] == [tested]
    assert 1e-4 < tested < 0.3
    assert done.summary["best"] == dict.fromkeys(("constant", "decaying", "cyclic", "plateau"), 0.1)
    assert "minus constant, 7" in done.summary["text"]
    by_schedule = {row["schedule"]: row for row in done.summary["summary"]}
    assert by_schedule["constant"]["rate"] == "0.1, the highest tried"
    (at_end,) = (
        [row["test_accuracy"] for row in table if row["schedule"] == name and row["rate"] == 0.1]
        for name in ("cyclic",)
    )
    constant = next(
        row
        for row in table
        if (row["schedule"], row["rate"], row["chosen_by"]) == ("constant", 0.1, "grid")
    )
    ahead = 100 * (at_end[0] - constant["test_accuracy"])
    assert by_schedule["cyclic"]["minus constant, 7"] == f"{ahead:.2f} (1)"
    assert [row["rate"] for row in done.summary["plateaus"]] == ["0.001", "0.1"]
    names = {path.stem for path in done.figures()}
    assert names == {"range_test", "grid", "schedules"}


def test_the_rate_of_every_schedule(experiment):
    module = experiment("foundations/learning_rate")
    made = module.schedules(10, 14)

    def steps(name, losses):
        """Sizes of the updates for a gradient of 1 without momentum's run-up."""
        optimizer = optax.with_extra_args_support(made[name](0.5))
        params = {"kernel": jax.numpy.ones(1)}
        state, sizes = optimizer.init(params), []
        for loss in losses:
            fresh = optimizer.init(params)
            kept = jax.tree.map(
                lambda now, first: first if now.shape == (1,) else now, state, fresh
            )
            update, state = optimizer.update(params, kept, params, value=jax.numpy.float32(loss))
            sizes.append(-float(update["kernel"][0]))
        return np.array(sizes)

    np.testing.assert_allclose(steps("constant", [1] * 5), 0.5)
    np.testing.assert_allclose(steps("decaying", [1] * 21)[[9, 10, 20]], [0.5, 0.475, 0.45125])
    cyclic = steps("cyclic", [1] * 140)
    np.testing.assert_allclose(
        cyclic[[0, 10, 20, 60, 80]], [0.5, 0.25, 0.5, 0.5, 0.4268], rtol=1e-3
    )
    assert cyclic[19] < 0.01 > cyclic[59] and cyclic[139] < 0.01
    # The first epoch sets the mark; the second and third do not beat it, nor the next two.
    plateau = steps("plateau", [1] * 60)
    np.testing.assert_allclose(plateau[[28, 30, 48, 50]], [0.5, 0.15, 0.15, 0.045], rtol=1e-5)
    np.testing.assert_allclose(steps("plateau", np.linspace(1, 0.1, 70)), 0.5)


@pytest.mark.parametrize(
    ("losses", "times"),
    [
        ((1.0, 0.5, 0.4, 0.39), 0),
        ((1.0, 0.5, 0.6, 0.4, 0.5, 0.3), 0),  # one epoch in a row is no plateau
        ((1.0, 0.5, 0.5, 0.5, 0.4), 1),
        ((1.0, 1.0, 1.0, 1.0, 1.0), 2),
    ],
)
def test_how_often_a_plateau_lowered_the_rate(experiment, losses, times):
    history = [{"batch_loss": None}, *({"batch_loss": loss} for loss in losses)]
    assert experiment("foundations/learning_rate").times_reduced({"history": history}) == times


# --- optimizers


def test_the_negative_gradient_is_the_steepest_way(experiment):
    module = experiment("foundations/optimizers")
    config = module.Config(width=8, directions=300)
    found = module.directions(config, module.data.load("digits"), 0)
    assert found["gradient"] == pytest.approx(1, abs=0.02) and found["best_random"] < 0.3
    assert found["spread"] == pytest.approx(1, abs=0.15) and found["correlation"] > 0.99


def test_the_noise_of_a_gradient_follows_its_law(experiment):
    module = experiment("foundations/optimizers")
    rows = module.noises(module.Config(width=8), module.data.load("digits"), 0, (32, 512, 1293))
    assert rows[1]["noise"] == pytest.approx(rows[1]["expected"], rel=0.2)
    assert rows[2]["law"] == 0 and rows[2]["noise"] < 1e-5


def test_the_moments_of_a_constant_gradient_by_hand(experiment):
    module = experiment("foundations/optimizers")
    np.testing.assert_allclose(module.moments(False, 50), 1, rtol=1e-10)
    fed_back = module.moments(True, 2)
    assert fed_back[0] == pytest.approx((1, 1))
    assert fed_back[1] == pytest.approx((1 / (1 - 0.81), 1 / (1 - 0.999**2)))


def test_sizes_are_compared_at_equal_epochs_steps_and_training_loss(experiment):
    module = experiment("foundations/optimizers")
    config = module.Config(batch_sizes=(2,), rates=(0.5, 1.0), max_epochs=1, seeds=(0,))

    def row(size, rate, epochs):
        history = [dict(zip(module.METRICS, each, strict=True)) for each in epochs]
        return {
            "optimizer": "sgd",
            "size": size,
            "rate": rate,
            "seed": 0,
            "history": history,
            **{f"{name}_epochs": value for name, value in history[1].items()},
            **{f"{name}_end": value for name, value in history[-1].items()},
        }

    start = (2.0, 0.1, 0.1, 0.1)
    rows = [
        row(2, 0.5, [start, (1.0, 0.6, 0.5, 0.5)]),
        row(2, 1.0, [start, (1.5, 0.4, 0.4, 0.4)]),
        row(4, 0.5, [start, (1.8, 0.2, 0.2, 0.2), (1.2, 0.6, 0.4, 0.4)]),
        row(4, 1.0, [start, (1.6, 0.3, 0.3, 0.2), (0.6, 0.9, 0.6, 0.6)]),
    ]
    found = module.compare_sizes(config, rows, (2, 4))
    kinds = ("1 epochs", "equal steps", "equal train loss")
    assert [row["compared"] for row in found] == [kind for kind in kinds for _ in "24"]
    assert [row["rate"] for row in found[:2]] == ["0.5, the lowest tried", "1, the highest tried"]
    epochs, steps, loss = found[1::2]
    assert (epochs["ahead"], steps["ahead"]) == pytest.approx((30, -10))
    # Down to a loss of 1, which size 2 ends at, it is six tenths of the way from 1.6 to 0.6.
    assert loss["train_loss"] == pytest.approx(1) and loss["train_accuracy"] == pytest.approx(0.66)
    assert loss["gap"] == pytest.approx(0.66 - 0.44)
    assert (loss["ahead"], loss["gap_less"]) == pytest.approx((6, 12))
    assert found[0]["ahead"] == found[0]["gap_less"] == 0


def test_noise_leaves_the_poor_minimum(experiment):
    module = experiment("foundations/optimizers")
    config = module.Config(trials=20)
    assert sum(module.valley(config, 0)) == 0 < sum(module.valley(config, 30))


@pytest.mark.slow
def test_batches_and_optimizers(command, tmp_path):
    flags = ("--seeds", "0", "--rates", "0.1", "--batch-sizes", "64", "512", "--max-epochs", "2")
    few = ("--trials", "5", "--directions", "10", "--num-train", "700", "--width", "16")
    done = run(command, "optimizers", *flags, *few, out=tmp_path / "run")
    table = done.summary["table"]
    assert [(row["optimizer"], row["size"]) for row in table] == [
        ("sgd", 64),
        ("sgd", 512),
        ("sgd", 630),
        ("heavy ball", 64),
        ("averaged momentum", 64),
        ("adam", 64),
    ]
    steps = {row["steps"] for row in table}
    assert steps == {18}  # as many with each size
    ball, averaged = table[3], table[4]
    assert averaged["rate"] == pytest.approx(10 * ball["rate"])
    assert averaged["train_loss_end"] == pytest.approx(ball["train_loss_end"], rel=1e-3)
    assert "never further apart than" in done.summary["text"]
    assert {row["rate"] for row in done.summary["sizes"]} == {"0.1, the highest tried"}
    equal = [row for row in done.summary["sizes"] if row["compared"] == "equal train loss"]
    assert [row["size"] for row in equal] == [64, 512, 630]
    losses = [row["train_loss"] for row in equal]
    assert losses == pytest.approx([losses[0]] * 3)


# --- early_stopping


@pytest.mark.slow
def test_stopping_early_keeps_what_was_learned_before_it_memorised(command, tmp_path):
    flags = ("--seeds", "0", "--max-epochs", "40")
    done = run(command, "early_stopping", *flags, out=tmp_path / "run")
    clean, noisy = done.summary["table"]
    assert noisy["test_accuracy"] - noisy["test_accuracy_end"] == pytest.approx(noisy["gain"])
    assert noisy["gain"] > 0.1 > abs(clean["gain"])
    assert noisy["train_accuracy"] < 0.7 < 0.95 < noisy["train_accuracy_end"]
    history = {
        kind: [row for row in done.rows() if row["label"] == f"corruption=0.4 {kind} seed=0"]
        for kind in ("stopped", "to the end")
    }
    # The same training, cut off ten epochs after the best of the held-out tenth.
    held_out = [row["held_out_accuracy"] for row in history["to the end"]]
    best = int(np.argmax(held_out[: len(history["stopped"])]))
    assert noisy["best_epoch"] == best and noisy["stopped_at"] == best + 10
    for one, other in zip(history["stopped"], history["to the end"], strict=False):
        assert one["test_accuracy"] == other["test_accuracy"]
    # What is kept is evaluated, and not read off the history.
    assert noisy["test_accuracy"] == pytest.approx(noisy["test_accuracy_history"], abs=1e-6)
    assert noisy["test_accuracy_history"] == history["stopped"][best]["test_accuracy"]
    # The third training has all 1,437 examples, and so more steps in as many epochs.
    on_all = [row for row in done.rows() if row["label"] == "corruption=0.4 on all seed=0"]
    assert on_all[-1]["step"] == 40 * (1437 // 128) > history["to the end"][-1]["step"]
    assert noisy["test_accuracy_all"] == on_all[-1]["test_accuracy"]
    assert noisy["split"] == noisy["test_accuracy_all"] - noisy["test_accuracy_end"]
    assert noisy["whole"] == pytest.approx(noisy["gain"] - noisy["split"])


# --- monitor


@pytest.mark.slow
def test_planted_faults_are_found_and_seen(command, tmp_path):
    flags = ("--seeds", "7", "--steps", "12", "--faults", "none", "dead layer")
    done = run(command, "monitor", *flags, out=tmp_path / "run")
    none, dead = done.summary["table"]
    assert none["found"] == [] and none["last_loss"] < none["first_loss"]
    assert dead["found"][0].startswith("layer hidden2/activation is dead from step 0 on")
    assert "all 2 trainings as expected" in done.summary["text"]
    assert {path.stem for path in done.figures()} == {"dashboard_none", "dashboard_dead_layer"}


# --- all of them


def test_the_page_has_every_lesson_that_was_run(experiment, tmp_path, capfd):
    index = experiment("foundations/index")
    names = {path.stem for path in index.HERE.glob("*.py")} - {"index"}
    assert names == set(index.LESSONS)
    flags = ("--folder", str(tmp_path), "--lessons", "chain_rule", "--preset", "cpu")
    assert index.main(flags) == 0
    assert "== 1 of 1: chain_rule" in capfd.readouterr().out
    page = (tmp_path / "index.html").read_text()
    assert "chain_rule.py --preset smoke</code>" in page  # it has no other size
    assert "The chain rule on a directed graph" in page and "jax.vjp" in page
    assert '<img src="chain_rule/figures/graph.png"' in page
    (tmp_path / "chain_rule" / "config.json").write_text("{}")
    assert index.main(flags) == 2


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("line_fit", ("--num-points", "1"), "num_points: 1; a line needs at least 2"),
        ("line_fit", ("--noise", "-1"), "noise: -1.0; expected 0 or a positive"),
        ("neuron", ("--widths", "4", "4"), "widths: 4 4; expected one or more different"),
        ("neuron", ("--widths", "0"), "widths: 0; expected a positive number"),
        ("neuron", ("--depths", "1", "0"), "depths: 0; expected a positive number"),
        ("chain_rule", ("--inputs", "x"), "inputs: 'x'; expected NAME=NUMBER"),
        ("chain_rule", ("--inputs", "2x=1"), "inputs: '2x=1'; expected NAME=NUMBER"),
        ("chain_rule", ("--inputs", "x=nan"), "inputs: 'x=nan'; expected NAME=NUMBER"),
        ("chain_rule", ("--inputs", "x=1", "x=2"), "inputs: 'x=2' gives 'x' again"),
        ("chain_rule", ("--graph", "c = 2 * x"), "a number is an input, such as two=2"),
        (
            "chain_rule",
            ("--inputs", "x=-2", "y=2", "--graph", "z = x ** y"),
            "z has no finite derivative with respect to y at these inputs",
        ),
        ("chain_rule", ("--graph", "c = x * x * x"), "expected one operation of named nodes"),
        ("chain_rule", ("--graph", "c = sine(x)"), "expected one operation of named nodes"),
        ("chain_rule", ("--graph", "c = x + z"), "unknown node in 'c = x + z': 'z'"),
        ("chain_rule", ("--graph", "x = y + w"), "names 'x' again"),
        ("chain_rule", ("--inputs", "x=0", "--graph", "c = log(x)"), "c is -inf at these inputs"),
        ("activations", ("--in-the-stack", "rely"), "did you mean 'relu'"),
        ("inside_the_net", ("--nets", "codes"), "did you mean 'code'"),
        ("early_stopping", ("--held-out", "0"), "held_out: 0.0; expected a fraction"),
        ("one_batch", ("--bugs", "dead relus"), "did you mean 'dead ReLUs'"),
        ("monitor", ("--faults", "dead layers"), "did you mean 'dead layer'"),
        ("learning_rate", ("--max-epochs", "10"), "max_epochs: 10; expected a multiple of 7"),
        ("learning_rate", ("--model", "mlp"), "did you mean"),
        ("optimizers", ("--batch-sizes", "32", "50"), "50; expected multiples of the first, 32"),
        ("optimizers", ("--batch-sizes", "32", "1312"), "1312; expected fewer than 1,293"),
        ("monitor", ("--depth", "1"), "depth: 1; expected at least 2"),
        ("digit_net", ("--nets", "curse"), "did you mean 'course'"),
        ("digit_net", ("--rates", "3", "0"), "rates: 0.0; expected a positive"),
        ("losses", ("--weights", "-1"), "weights: -1.0; expected 0 or positive"),
    ],
)
def test_bad_input_is_one_line(command, name, flags, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert command(f"foundations/{name}", *flags, "--out", str(out)) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
