"""Entry point of the `isthmus` command."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentError
from collections.abc import Sequence

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from isthmus.cli.parsing import HelpFormatter, call, command_parser, explain
from isthmus.cli.show import methods, problems, report
from isthmus.cli.train import compare, fit, reproduce
from isthmus.cli.use import evaluate, export, predict
from isthmus.errors import IsthmusError, OptionError
from isthmus.names import unknown
from isthmus.progress import console
from isthmus.version import __version__

COMMANDS = {
    command.__name__: command
    for command in (compare, fit, evaluate, predict, export, report, reproduce, methods, problems)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0, 2 for anything the user can put right, 130 when interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0] if arguments and arguments[0] in COMMANDS else ""
    try:
        _run(arguments, name)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has enough of it: `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains as it closes it
    except (IsthmusError, OSError) as error:  # what the system refuses: a full disk, a folder without permission
        prefix = f"isthmus {name}".strip()
        console().print(f"{prefix}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console().print("Interrupted; what is finished is kept. `--resume` continues a training run.", markup=False)
        return 130
    return 0


def _run(arguments: Sequence[str], name: str) -> None:
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    except ArgumentError as error:
        raise _explained(error, arguments, name) from error
    if options.subcommand is None:
        parser.print_help()
    else:
        call(COMMANDS[options.subcommand], options[options.subcommand])


def _explained(error: ArgumentError, arguments: Sequence[str], name: str) -> OptionError:
    if name:
        return explain(error, name, COMMANDS[name])
    return unknown("command", arguments[0], COMMANDS, "`isthmus --help` lists them.")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="isthmus",
        description="Joint transfer learning: train on several domains together so that the one with few labels gains.",
        version=__version__,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    subcommands = parser.add_subcommands(required=False, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = parse_docstring(command.__doc__ or "").short_description or ""
        subparser = command_parser(command)
        subcommands.add_subcommand(name, subparser, help=summary)
        subparser.prog = f"isthmus {name}"
    return parser


if __name__ == "__main__":
    sys.exit(main())
