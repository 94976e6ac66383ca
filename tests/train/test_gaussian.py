"""Bits of the Gaussian conditional: its formula where that can be computed, and sense where it cannot."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.entropy.scales import COUNT, gaussian_pmf, position, sigmas  # noqa: E402
from latens.train.gaussian import LIMIT, GaussianConditional  # noqa: E402

PRIOR = GaussianConditional()


@pytest.mark.parametrize("number", [0, 12, 30, COUNT - 1])
def test_bits_are_those_of_the_pmf(number: int) -> None:
    masses, first = gaussian_pmf(float(sigmas()[number]))
    n = np.arange(first, 1 - first)
    likely = masses > 2.0**-18
    bits = PRIOR.bits(torch.tensor(n, dtype=torch.float32), torch.full((len(n),), float(number)))
    assert np.abs(bits.numpy() + np.log2(masses))[likely].max() < 0.01


def test_noise_costs_at_least_what_rounding_does() -> None:
    """The expectation over uniform noise is an upper bound of the entropy."""
    y = torch.randn(200_000, generator=torch.Generator().manual_seed(0)) * 2
    noise = torch.rand(y.shape, generator=torch.Generator().manual_seed(1)) - 0.5
    scale = torch.full(y.shape, position(2.0))
    noisy, rounded = PRIOR.bits(y + noise, scale).mean(), PRIOR.bits(y.round(), scale).mean()
    assert noisy == pytest.approx(float(rounded), abs=0.02)
    assert rounded == pytest.approx(math.log2(2 * math.sqrt(2 * math.pi * math.e)), abs=0.02)


@pytest.mark.parametrize("value", [0.0, 0.5, 3.0, 40.0, 1e4, 1e6])
@pytest.mark.parametrize("scale", [-50.0, 0.0, 31.0, 63.0, 500.0])
def test_bits_and_gradients_are_finite_everywhere(value: float, scale: float) -> None:
    values = torch.tensor([value, -value], requires_grad=True)
    scales = torch.tensor([scale, scale], requires_grad=True)
    bits = PRIOR.bits(values, scales)
    assert torch.isfinite(bits).all() and (bits >= 0).all() and bits[0] == bits[1]
    gradients = torch.autograd.grad(bits.sum(), [values, scales])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_the_length_grows_with_the_distance_and_ever_slower_past_the_limit() -> None:
    bits = PRIOR.bits(torch.arange(0.0, 400.0), torch.full((400,), position(1.0)))
    assert (torch.diff(bits) > 0).all()
    assert bits[-1] < LIMIT + 20
    below = [(1 + math.erf(edge / math.sqrt(2))) / 2 for edge in (2.5, 3.5)]
    assert float(bits[3]) == pytest.approx(-math.log2(below[1] - below[0]), abs=1e-3)


@pytest.mark.parametrize(("value", "scale", "sign"), [(0.0, 80.0, 1), (300.0, -5.0, -1)])
def test_a_scale_outside_the_table_is_led_back(value: float, scale: float, sign: int) -> None:
    scales = torch.tensor([scale], requires_grad=True)
    (gradient,) = torch.autograd.grad(PRIOR.bits(torch.tensor([value]), scales).sum(), [scales])
    assert float(gradient) * sign > 0


@pytest.mark.parametrize(("value", "scale"), [(3000.0, 80.0), (0.0, -5.0)])
def test_a_scale_outside_the_table_is_not_led_further_away(value: float, scale: float) -> None:
    scales = torch.tensor([scale], requires_grad=True)
    (gradient,) = torch.autograd.grad(PRIOR.bits(torch.tensor([value]), scales).sum(), [scales])
    assert float(gradient) == 0
