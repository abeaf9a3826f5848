"""The command: flags, run directory, exit codes."""

import argparse
import contextlib
import dataclasses
import inspect
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rote.cli.config import Config, default_out, from_file, with_declared_types
from rote.cli.interrupt import Signals, answer_signals
from rote.core import InputError, unknown_name
from rote.record import RunDir
from rote.train.result import DivergedError


@dataclasses.dataclass(frozen=True)
class Launch:
    """The flags of the command itself, which are no part of the configuration."""

    preset: str
    """Configuration to start from; the flags below and a --config file change it."""
    config: Path | None = None
    """A run's config.json to start from: repeats that run."""
    out: Path | None = None
    """Run directory (None: it follows from the configuration)."""
    overwrite: bool = False
    """Replace what an earlier run left in the run directory."""


def main(
    run: Callable[[Config, RunDir], None],
    presets: Mapping[str, Config],
    *,
    resolve: Callable[[Config], Config] = lambda config: config,
    doc: str | None = None,
    experiment: str | None = None,
    argv: Sequence[str] | None = None,
) -> None:
    """Runs an experiment from the command line.

    The configuration is the preset's, then the ``--config`` file's, then the flags'. A run that is
    there already, complete and of the same configuration, is shown and not repeated.

    Args:
      run: does the work: ``run(config, out)`` trains with ``on_event=Progress(out)``, saves its
        figures with ``out.save_figure`` and ends with ``out.finish(text, ...)``.
      presets: configurations by name, of one frozen dataclass; the first is the default.
      resolve: puts in what a field left open; its result is what ``run`` gets, what
        ``config.json`` holds and what the default run directory follows from.
      doc: what ``--help`` says first; by default the docstring of the module that defines ``run``.
      experiment: name of the folder under ``runs``; by default that file's, with its folder's.
      argv: the arguments; by default the process's.

    Raises:
      SystemExit: unless all is well: 1 if a training diverged, 2 if the input cannot be used, 130
        after Ctrl-C, 143 after SIGTERM.
    """
    with answer_signals() as signals:
        try:
            arguments = list(sys.argv[1:] if argv is None else argv)
            config, launch = parse(arguments, presets, doc or inspect.getmodule(run).__doc__ or "")
            config = with_declared_types(resolve(config))
            out = launch.out or default_out(experiment or _experiment(run), config)
            code = _execute(run, config, out, launch.overwrite, signals)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 2
        except DivergedError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 1
        except KeyboardInterrupt:
            sys.stdout.flush()
            signals.leave()
    if code:
        sys.exit(code)


def parse(
    arguments: Sequence[str], presets: Mapping[str, Config], doc: str = ""
) -> tuple[Config, Launch]:
    """The configuration and the launch flags that a command line gives.

    Raises:
      InputError: if a flag, a preset, a key or a value cannot be used.
      SystemExit: after ``--help``.
    """
    import tyro

    known = _named_early(arguments)
    name = next(iter(presets)) if known.preset is None else known.preset
    if name not in presets:
        raise unknown_name("preset", name, presets)
    base = presets[name] if known.config is None else from_file(Path(known.config), presets[name])

    fields = [("launch", Launch), ("config", type(base))]
    command: Any = dataclasses.make_dataclass("Command", fields)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parsed, unknown = tyro.cli(
                command,
                args=list(arguments),
                default=command(launch=Launch(name), config=base),
                description=f"{doc.strip()}\n\nPresets: {', '.join(presets)}.",
                config=(tyro.conf.OmitArgPrefixes,),
                return_unknown_args=True,
            )
    except SystemExit as left:
        if not left.code:
            raise
        raise InputError(_one_line(errors.getvalue())) from None
    if unknown:
        raise _unknown_argument(unknown[0], type(base))
    return parsed.config, parsed.launch


def _named_early(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags that say what the other flags' defaults are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?")
    parser.add_argument("--config", nargs="?")
    return parser.parse_known_args(arguments)[0]


def _unknown_argument(given: str, config_type: type[Any]) -> InputError:
    if not given.startswith("--"):
        return InputError(
            f"unexpected argument {given!r}; every value follows a flag (see --help), and a "
            "boolean is set with --name or --no-name"
        )
    fields = [*dataclasses.fields(Launch), *dataclasses.fields(config_type)]
    return unknown_name(
        "flag", given.split("=")[0], (f"--{field.name.replace('_', '-')}" for field in fields)
    )


def _one_line(box: str) -> str:
    """Tyro's framed error message as one line, without its frame, title and further help."""
    lines = [line.strip("│ \n") for line in box.splitlines()]
    body = lines[1 : next((i for i, line in enumerate(lines) if line.startswith("───")), None)]
    text, _, _ = " ".join(filter(None, body)).partition(" Got errors:")
    return text.removeprefix("Error parsing config: ")


def _experiment(run: Callable[..., None]) -> str:
    file = Path(inspect.getfile(run)).resolve()
    return f"{file.parent.name}/{file.stem}"


def _execute(
    run: Callable[[Config, RunDir], None],
    config: Config,
    folder: Path,
    overwrite: bool,
    signals: Signals,
) -> int:
    """Runs, or finds the run again; shows its results and returns the exit code."""
    out = RunDir.create(folder, config, overwrite=overwrite)
    if out.complete:
        print(f"this run is there already (--overwrite runs it again): {folder}", file=sys.stderr)
    else:
        signals.folder = folder
        print(f"run directory: {folder}", file=sys.stderr)
        try:
            run(config, out)
        except InputError:
            out.discard_if_unused()
            raise
    if not out.complete:
        raise RuntimeError("run(config, out) must end with out.finish(text, ...)")
    print(out.summary["text"])
    for figure in out.figures():
        print(f"figure: {figure} (and .svg)")
    print(f"everything else: {folder}")
    diverged = [ended for ended in out.runs() if ended["status"] == "diverged"]
    for ended in diverged:
        print(f"diverged: {ended['label']}: {ended['error']}", file=sys.stderr)
    return 1 if diverged else 0
