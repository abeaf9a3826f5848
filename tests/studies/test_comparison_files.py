"""What the comparison with the paper reads and writes: result files, the README, the command."""

import functools
import json

import pytest

from rote.core import InputError
from rote.record import RunDir
from rote.storage import to_json
from rote.studies.comparison import judge_claims, numbers, page, results
from rote.studies.comparison.results import read_results, save
from rote.studies.zhang2017.claims import claims
from rote.studies.zhang2017.paper import COLUMNS, MEASURED, recipe
from rote.studies.zhang2017.published import PUBLISHED

compare = functools.partial(numbers.compare, recipe=recipe)
collect = functools.partial(results.collect, columns={*COLUMNS, *MEASURED})


# --- result files


@pytest.fixture
def run_dir(made, tmp_path):
    command = (
        "/opt/some/bin/python /home/me/rote/experiments/zhang2017/table1.py --preset paper "
        "--out '/home/me/my runs/x' --overwrite --seeds 0 1 2"
    )
    return RunDir.create(tmp_path / "run", made.config, command=command, devices=["cpu:0 cpu"])


@pytest.fixture
def finish(made, run_dir):
    """``finish(**changes)`` ends the run with a table."""

    def end(**changes):
        table = [{**row, "test_loss": 1.0} for row in made.rows(0.505, 0.506, 0.504)]
        results = {"table": table, "data": made.data, "settings": made.settings, **changes}
        run_dir.finish("the table", **results)

    return end


def test_a_finished_run_becomes_a_small_file(made, run_dir, finish, tmp_path):
    finish()
    collected = collect(run_dir, "table1_full")
    path = save(collected, tmp_path / "results")
    assert path == tmp_path / "results" / "table1_full.json"
    text = path.read_text()
    assert "/home/me" not in text and "/opt" not in text
    assert collected.command == (
        "python experiments/zhang2017/table1.py --preset paper --seeds 0 1 2"
    )
    (read,) = read_results(tmp_path / "results")
    assert read.experiment == "table1"
    assert read.table == made.rows(0.505, 0.506, 0.504)  # without test_loss
    assert read.data == [made.data]
    assert read.config == run_dir.config
    assert set(read.env) >= {"versions", "devices", "cpu", "cores", "commit"}
    assert to_json(read) == to_json(collected)
    assert compare([made.published], [read], {"table1": made.config})[0].verdict == "agrees"


def test_a_continued_run_says_where_it_began(run_dir, finish):
    finish()
    first = {"id": "f" * 40, "dirty": False}
    env = json.loads((run_dir.folder / "env.json").read_text())
    env["earlier"] = [{**env, "commit": first}, dict(env)]
    (run_dir.folder / "env.json").write_text(json.dumps(env))
    collected = collect(run_dir, "x")
    assert collected.env["began"] == {"commit": first, "started": env["started"]}
    here = {"id": "0" * 40, "dirty": False}
    continued = collected._replace(env={**collected.env, "commit": here})
    assert "; commit 0000000, begun at fffffff; " in page.section("zhang2017", [], [], [continued])
    unchanged = continued._replace(env={**continued.env, "commit": first})
    assert "begun" not in page.section("zhang2017", [], [], [unchanged])


def test_data_of_several_sets(made, run_dir, finish):
    finish(data={"a": made.data, "b": {**made.data, "name": "mnist"}})
    assert [entry["name"] for entry in collect(run_dir, "x").data] == ["cifar10", "mnist"]


def test_what_cannot_be_collected(run_dir, finish):
    with pytest.raises(InputError, match="not finished"):
        collect(run_dir, "x")
    finish(table=[{"seed": 0, "learning_rate": rate} for rate in (0.1, 0.2)])
    with pytest.raises(InputError, match="several learning rates"):
        collect(run_dir, "x")
    finish(data=None)
    with pytest.raises(InputError, match="has no 'data'"):
        collect(run_dir, "x")
    for name in ("", "../x", "A b"):
        with pytest.raises(InputError, match="result name"):
            collect(run_dir, name)


def test_a_file_that_is_no_result(tmp_path):
    assert read_results(tmp_path / "absent") == []
    (tmp_path / "x.json").write_text('{"some": 1}')
    with pytest.raises(InputError, match=r"x\.json is no result file"):
        read_results(tmp_path)


# --- the README section


