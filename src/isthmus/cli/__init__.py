"""The command line, built from the signatures of its commands. Heavy imports wait until a command runs."""

from isthmus.cli.main import main as main
