"""Who may import whom (each row may import what its set names), and that importing does nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "rote"

ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "convolution": set(),
    "layers": {"core", "convolution"},
    "losses": {"core"},
    "transforms": {"core"},
    "summary": {"core"},
    "data": {"core"},
    "combinators": {"core", "layers"},
    "models": {"core", "layers", "combinators"},
    "optim": {"core"},
    "storage": {"core"},
    "train": {"core", "losses", "memory", "storage"},
    "measure": {"core", "summary", "train"},
    "record": {"core", "storage"},
    "viz": {"core"},
    "backend": {"core"},
    "tables": set(),
    "memory": set(),
    "linear": {"core", "memory"},
    "weights": {"core", "storage", "models"},
    "predict": {"core", "data", "transforms", "weights", "backend", "tables"},
}
ALLOWED["studies"] = set(ALLOWED)
ALLOWED["cli"] = set(ALLOWED)
ALLOWED["__init__"] = set(ALLOWED)

WITHOUT_JAX = {"data", "storage", "record", "viz"}
SLOW_TO_IMPORT = {"matplotlib", "tensorflow_datasets", "orbax", "tyro", "tqdm", "tensorflow"}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(node: ast.AST, package: str, *, at_import: bool = False) -> Iterator[str]:
    """The dotted names that a module imports; ``at_import``: only those it imports when loaded.

    What it imports for type checkers alone does not count.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            parts = package.split(".")[: 1 - child.level or None] if child.level else []
            base = ".".join([*parts, *filter(None, [child.module])])
            yield from (f"{base}.{alias.name}" for alias in child.names)
        elif not (at_import and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield from imports(child, package, at_import=at_import)


def imports_of(path: Path, *, at_import: bool = False) -> list[str]:
    package = (
        ".".join(path.parent.relative_to(SOURCE.parent).parts) if SOURCE in path.parents else ""
    )
    return list(imports(ast.parse(path.read_text()), package, at_import=at_import))


def unit(path: Path) -> str:
    """The row of the table that a source file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import numpy as np
from rote.core import Model
from . import stop
from ..losses import margin
def later():
    import matplotlib.pyplot
class C:
    from jax import lax
if TYPE_CHECKING:
    import tqdm
"""
    always = ["numpy", "rote.core.Model", "rote.train.stop", "rote.losses.margin", "jax.lax"]
    tree = ast.parse(source)
    assert sorted(imports(tree, "rote.train", at_import=True)) == sorted(always)
    assert set(imports(tree, "rote.train")) == {*always, "matplotlib.pyplot"}


@pytest.mark.parametrize("path", modules(SOURCE), ids=names(modules(SOURCE)))
def test_source_imports_only_what_lies_below_it(path: Path) -> None:
    row = unit(path)
    assert row in ALLOWED, f"{row} has no row in the table of design.md, section 2"
    parts = [name.split(".") for name in imports_of(path)]
    # `from rote import load` reaches for the public names, hence for everything.
    seconds = {"".join(part[1:2]) for part in parts if part[0] == "rote"}
    reached = {second if second in ALLOWED else "__init__" for second in seconds}
    assert reached <= ALLOWED[row] | {row}
    assert not any(part[0] == "experiments" for part in parts)


@pytest.mark.parametrize("path", modules(SOURCE), ids=names(modules(SOURCE)))
def test_source_is_quick_to_import(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path, at_import=True)}
    assert not roots & SLOW_TO_IMPORT
    if unit(path) in WITHOUT_JAX:
        assert "jax" not in roots


def test_data_computes_without_jax() -> None:
    for path in modules(SOURCE / "data"):
        assert "jax" not in {name.split(".")[0] for name in imports_of(path)}, path


EXPERIMENTS = modules(ROOT / "experiments")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=names(EXPERIMENTS))
def test_experiments_use_the_public_names_and_not_one_another(path: Path) -> None:
    imported = imports_of(path)
    assert not any("._" in name for name in imported if name.startswith("rote."))
    if path.parent.name != "foundations":  # lessons write the mathematics itself
        assert not any(name == "jax.numpy" or name.startswith("jax.numpy.") for name in imported)
    siblings = {other.stem for other in EXPERIMENTS} | {"experiments"}
    assert not {name.split(".")[0] for name in imported} & siblings


def test_importing_does_no_work_and_changes_no_setting() -> None:
    program = f"""
import sys
import jax, optax, chex
before = dict(jax.config.values)
import rote
assert dict(jax.config.values) == before, "importing rote changed a jax setting"
loaded = set({sorted(SLOW_TO_IMPORT)}) & sys.modules.keys()
assert not loaded, f"importing rote imports {{sorted(loaded)}}"
jax.config.update("jax_num_cpu_devices", 3)  # refused once a backend is there
assert jax.device_count("cpu") == 3
"""
    environment = {"PYTHONPATH": str(SOURCE.parent), "PATH": "", "JAX_PLATFORMS": "cpu"}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
