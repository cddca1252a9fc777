"""Entry point of the `isthmus` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from isthmus.cli import commands
from isthmus.cli.parsing import call, command_parser
from isthmus.errors import IsthmusError
from isthmus.version import __version__

COMMANDS = {
    command.__name__: command
    for command in (
        commands.compare,
        commands.fit,
        commands.evaluate,
        commands.predict,
        commands.methods,
        commands.problems,
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0, 2 for anything the user can put right, 130 when interrupted."""
    from isthmus.progress import console

    parser = _parser()
    options = parser.parse_args(arguments)
    if options.subcommand is None:
        parser.print_help()
        return 0
    try:
        call(COMMANDS[options.subcommand], options[options.subcommand])
    except IsthmusError as error:
        console().print(
            f"isthmus {options.subcommand}: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 2
    except KeyboardInterrupt:
        console().print("Interrupted; what is finished is kept. `--resume` continues a training run.", markup=False)
        return 130
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="isthmus",
        description="Joint transfer learning: train on several domains together so that the one with few labels gains.",
        version=__version__,
        allow_abbrev=False,
    )
    subcommands = parser.add_subcommands(required=False, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = parse_docstring(command.__doc__ or "").short_description or ""
        subcommands.add_subcommand(name, command_parser(command), help=summary)
    return parser


if __name__ == "__main__":
    sys.exit(main())
