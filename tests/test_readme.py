"""What the README shows is run."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_example_of_the_first_screen_memorises_random_labels(capsys):
    code = BLOCKS[0]
    assert len([line for line in code.splitlines() if line.strip()]) == 15
    scope = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert float(capsys.readouterr().out.split()[-1]) < 0.1


def test_the_other_examples_run():
    for code in BLOCKS[1:]:
        exec(compile(code, "README.md", "exec"), {})


def test_files_that_it_names_exist():
    root = Path(__file__).resolve().parents[1]
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (root / path).exists(), path
