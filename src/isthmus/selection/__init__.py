"""Scores that need no target labels, for choosing among epochs and models."""

from isthmus.selection.scores import SCORES as SCORES
