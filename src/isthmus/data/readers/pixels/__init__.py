"""Readers of images with labels of pixels: problem files, label files in their formats, NYU Depth v2."""
