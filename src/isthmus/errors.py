"""The project's exceptions: each message says what was expected, what was got and what to do."""

from __future__ import annotations


class IsthmusError(Exception):
    """Anything that a user can put right; the command line prints its message and exits with 2."""


class DataError(IsthmusError, ValueError):
    """A folder, file, array or label set is not what a problem needs."""


class SettingError(IsthmusError):
    """A method and a problem do not fit each other."""


class OptionError(IsthmusError):
    """An option has a value outside its range, or a name is unknown."""


class RunFolderError(IsthmusError):
    """The output folder cannot be used as asked."""


class ModelFileError(IsthmusError):
    """A saved model is missing, incomplete or of another kind."""


class DivergenceError(IsthmusError):
    """Training produced a loss, weight or network output that is not a finite number."""
