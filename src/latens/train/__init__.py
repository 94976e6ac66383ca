"""Training, with PyTorch. Nothing outside this package imports it, except the command ``latens train``.

::

    options.py        every choice of a run, and its learning-rate schedule
    sources.py        where pictures lie: folders, tar shards, URLs
    data.py           pictures in memory, crops by (seed, step)
    stream.py         pictures read while training goes on
    plain.py          plain ground in crops
    density.py        the factorised piecewise-linear density (Balle 2017, appendix)
    gaussian.py       bits of latents given predicted scales
    variable_rate.py  gain vectors as parameters, and the levels of pictures
    noise.py          the training channel, and a model played over it
    losses.py         MSE, MS-SSIM, perceptual transforms
    objective.py      R + lambda D of a batch
    optimisers.py     which optimiser moves what, and how fast
    soap.py           Adam in the eigenbasis of Shampoo
    momentum.py       what an optimiser knows, kept by a run that begins from another
    memory.py         freed memory is kept
    parallel.py       several processes as one
    beginnings.py     where weights come from before the first step
    closed_form.py    the best linear transform code, in closed form
    hyper.py          hyper-networks before the first step
    engine.py         the loop
    checkpoint.py     state on disk, moving average
    log.py            progress bar, JSON lines, TensorBoard
    export.py         weights -> .ltm
    observe.py        what an export learns from training pictures
    tables.py         their symbols -> integer tables
    filters.py        in which directions their own filters differ
    integers.py       trained probability networks -> exact integer networks
    rounding.py       an integer network's weights and biases, set together
    estimate.py       what latents cost before there is a file
    precision.py      how finely exported weights are stored
    restore.py        .ltm -> weights, to train them further
    prune.py          unused latents dropped
    blocks.py         residual blocks left out, or added
    run.py            one slice, from options to exported model
"""
