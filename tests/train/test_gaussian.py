"""Bits of the Gaussian conditional: its formula where that can be computed, and sense where it cannot."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.entropy.scales import COUNT, SMALLEST, STEP, gaussian_pmf, position, sigmas  # noqa: E402
from latens.train.gaussian import LIMIT, GaussianConditional, _Bits, _erfcx  # noqa: E402
from latens.transforms.gradients import lower_bound  # noqa: E402

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


def written_out(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The same bits, for autograd: -log2 of the mass, from logarithms."""
    position = -lower_bound(-lower_bound(scale, 0.0), 1.0 - COUNT)
    sigma, distance = SMALLEST * torch.exp(STEP * position), values.abs()
    near = torch.special.log_ndtr((0.5 - distance) / sigma)
    far = torch.special.log_ndtr((-0.5 - distance) / sigma)
    bits = -(near + torch.log(-torch.expm1(far - near))) / math.log(2)
    excess = (bits - LIMIT).clamp_min(0) * math.log(2)
    return bits.clamp_max(LIMIT) + torch.log2(1 + excess)


def test_bits_and_gradients_are_those_of_the_formula_written_out() -> None:
    torch.manual_seed(0)
    scale = torch.rand(20_000) * 80 - 8  # some outside the table
    values = torch.randn(20_000) * torch.exp(STEP * scale.clamp(0, COUNT)) * SMALLEST * 4  # some far out
    found = []
    for play, kind in ((PRIOR.bits, torch.float32), (written_out, torch.float64)):
        inputs = [one.to(kind).requires_grad_() for one in (values, scale)]
        bits = play(*inputs)
        upstream = torch.linspace(-1, 2, len(bits), dtype=kind)
        found.append([bits, *torch.autograd.grad(bits, inputs, upstream)])
    for mine, other in zip(*found, strict=True):
        assert mine.dtype == torch.float32 and other.abs().max() > 0.5
        torch.testing.assert_close(mine.double(), other, rtol=1e-3, atol=1e-5)


def test_the_written_gradient_of_the_bits_is_that_of_their_values() -> None:
    values = torch.tensor([-2.0, 0.1, 0.4, 1.0, 3.0, 30.0, 100.0], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([12.0, 1.0, 20.0, 60.0, 30.0, 8.0, 40.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(_Bits.apply, (values, scale))


def test_the_scaled_error_function_is_pytorchs() -> None:
    x = torch.cat([torch.linspace(-4, 30, 10_001), torch.logspace(1, 7, 101)])
    torch.testing.assert_close(_erfcx(x).double(), torch.special.erfcx(x.double()), rtol=1e-5, atol=0)
