"""The command: flags, run directory, exit codes."""

import argparse
import contextlib
import dataclasses
import inspect
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rote.cli.config import Config, default_out, from_file, with_declared_types
from rote.cli.interrupt import answer_signals
from rote.cli.launch import Job, Launch
from rote.cli.session import execute
from rote.core import InputError, unknown_name
from rote.train.result import DivergedError

_FLAGS_OF_THREE_VALUES = {"--stream": "--stream=True", "--no-stream": "--stream=False"}


def main(
    run: Callable[[Config, Job], None],
    presets: Mapping[str, Config],
    *,
    resolve: Callable[[Config], Config] = lambda config: config,
    doc: str | None = None,
    experiment: str | None = None,
    argv: Sequence[str] | None = None,
) -> None:
    """Runs an experiment from the command line.

    The configuration is the preset's, then the ``--config`` file's, then the flags'. A run that is
    there already, complete and of the same configuration, is shown and not repeated; an unfinished
    one is continued from its last checkpoint.

    Args:
      run: does the work: ``run(config, out)`` trains with ``on_event=Progress(out)`` and
        ``execution=out.execution``, saves its figures with ``out.save_figure`` and ends with
        ``out.finish(text, ...)``.
      presets: configurations by name, of one frozen dataclass; the first is the default.
      resolve: puts in what a field left open; its result is what ``run`` gets, what
        ``config.json`` holds and what the default run directory follows from.
      doc: what ``--help`` says first; by default the docstring of the module that defines ``run``.
      experiment: name of the folder under ``runs``; by default that file's, with its folder's.
      argv: the arguments; by default the process's.

    Raises:
      SystemExit: unless all is well: 1 if a training diverged or a file cannot be written, 2 if the
        input cannot be used, 130 after Ctrl-C, 143 after SIGTERM.
    """
    with answer_signals() as signals:
        try:
            arguments = list(sys.argv[1:] if argv is None else argv)
            config, launch = parse(arguments, presets, doc or inspect.getmodule(run).__doc__ or "")
            config = with_declared_types(resolve(config))
            out = launch.out or default_out(experiment or _experiment(run), config)
            code = execute(run, config, out, launch, signals)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 2
        except DivergedError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 1
        except OSError as error:
            print(f"error: {_in_words(error)}", file=sys.stderr)
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
    file = known.config
    if file is None and known.resume and known.out is not None:
        file = Path(known.out, "config.json")
    base = presets[name] if file is None else from_file(Path(file), presets[name])

    fields = [("launch", Launch), ("config", type(base))]
    command: Any = dataclasses.make_dataclass("Command", fields)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parsed, unknown = tyro.cli(
                command,
                args=[_FLAGS_OF_THREE_VALUES.get(argument, argument) for argument in arguments],
                default=command(launch=Launch(name), config=base),
                description=f"{_paragraphs(doc)}\n\nPresets: {', '.join(presets)}.",
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


def _paragraphs(doc: str) -> str:
    r"""The text with every paragraph on one line: the help breaks lines where some other lines end.

    Indented lines, such as lists, stay as they are, and so does a command.

    >>> print(_paragraphs("One\ntwo.\n  a list\nThree."))
    One two.
      a list
    <BLANKLINE>
    Three.
    """
    lines: list[str] = []
    for line in doc.strip().splitlines():
        before = lines[-1] if lines else ""
        if not before or not line or line[0].isspace():
            lines.append(line)
        elif before.startswith((" ", "Command:")):
            lines += ["", line]
        else:
            lines[-1] += f" {line}"
    return "\n".join(lines)


def _named_early(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags that say what the other flags' defaults are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?")
    parser.add_argument("--config", nargs="?")
    parser.add_argument("--out", nargs="?")
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction)
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
    _, *lines = [line.strip("│ \n") for line in box.splitlines()]
    rules = [line.strip("╰╯─-") == "" for line in lines]
    begin = rules.index(False)
    text, _, _ = " ".join(lines[begin : rules.index(True, begin)]).partition(" Got errors:")
    return re.sub("^Error parsing (config|launch): ", "", text)


def _experiment(run: Callable[..., None]) -> str:
    file = Path(inspect.getfile(run)).resolve()
    return f"{file.parent.name}/{file.stem}"


def _in_words(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
