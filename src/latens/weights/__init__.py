"""Trained weights: the files that hold them, and those shipped in this package.

::

    package.py     Weights: one rate point in one file (.ltm), read, written and fingerprinted
    shelf.py       which weights are shipped, found by model and quality or by fingerprint (light)
    balle2017/     card.json (what the weights are and what was measured) and one .ltm per rate point
"""
