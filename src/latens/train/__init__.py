"""Training, with PyTorch. Nothing outside this package imports it, except the command ``latens train``.

::

    options.py      every choice of a run, and its learning-rate schedule
    data.py         pictures in memory, crops by (seed, step)
    density.py      the factorised piecewise-linear density (Balle 2017, appendix)
    noise.py        the training channel, and a model played over it
    losses.py       MSE, MS-SSIM, perceptual transforms
    closed_form.py  weights before the first step
    engine.py       the loop
    checkpoint.py   state on disk, moving average
    log.py          progress bar, JSON lines, TensorBoard
    export.py       weights -> .ltm
    precision.py    how finely exported weights are stored
    restore.py      .ltm -> weights, to train them further
    prune.py        unused latents dropped
    run.py          one slice, from options to exported model
"""
