"""Latents that a model does not use can go."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.systems import Balle2017  # noqa: E402
from latens.train.closed_form import closed_form  # noqa: E402
from latens.train.data import to_input  # noqa: E402
from latens.train.noise import Trainable  # noqa: E402
from latens.train.prune import most_used, prune, usage  # noqa: E402

SILENT = (1, 4, 9)


@pytest.fixture(scope="module")
def x(photograph: np.ndarray):
    return to_input(torch.from_numpy(np.stack([photograph[:96, :96], photograph[96:192, 160:256]])))


@pytest.fixture(scope="module")
def trained(x):
    """A small model of which three latents were silenced, as training does it."""
    torch.manual_seed(0)
    module = Trainable(Balle2017(N1=8, N2=12, M=12), radius=32)
    closed_form(module.networks["g_a"], module.networks["g_s"], module.priors["y"], x, 0.05)
    conv = module.networks["g_a"][5]
    with torch.no_grad():
        for channel in SILENT:
            conv.weight[channel] = 0
            conv.bias[channel] = 0
    return module


def test_usage_finds_the_silent_latents(trained, x) -> None:
    used = usage(trained, x)
    assert {int(k) for k in (used == 0).nonzero()} == set(SILENT)


def test_pruning_silent_latents_changes_neither_symbols_nor_pictures(trained, x) -> None:
    keep = most_used(trained, x, 9)
    smaller = prune(trained, keep)
    assert smaller.model == dataclasses.replace(trained.model, M=9)
    with torch.no_grad():
        q, q_small = trained.networks["g_a"](x).round(), smaller.networks["g_a"](x).round()
        assert torch.equal(q[:, keep], q_small)
        assert torch.allclose(trained.networks["g_s"](q), smaller.networks["g_s"](q_small), atol=1e-5)
        bits = trained.priors["y"].bits(q)[:, keep].sum()
        assert torch.allclose(smaller.priors["y"].bits(q_small).sum(), bits)


def test_the_most_used_come_first(trained, x) -> None:
    used = usage(trained, x)[most_used(trained, x, 12)]
    assert torch.equal(used, used.sort(descending=True).values)
