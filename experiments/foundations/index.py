"""Runs the lessons in reading order and writes a page with their tables and figures.

As many lessons run at a time as there are cores, up to eight; the tables of each are shown when it
ends, and all that it said if it failed. Where a lesson has one size, --preset cpu runs that. A
lesson that has been run is not run again. The page is index.html in the folder; it needs nothing
else to be looked at.

Command: python experiments/foundations/index.py
         python experiments/foundations/index.py --preset cpu --folder runs/lessons_cpu
"""

import argparse
import ast
import html
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rote.record import RunDir
from rote.storage import atomic

HERE = Path(__file__).resolve().parent
LESSONS = (
    "line_fit",
    "neuron",
    "chain_rule",
    "activations",
    "losses",
    "digit_net",
    "inside_the_net",
    "learning_rate",
    "optimizers",
    "early_stopping",
    "one_batch",
    "monitor",
    "cnn_mnist",
    "batch_norm",
    "residual",
    "accuracy_vs_cost",
    "structure_or_rote",
)
"""In reading order."""
STYLE = "body{font-family:sans-serif;max-width:70em;margin:2em auto}img{max-width:100%}"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the arguments; by default the process's.

    Returns:
      The exit code: that of the first lesson that fails, else 0.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=("smoke", "cpu"), default="smoke")
    parser.add_argument("--folder", type=Path, default=Path("runs/lessons"))
    parser.add_argument("--lessons", nargs="+", choices=LESSONS, default=LESSONS)
    parser.add_argument("--jobs", type=int, default=min(8, os.cpu_count() or 1))
    arguments = parser.parse_args(argv)
    begin = time.perf_counter()

    def learn(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments_of(name, arguments.preset)]
        out = ["--out", str(arguments.folder / name)]
        return subprocess.run([*command, *out], capture_output=True, text=True)

    codes = []
    with ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        lessons = zip(arguments.lessons, pool.map(learn, arguments.lessons), strict=True)
        for number, (name, done) in enumerate(lessons, start=1):
            print(f"\n== {number} of {len(arguments.lessons)}: {name}\n\n{done.stdout}", flush=True)
            if done.returncode:
                print(done.stderr, file=sys.stderr, flush=True)
            codes.append(done.returncode)
    if any(codes):
        return next(filter(None, codes))
    page = arguments.folder / "index.html"
    with atomic(page) as out:
        out.write(page_of(arguments.folder, arguments.lessons, arguments.preset).encode())
    print(f"{len(arguments.lessons)} lessons, {time.perf_counter() - begin:.0f} s: {page}")
    return 0


def arguments_of(name: str, preset: str) -> list[str]:
    """The lesson's file and preset; what has one size has one preset, smoke."""
    file = HERE / f"{name}.py"
    known = f'"{preset}":' in file.read_text()
    return [str(file), "--preset", preset if known else "smoke"]


def page_of(folder: Path, lessons: Sequence[str], preset: str) -> str:
    """The page: of every lesson its command, header, time, what it printed, and its figures."""
    parts = []
    for name in lessons:
        run_dir = RunDir.open(folder / name)
        header = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text())) or ""
        title, _, rest = header.partition("\n")
        size = arguments_of(name, preset)[-1]
        films = sorted((run_dir.folder / "figures").glob("*.gif"))
        pictures = [path.relative_to(folder).as_posix() for path in [*run_dir.figures(), *films]]
        parts += [
            f'<h2 id="{name}">{name}: {html.escape(title)}</h2>',
            f"<p><code>python experiments/foundations/{name}.py --preset {size}</code>, "
            f"{run_dir.seconds:.0f} s</p>",
            f"<details><summary>about</summary><pre>{html.escape(rest.strip())}</pre></details>",
            f"<pre>{html.escape(run_dir.summary['text'])}</pre>",
            *(f'<p><img src="{path}" alt="{Path(path).stem}"></p>' for path in pictures),
        ]
    links = " · ".join(f'<a href="#{name}">{name}</a>' for name in lessons)
    body = "\n".join([f"<h1>Foundations</h1><p>{links}</p>", *parts])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Foundations</title>'
        f"<style>{STYLE}</style><body>\n{body}\n</body></html>\n"
    )


if __name__ == "__main__":
    sys.exit(main())
