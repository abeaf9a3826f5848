"""What every test runs under, and the real image data where a machine has them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

# Before the first use of a device: several, so that whatever is sharded is really split.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_debug_key_reuse", True)
# The same program is compiled once in a session, whoever traces it; pytest's workers find the
# folder in the environment.
if (_folder := os.environ.get("ROTE_TESTS_COMPILED")) is None:
    _compiled = tempfile.TemporaryDirectory(prefix="rote-tests-")
    os.environ["ROTE_TESTS_COMPILED"] = _folder = _compiled.name
jax.config.update("jax_compilation_cache_dir", _folder)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

ROOT = Path(__file__).resolve().parents[1]

RUN_LONG = {"test_speed.py", "test_readme.py"}
# Several optax transformations mix dtypes, so what is tested together with them is not in here.
STRICT_DTYPES = {"convolution", "layers", "combinators", "models", "losses", "measure"}


@pytest.fixture(autouse=True)
def quick_compiles(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fewer optimizations where compiling takes longer than running: nearly everywhere."""
    before = jax.config.read("jax_disable_most_optimizations")
    runs_long = request.path.parent.name == "experiments" or request.path.name in RUN_LONG
    jax.config.update("jax_disable_most_optimizations", not runs_long)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(autouse=True)
def strict_dtype_promotion(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the tests of layers, combinators, models, losses, measure: no implicit promotion."""
    subject = request.path.relative_to(ROOT / "tests").parts[0]
    strict = subject.removeprefix("test_").removesuffix(".py") in STRICT_DTYPES
    with jax.numpy_dtype_promotion("strict" if strict else "standard"):
        yield


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's cache folder, so that real data are decoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def real_data(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of prepared TFDS data sets: ``TFDS_DATA_DIR``, or beside the repository.

    The user's cache is replaced by the session's for the test's duration.
    """
    beside = ROOT.parent / "shared" / "data" / "tfds"
    root = Path(os.environ.get("TFDS_DATA_DIR", beside)).resolve()
    absent = [name for name in ("mnist", "cifar10") if not (root / name).is_dir()]
    if absent:
        pytest.skip(f"no prepared {' or '.join(absent)} in {root}: set TFDS_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    return root
