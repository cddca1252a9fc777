"""Rendered scenes of geometric shapes, with exact labels for pixel-wise tasks, in two looks and two kinds of poses."""

from isthmus.data.shapes.keypoints import KEYPOINTS
from isthmus.data.shapes.looks import REAL, SYNTHETIC, Look
from isthmus.data.shapes.primitives import KINDS
from isthmus.data.shapes.rendering import Shapes, render
from isthmus.data.shapes.scenes import TUMBLED, UPRIGHT, Poses

__all__ = ["KEYPOINTS", "KINDS", "REAL", "SYNTHETIC", "TUMBLED", "UPRIGHT", "Look", "Poses", "Shapes", "render"]
