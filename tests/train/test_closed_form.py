"""The start without a gradient step: PCA, ridge regression, the best step."""

import math

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.systems import Balle2017  # noqa: E402
from latens.train.closed_form import (  # noqa: E402
    best_step,
    closed_form,
    fit_conv,
    fit_deconv,
    fit_shuffled,
    pixel_gain,
    rescale,
    silence,
)
from latens.train.data import to_input  # noqa: E402
from latens.train.losses import distortion  # noqa: E402
from latens.train.noise import Trainable  # noqa: E402
from latens.transforms import Conv, Deconv, Depthwise, PixelShuffle, ReLU, Residual  # noqa: E402
from latens.transforms.torch_modules import GDN, build  # noqa: E402

MODEL = Balle2017(N1=24, N2=32, M=48)
LAMBDA = 0.01


def tiles(*pictures: np.ndarray, side: int = 128):
    """All whole squares of the pictures, as networks take them."""
    corners = [(p, r, c) for p in pictures for r, c in np.ndindex(p.shape[0] // side, p.shape[1] // side)]
    return to_input(
        torch.from_numpy(
            np.stack([p[side * r : side * (r + 1), side * c : side * (c + 1)] for p, r, c in corners])
        )
    )


@pytest.fixture(scope="module")
def x():
    return tiles(data.astronaut(), data.coffee(), data.chelsea(), data.rocket())


@pytest.fixture(scope="module")
def started(x):
    torch.manual_seed(0)
    module = Trainable(MODEL, radius=64)
    closed_form(module.networks["g_a"], module.networks["g_s"], module.priors["y"], x, LAMBDA)
    return module


@pytest.mark.parametrize(("kernel", "stride", "support"), [(5, 2, 2), (9, 4, 4), (5, 2, None), (3, 1, None)])
@torch.no_grad()
def test_an_analysis_starts_as_an_orthonormal_pca(x, kernel: int, stride: int, support: int | None) -> None:
    torch.manual_seed(0)
    few = x[::10] - 0.5  # so few that every patch is seen
    (conv,) = build((Conv(3, 7, kernel, stride),))
    fit_conv(conv, few, support)
    rows = conv.weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(7), atol=1e-5, rtol=0)
    y = conv(few).transpose(0, 1).flatten(1)
    covariance = torch.cov(y)
    variances = covariance.diag()
    slack = 0.01 * variances[0] if stride == 1 else 1e-5  # of stride 1 there are more patches than are taken
    assert (variances[:-1] >= variances[1:] - slack).all() and variances[0] > 5 * variances[-1]
    assert (y.mean(1).abs() < 0.01 * variances[0].sqrt()).all()
    assert (covariance - variances.diag()).abs().max() < slack
    if support:
        outside = conv.weight.clone()
        outside[:, :, kernel // 2 : kernel // 2 + support, kernel // 2 : kernel // 2 + support] = 0
        assert not outside.any()


@torch.no_grad()
def test_channels_beyond_the_dimensions_of_a_block_start_small(x) -> None:
    torch.manual_seed(0)
    (conv,) = build((Conv(3, 15, 5, 2),))
    fit_conv(conv, x[::10], 2)  # 12 dimensions
    rows = conv.weight.flatten(1)
    torch.testing.assert_close(rows[:12] @ rows[:12].T, torch.eye(12), atol=1e-5, rtol=0)
    assert 0 < rows[12:].abs().max() < 0.1


@pytest.mark.parametrize(("kernel", "stride"), [(9, 4), (5, 2), (3, 1), (5, 1), (3, 2)])
@torch.no_grad()
def test_a_synthesis_recovers_a_linear_map_exactly(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    (known,), (fitted,) = build((Deconv(3, 2, kernel, stride),)), build((Deconv(3, 2, kernel, stride),))
    known.bias.normal_()
    y = torch.randn(2, 3, 18, 15)
    fit_deconv(fitted, y, known(y), ridge=1e-12)
    torch.testing.assert_close(fitted.weight, known.weight, atol=1e-4, rtol=0)
    torch.testing.assert_close(fitted.bias, known.bias, atol=1e-4, rtol=0)


@pytest.mark.parametrize("factor", [1, 2, 4])
@torch.no_grad()
def test_a_shuffled_synthesis_recovers_a_linear_map_exactly(factor: int) -> None:
    torch.manual_seed(0)
    known, fitted = (build((Conv(3, 2 * factor**2, 1), PixelShuffle(factor))) for _ in range(2))
    y = torch.randn(2, 3, 18, 15)
    fit_shuffled(fitted[0], y, known(y), ridge=1e-12)
    torch.testing.assert_close(fitted[0].weight, known[0].weight, atol=1e-4, rtol=0)
    torch.testing.assert_close(fitted[0].bias, known[0].bias, atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_silenced_block_is_the_identity() -> None:
    torch.manual_seed(0)
    (block,) = build((Residual((Conv(3, 5, 1), ReLU(), Conv(5, 3, 1), Depthwise(3))),))
    x = torch.randn(1, 3, 6, 6)
    assert not torch.allclose(block(x), x, atol=0.1)
    silence(block)
    assert torch.equal(block(x), x) and block[0].weight.any()


@torch.no_grad()
def test_ridge_shrinks_what_the_data_do_not_determine() -> None:
    torch.manual_seed(0)
    (fitted,) = build((Deconv(3, 2, 5, 2),))
    y = torch.randn(1, 1, 12, 12).expand(1, 3, 12, 12).contiguous()  # three equal channels
    fit_deconv(fitted, y, torch.randn(1, 2, 24, 24), ridge=1e-4)
    assert torch.isfinite(fitted.weight).all() and fitted.weight.abs().max() < 2
    torch.testing.assert_close(fitted.weight[0], fitted.weight[1], atol=1e-3, rtol=0)


@torch.no_grad()
def test_the_pixel_gain_of_a_linear_synthesis_is_the_energy_of_its_kernels() -> None:
    torch.manual_seed(0)
    g_s = build((Deconv(5, 3, 9, 4),))
    torch.testing.assert_close(pixel_gain(g_s, 5), g_s[0].weight.square().sum((1, 2, 3)))


def test_the_best_step_minimises_rate_and_distortion_at_high_rate() -> None:
    """3 samples a pixel: -3 log2 s + lambda 255^2 s^2 / 12, over a fine grid of steps."""
    for lmbda in (0.0018, 0.0067, 0.05):
        steps = np.geomspace(1e-3, 1, 20001)
        costs = -3 * np.log2(steps) + lmbda * 255**2 * steps**2 / 12
        assert best_step(lmbda) == pytest.approx(steps[costs.argmin()], rel=1e-3)


@torch.no_grad()
def test_latents_start_with_the_pixel_gain_of_the_best_step(started) -> None:
    gain = pixel_gain(started.networks["g_s"], MODEL.M).sqrt() / best_step(LAMBDA)
    torch.testing.assert_close(gain, torch.ones(MODEL.M), atol=0.1, rtol=0)


@torch.no_grad()
def lagrangian(module: Trainable, x) -> tuple[float, float]:
    played = module.rounded(x)
    squares = float(distortion(x, played.x_hat.clamp(0, 1)).mean())
    bpp = float(played.bits.sum()) / (x.shape[0] * x.shape[2] * x.shape[3])
    return bpp + LAMBDA * squares, 10 * math.log10(255**2 / squares)


def test_it_beats_random_weights_by_a_wide_margin_on_unseen_photographs(started) -> None:
    unseen = tiles(data.hubble_deep_field(), data.retina()[256:-256, 256:-256], data.immunohistochemistry())[::3]
    torch.manual_seed(0)
    random, _ = lagrangian(Trainable(MODEL, radius=64), unseen)
    loss, psnr = lagrangian(started, unseen)
    assert loss < 0.2 * random and psnr > 27


@torch.no_grad()
def test_the_prior_starts_at_the_latents_histogram(started, x) -> None:
    symbols = started.networks["g_a"](x).round()
    bits = started.priors["y"].bits(symbols).sum()
    entropy = 0.0
    for channel in symbols.transpose(0, 1).flatten(1):
        _, counts = channel.unique(return_counts=True)
        entropy -= float((counts * (counts / counts.sum()).log2()).sum())
    assert entropy < float(bits) < 1.35 * entropy


@pytest.mark.parametrize("form", ["squared", "absolute"])
@pytest.mark.parametrize("ratio", [0.4, 2.5])
@torch.no_grad()
def test_rescaling_multiplies_the_latents_and_leaves_the_pictures(x, form: str, ratio: float) -> None:
    x = x[::10]
    torch.manual_seed(0)
    module = Trainable(Balle2017(N1=8, N2=8, M=8, gdn=form), radius=64)  # type: ignore[arg-type]
    g_a, g_s = module.networks["g_a"], module.networks["g_s"]
    for layer in (*g_a, *g_s):
        if isinstance(layer, GDN):
            layer.gamma_root.uniform_(0, 0.5)
            layer.beta_root.uniform_(0.5, 2)
    g_a[-2].weight.mul_(20)
    y, x_hat = g_a(x), g_s(g_a(x))
    rescale(g_a, g_s, module.priors["y"], x, ratio)
    torch.testing.assert_close(g_a(x), ratio * y, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(g_s(g_a(x)), x_hat, rtol=1e-3, atol=1e-3)
    pmf, first = module.priors["y"].pmf()
    spread = (pmf * np.abs(np.arange(pmf.shape[1]) + first)).sum(1)
    np.testing.assert_allclose(spread, (ratio * y).abs().mean((0, 2, 3)), rtol=0.5, atol=0.4)
