"""Trained weights: the files that hold them, and those shipped in this package.

::

    package.py     Weights: one rate point in one file (.ltm), read, written and fingerprinted
    shelf.py       which weights are shipped, found by model and quality or by fingerprint
    balle2017/     card.json (what the weights are and what was measured) and one .ltm per rate point
"""

from latens.weights.package import Weights, load, write
from latens.weights.shelf import ModelInfo, RatePoint, by_fingerprint, select, shipped

__all__ = ["ModelInfo", "RatePoint", "Weights", "by_fingerprint", "load", "select", "shipped", "write"]
