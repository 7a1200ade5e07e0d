"""The engine that needs no model: saliency from the border, then GrabCut."""

from cutaway.engine.classical.engine import ClassicalEngine

__all__ = ["ClassicalEngine"]
