"""Removal on this machine: the catalogue of models, the engines, matting and refinement."""
