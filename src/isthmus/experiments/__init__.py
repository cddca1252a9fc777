"""Runs and comparisons: where problem, method, engine, evaluation and report come together."""

from isthmus.experiments.comparison import Comparison as Comparison
from isthmus.experiments.comparison import compare as compare
from isthmus.experiments.reproduction import Reproduction as Reproduction
from isthmus.experiments.reproduction import reproduce as reproduce
from isthmus.experiments.run import Run as Run
from isthmus.experiments.run import fit as fit
