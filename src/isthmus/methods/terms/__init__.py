"""Losses that any method of the unsupervised setting can take on: `dann+entropy`, `mcd+dfa`."""
