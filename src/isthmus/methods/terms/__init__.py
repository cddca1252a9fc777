"""Losses that methods take on: of any unsupervised method (`mcd+dfa`), adversaries of any assisted one."""