def cells(text, *start):
    """The cells of the table lines whose first cells are these."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return [line[len(start) :] for line in lines if line[: len(start)] == list(start)]


def test_the_table_says_what_was_found(made):
    def section(*given):
        found = compare(PUBLISHED, given, {"table1": made.config})
        return page.section("zhang2017", found, judge_claims(claims(), given), given)

    jpeg = {**made.data, "subset": True, "num_train": 10_000, "stored_as": "JPEG"}
    text = section(
        made.result(made.rows(0.505, 0.506, 0.504), name="full"),
        made.result(made.rows(0.40, 0.41, 0.42), name="part", data=jpeg),
    )
    assert cells(text, "Table 1", "MLP 1x512", "test accuracy, %") == [
        ["50.51, second-hand", "50.50 ± 0.10 (3)", "-0.01 [-0.51, +0.49]", "agrees", "1"],
        [
            "50.51, second-hand",
            "41.00 ± 1.00 (3)",
            "-9.51 [-14.48, -4.54]",
            "not comparable: 10,000 of 50,000 images; JPEG copy",
            "2",
        ],
    ]
    assert cells(text, "Table 1", "MLP 1x512", "train accuracy, %")[0] == [
        "100.00, second-hand",
        "100.00 ± 0.00 (3)",
        "+0.00",
        "agrees",
        "1",
    ]
    assert cells(text, "Section 5", "MNIST, Gabor wavelets", "norm") == [
        ["390, verified", "", "", "not run", ""]
    ]
    assert (
        "1. [full](results/full.json): `python experiments/zhang2017/table1.py --preset paper`; "
        "CIFAR-10, all 50,000 images; 2 x Some GPU; python 3.12.1, jax 0.10.2; commit 0123456 "
        "with local changes; 2026-01-02." in text
    )
    assert "CIFAR-10, JPEG copy, 10,000 images" in text
    assert "None yet." in section()
    assert "*inconclusive*" in text and "linear system" in text
    assert "target_accuracy (Fig. 1c); " in text and "num_filters (Section 5)." in text
    without = [item for item in compare(PUBLISHED, [], {}) if item.published.margin is None]
    assert "*inconclusive*" not in page.rule(without)


def test_the_text_goes_between_the_markers_and_nothing_else_changes():
    readme = f"# A\n\n{page.BEGIN}\nold\n{page.END}\n\nrest\n"
    once = page.insert(readme, "new")
    assert once == f"# A\n\n{page.BEGIN}\n\nnew\n\n{page.END}\n\nrest\n"
    assert page.insert(once, "new") == once
    for broken in (
        readme.replace(page.BEGIN, ""),
        readme.replace(page.END, ""),
        readme + readme,
    ):
        with pytest.raises(InputError, match=r"the README has [02] lines"):
            page.insert(broken, "new")
    with pytest.raises(InputError, match="exchange them"):
        page.insert(f"{page.END}\n{page.BEGIN}", "new")


# --- the command


@pytest.fixture
def command(experiment, tmp_path):
    module = experiment("side_by_side")
    (tmp_path / "README.md").write_text(
        f"# A\n\n{page.BEGIN}\n{page.END}\n\nrest\n", encoding="utf-8"
    )
    return lambda *arguments: module.main(list(arguments), tmp_path)


def test_the_command(command, run_dir, finish, tmp_path, capsys):
    assert command("--collect", str(run_dir.folder), "mine") == 2
    assert "not finished" in capsys.readouterr().err
    finish()
    assert command("--collect", str(run_dir.folder), "mine") == 0
    assert json.loads((tmp_path / "results" / "mine.json").read_text())["experiment"] == "table1"
    assert command("--check") == 1
    assert "is not what the result files give" in capsys.readouterr().err
    assert command() == 0
    first = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "[mine](results/mine.json)" in first
    assert (tmp_path / "figures" / "side_by_side.png").stat().st_size > 10_000
    assert command("--check") == 0
    assert command() == 0
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == first


def test_a_readme_without_markers_is_refused(command, tmp_path, capsys):
    (tmp_path / "README.md").write_text("# A\n")
    for arguments in ((), ("--check",)):
        assert command(*arguments) == 2
        assert "put one where the comparison begins" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "# A\n"


def test_the_committed_readme_is_what_the_committed_results_give(experiment):
    module = experiment("side_by_side")
    assert module.main(["--check"]) == 0


def test_results_of_experiments_without_numbers_are_told_of(made, command, tmp_path):
    gaussian = {"name": "gaussian", "num_train": 1000, "subset": False, "num_test": 0}
    data = {**gaussian, "stored_as": None}
    network = {"num_points": 10, "dim": 5, "depth": 2, "target": "classes", "seed": 0}
    table = [{**network, "num_weights": 25, "labels_right": 1.0}]
    theorem = made.result(table, experiment="expressivity", data=data, name="theorem")
    causes = made.result([{"cause": "no whitening"}], experiment="why_not_fitted", name="causes")
    for each in (theorem, causes):
        save(each, tmp_path / "results")
    assert command() == 0
    text = (tmp_path / "README.md").read_text()
    assert "gaussian, 1,000 points" in text and "[causes](results/causes.json)" in text
    assert "1 of 1 networks" in text
