"""The piecewise-linear density of Balle 2017, appendix 6.2: a density, a mass function, and its bits."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train.density import FLOOR, PiecewiseLinearDensity  # noqa: E402

RADIUS, SAMPLES = 4, 10


@pytest.fixture
def density():
    """Three channels of ragged histograms."""
    made = PiecewiseLinearDensity(3, RADIUS, SAMPLES)
    with torch.no_grad():
        made.logits.normal_(std=2, generator=torch.Generator().manual_seed(0))
    return made


def nodes_at() -> np.ndarray:
    return -RADIUS - 0.5 + np.arange(2 * RADIUS * SAMPLES + SAMPLES + 1) / SAMPLES


def bits_at(density, values: np.ndarray) -> np.ndarray:
    """Bits (C, n) of the values (n,) in every channel."""
    y = torch.from_numpy(np.tile(values, (1, 3, 1, 1)))
    with torch.no_grad():
        return density.bits(y)[0, :, 0].double().numpy()


def test_the_density_integrates_to_one_and_ends_in_zero(density) -> None:
    nodes = density.nodes().detach().double().numpy()
    assert nodes.shape == (3, len(nodes_at()))
    np.testing.assert_allclose(np.trapezoid(nodes, nodes_at(), axis=1), 1, rtol=1e-5)
    assert (nodes >= 0).all() and np.abs(nodes[:, [0, -1]]).max() < 1e-7


def test_the_nodes_are_the_histogram_under_a_sliding_unit_box(density) -> None:
    masses = density.logits.softmax(1).detach().double().numpy()
    edges = -RADIUS + np.arange(masses.shape[1]) / SAMPLES + 0.5 / SAMPLES  # the bins' centres
    nodes = density.nodes().detach().double().numpy()
    for k, at in enumerate(nodes_at()):
        under = np.abs(edges - at) < 0.5
        np.testing.assert_allclose(nodes[:, k], masses[:, under].sum(1), rtol=1e-4, atol=1e-7)


def test_the_mass_function_is_the_density_at_the_integers(density) -> None:
    pmf, first = density.pmf()
    assert pmf.shape == (3, 2 * RADIUS + 1) and first == -RADIUS
    np.testing.assert_allclose(pmf.sum(1), 1, rtol=1e-5)
    integers = np.arange(-RADIUS, RADIUS + 1, dtype=float)
    np.testing.assert_allclose(-np.log2(pmf + FLOOR), bits_at(density, integers), atol=1e-4)


def test_bits_are_those_of_the_linear_interpolation(density) -> None:
    values = np.random.default_rng(1).uniform(-RADIUS - 0.49, RADIUS + 0.49, 500)
    nodes = density.nodes().detach().double().numpy()
    expected = np.stack([-np.log2(np.interp(values, nodes_at(), row) + FLOOR) for row in nodes])
    np.testing.assert_allclose(bits_at(density, values), expected, atol=2e-3)


def test_the_density_is_linear_between_nodes_and_bends_at_them(density) -> None:
    start = nodes_at()[8:-9]
    along = [np.exp2(-bits_at(density, start + f / SAMPLES)) for f in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for k, f in enumerate((0.25, 0.5, 0.75), 1):
        np.testing.assert_allclose(along[k], (1 - f) * along[0] + f * along[-1], rtol=1e-3, atol=1e-6)
    second = np.diff(np.exp2(-bits_at(density, nodes_at()[8:-9])), n=2, axis=1)
    assert np.abs(second).max() > 1e-3


def test_outside_its_support_bits_rise_by_one_a_unit_and_pull_inwards(density) -> None:
    far = np.array([-RADIUS - 30.5, -RADIUS - 3.5, RADIUS + 3.5, RADIUS + 30.5])
    bits = bits_at(density, far)
    np.testing.assert_allclose(bits[:, 0] - bits[:, 1], 27, atol=1e-3)
    np.testing.assert_allclose(bits[:, 3] - bits[:, 2], 27, atol=1e-3)
    y = torch.tensor(far).float().expand(1, 3, 1, 4).clone().requires_grad_()
    density.bits(y).sum().backward()
    np.testing.assert_allclose(y.grad[0, 0, 0], [-1, -1, 1, 1], atol=1e-4)


def test_latents_that_are_not_numbers_have_bits_that_are_none(density) -> None:
    """A diverged step is to be skipped, not to break an index."""
    bits = density.bits(torch.tensor([math.nan, math.inf, -math.inf, 0.0]).expand(1, 3, 1, 4))
    assert (torch.isfinite(bits) == torch.tensor([False, False, False, True])).all()


def test_gradients_are_those_of_finite_differences(density) -> None:
    values = nodes_at()[10:-10:7] + 0.05  # the middle of segments
    y = torch.from_numpy(values).float().expand(1, 3, 1, -1).clone().requires_grad_()
    density.bits(y).sum().backward()
    step = 0.002
    slope = (bits_at(density, values + step) - bits_at(density, values - step)) / (2 * step)
    np.testing.assert_allclose(y.grad[0, :, 0], slope, rtol=0.02, atol=0.1)
    assert density.logits.grad.abs().sum(1).min() > 0


def test_fitting_reproduces_the_entropy_of_a_histogram() -> None:
    probabilities = np.array([[0.5, 0.25, 0.125, 0.125], [0.97, 0.01, 0.01, 0.01]])
    counts = (probabilities * 800).round().astype(int)
    y = np.stack([np.repeat([-1, 0, 2, 3], row) for row in counts]).astype(np.float32)
    density = PiecewiseLinearDensity(2, RADIUS, SAMPLES)
    density.fit(torch.from_numpy(y)[None, :, None], weight=1.0)
    pmf, first = density.pmf()
    np.testing.assert_allclose(pmf[:, np.array([-1, 0, 2, 3]) - first], probabilities, atol=1e-5)
    entropy = -(probabilities * np.log2(probabilities)).sum(1)
    with torch.no_grad():
        bits = density.bits(torch.from_numpy(y)[None, :, None]).mean((0, 2, 3)).numpy()
    np.testing.assert_allclose(bits, entropy, atol=1e-4)
    density.fit(torch.from_numpy(y)[None, :, None])  # blended: at most log2(1/0.9) dearer, and nothing impossible
    with torch.no_grad():
        blended = density.bits(torch.from_numpy(y)[None, :, None]).mean((0, 2, 3)).numpy()
    assert ((blended > entropy) & (blended < entropy + math.log2(1 / 0.9) + 1e-3)).all()
    assert (density.pmf()[0] > 0).all()


def test_noisy_bits_of_a_fitted_laplacian_come_near_its_entropy() -> None:
    """E[-log2 p(y + u)] is the differential entropy of y + u, here found by numerical integration."""
    random = np.random.default_rng(0)
    y = random.laplace(0, 1, (1, 1, 300, 300)).astype(np.float32)
    density = PiecewiseLinearDensity(1, 16)
    density.fit(torch.from_numpy(y))
    noisy = random.laplace(0, 1, y.shape).astype(np.float32) + random.random(y.shape, np.float32) - 0.5
    x = np.linspace(-25, 25, 20001)
    p = np.convolve(np.exp(-np.abs(x)) / 2, np.ones(400) / 400, "same")
    entropy = -np.trapezoid(p * np.log2(np.maximum(p, 1e-30)), x)
    with torch.no_grad():
        assert float(density.bits(torch.from_numpy(noisy)).mean()) == pytest.approx(entropy, abs=0.02)


def test_bins_may_not_straddle_the_integers() -> None:
    with pytest.raises(ValueError, match="even"):
        PiecewiseLinearDensity(1, 4, samples=5)
