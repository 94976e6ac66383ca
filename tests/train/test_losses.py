"""Distortions, held against their definitions and against pytorch-msssim."""

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train.losses import distortion, ms_ssim  # noqa: E402


def pair(height: int, width: int, noise: float):
    """Smooth pictures (the scales of white noise have no structure) and noisy copies."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, height // 16, width // 16, generator=generator)
    x = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
    return x, (x + noise * torch.randn(x.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
@pytest.mark.parametrize(("height", "width"), [(176, 176), (192, 256)])
def test_ms_ssim_is_that_of_pytorch_msssim(height: int, width: int, noise: float) -> None:
    reference = pytest.importorskip("pytorch_msssim", reason="needs the extra dev")
    x, x_hat = pair(height, width, noise)
    expected = reference.ms_ssim(x, x_hat, data_range=1.0, size_average=False)
    assert float(expected.min()) > 0.05 and float(expected.max()) < 0.9999
    torch.testing.assert_close(ms_ssim(x, x_hat), expected, atol=2e-5, rtol=0)


def test_ms_ssim_of_equal_pictures_is_one_with_a_finite_gradient() -> None:
    x, _ = pair(176, 176, 0)
    x_hat = x.clone().requires_grad_()
    loss = distortion(x, x_hat, "ms-ssim").mean()
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5) and torch.isfinite(x_hat.grad).all()


def test_opposite_pictures_have_a_finite_gradient_too() -> None:
    x, _ = pair(176, 176, 0)
    x_hat = (1 - x).requires_grad_()
    distortion(x, x_hat, "ms-ssim").mean().backward()
    assert torch.isfinite(x_hat.grad).all() and float(distortion(x, x_hat.detach(), "ms-ssim").min()) > 0.99


def test_ms_ssim_refuses_pictures_too_small_for_five_scales() -> None:
    with pytest.raises(ValueError, match="161"):
        ms_ssim(*pair(160, 176, 0.1))


def test_the_mse_is_on_the_scale_of_eight_bits() -> None:
    x = torch.full((1, 3, 4, 4), 0.5)
    assert float(distortion(x, x + 2 / 255)) == pytest.approx(4, rel=1e-4)
    assert float(distortion(x, x)) == 0


def test_half_precision_is_widened_before_it_is_squared() -> None:
    x, x_hat = torch.zeros(1, 3, 64, 64), torch.full((1, 3, 64, 64), 1 / 256).bfloat16()
    assert float(distortion(x, x_hat)) == pytest.approx((255 / 256) ** 2, rel=1e-6)


def test_a_perceptual_transform_sees_both_pictures() -> None:
    seen = []

    def g_p(pictures):
        seen.append(pictures)
        return 3 * pictures + 1

    x, x_hat = pair(16, 16, 0.1)
    torch.testing.assert_close(distortion(x, x_hat, g_p=g_p), 9 * distortion(x, x_hat), rtol=1e-5, atol=0)
    assert [id(one) for one in seen] == [id(x), id(x_hat)]
    x, x_hat = pair(176, 176, 0.1)
    squeezed = distortion(x, x_hat, "ms-ssim", lambda pictures: pictures / 2 + 0.25)
    torch.testing.assert_close(squeezed, 1 - ms_ssim(x / 2 + 0.25, x_hat / 2 + 0.25), rtol=1e-5, atol=0)
    assert ((squeezed - distortion(x, x_hat, "ms-ssim")).abs() > 1e-3).all()


def test_every_picture_has_its_own_distortion() -> None:
    x, x_hat = pair(176, 176, 0.1)
    for metric in ("mse", "ms-ssim"):
        apart = [float(distortion(a[None], b[None], metric)) for a, b in zip(x, x_hat, strict=True)]
        assert distortion(x, x_hat, metric).tolist() == pytest.approx(apart, rel=1e-5) and len(set(apart)) > 1
