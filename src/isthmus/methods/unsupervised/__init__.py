"""Labelled source, unlabelled target, same classes."""
