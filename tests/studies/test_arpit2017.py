"""The claims of Arpit et al. (2017) together; each experiment's have a test file of their own."""

import importlib.util
from pathlib import Path

from rote.studies.arpit2017.paper import COLUMNS, MEASURED, PAPER

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "arpit2017"


def test_every_claim_is_of_an_experiment_that_is_there():
    for claim in PAPER.claims:
        for name in claim.experiments:
            assert (FOLDER / f"{name}.py").is_file(), claim.text
    assert not set(COLUMNS) & set(MEASURED)


def test_the_readme_is_what_the_result_files_give(capsys):
    spec = importlib.util.spec_from_file_location("side_by_side", FOLDER / "side_by_side.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, capsys.readouterr().err
