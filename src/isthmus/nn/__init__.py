"""Modules: backbones, classifiers, discriminators, gradient reversal."""
