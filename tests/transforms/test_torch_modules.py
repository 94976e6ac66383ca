"""The modules that are trained, against their formulas written out."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from latens.transforms import GDN, Conv, Deconv, Shift, layers  # noqa: E402
from latens.transforms.gradients import lower_bound, normalised  # noqa: E402
from latens.transforms.torch_modules import GDN as TorchGDN  # noqa: E402
from latens.transforms.torch_modules import arrays, build  # noqa: E402


def written_out(x: np.ndarray, beta: np.ndarray, gamma: np.ndarray, layer: layers.GDN) -> np.ndarray:
    """Balle 2017, equation 2, sample by sample."""
    out = np.empty_like(x)
    batch, channels, height, width = x.shape
    for b, r, c in np.ndindex(batch, height, width):
        w = x[b, :, r, c]
        for i in range(channels):
            norm = beta[i]
            for j in range(channels):
                norm += gamma[i, j] * (w[j] ** 2 if layer.form == "squared" else abs(w[j]))
            if layer.form == "squared":
                norm = norm**0.5
            out[b, i, r, c] = w[i] * norm if layer.inverse else w[i] / norm
    return out


@pytest.mark.parametrize("form", ["squared", "absolute"])
@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_its_formula(form: str, inverse: bool) -> None:
    layer = GDN(4, inverse=inverse, form=form)  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    module = TorchGDN(layer)
    with torch.no_grad():
        module.beta_root.uniform_(0.5, 2)
        module.gamma_root.uniform_(0, 1)  # not symmetric: rows and columns must not be swapped
    x = random.standard_normal((2, 4, 3, 2))
    weights = module.arrays()
    expected = written_out(x, weights["beta"].astype(float), weights["gamma"].astype(float), layer)
    with torch.no_grad():
        found = module(torch.from_numpy(x).float()).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_gdn_starts_as_asked_and_stays_within_its_bounds() -> None:
    module = TorchGDN(GDN(3), gamma=0.1)
    torch.testing.assert_close(module.beta, torch.ones(3))
    torch.testing.assert_close(module.gamma, 0.1 * torch.eye(3), atol=1e-7, rtol=1e-5)
    with torch.no_grad():
        module.beta_root.fill_(-3)
        module.gamma_root.fill_(-3)
    torch.testing.assert_close(module.beta, torch.full((3,), 1e-6), atol=1e-8, rtol=0)
    assert (module.gamma >= 0).all() and (module.gamma < 1e-8).all()


def test_a_gamma_of_zero_can_still_grow() -> None:
    module = TorchGDN(GDN(2), gamma=0.0)
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    module(x).square().sum().backward()  # a larger gamma makes this smaller
    assert (module.gamma_root.grad < 0).all()


def test_gdn_is_computed_in_float32_under_autocast() -> None:
    module = TorchGDN(GDN(8))
    x = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module(x), module(x.float())) and module(x.bfloat16()).dtype == torch.float32
    torch.testing.assert_close(module(x), x / (1 + 0.1 * x * x).sqrt(), rtol=1e-4, atol=1e-4)


def test_the_lower_bound_blocks_only_gradients_that_lead_further_below() -> None:
    x = torch.tensor([-1.0, -1.0, 2.0, 2.0, 0.5], requires_grad=True)
    gradient = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])  # descent moves x against it
    y = lower_bound(x, 0.5)
    assert y.tolist() == [0.5, 0.5, 2.0, 2.0, 0.5]
    y.backward(gradient)
    assert x.grad.tolist() == [0.0, -1.0, 1.0, -1.0, 1.0]


@pytest.mark.parametrize(("kernel", "stride"), [(9, 4), (5, 2), (3, 1), (5, 1), (3, 2), (1, 1)])
def test_deconv_is_the_adjoint_of_conv(kernel: int, stride: int) -> None:
    """<Conv x, y> = <x, Deconv y> for the same kernel and no bias."""
    torch.manual_seed(0)
    (conv,), (deconv,) = build((Conv(3, 4, kernel, stride),)), build((Deconv(4, 3, kernel, stride),))
    with torch.no_grad():
        conv.bias.zero_()
        deconv.bias.zero_()
        deconv.weight.copy_(conv.weight)
        x = torch.randn(2, 3, 6 * stride, 5 * stride)
        y = torch.randn(2, 4, 6, 5)
        assert conv(x).shape == y.shape and deconv(y).shape == x.shape
        torch.testing.assert_close((conv(x) * y).sum(), (x * deconv(y)).sum(), rtol=1e-4, atol=1e-3)


def test_a_network_gives_its_weights_back_layer_by_layer() -> None:
    network = (Shift(-0.5), Conv(3, 4, 5, 2), GDN(4), Deconv(4, 3, 5, 2))
    found = arrays(build(network))
    assert [sorted(layer) for layer in found] == [[], ["bias", "weight"], ["beta", "gamma"], ["bias", "weight"]]
    assert found[1]["weight"].shape == (4, 3, 5, 5) and found[3]["weight"].shape == (4, 3, 5, 5)
    assert all(array.dtype == np.float32 for layer in found for array in layer.values())


@pytest.mark.parametrize("inverse", [False, True])
def test_the_written_gradient_of_gdn_is_that_of_the_formula(inverse: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3, 5, dtype=torch.double, requires_grad=True)
    gamma = torch.rand(4, 4, requires_grad=True, dtype=torch.double)
    beta = torch.rand(4, requires_grad=True, dtype=torch.double)

    def formula(x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        n = torch.einsum("ij,bjhw->bihw", gamma, x * x) + beta[:, None, None]
        return x * (n.sqrt() if inverse else n.rsqrt())

    weights = torch.randn(2, 4, 3, 5, dtype=torch.double)
    expected = torch.autograd.grad((formula(x, gamma, beta) * weights).sum(), (x, gamma, beta))
    for layout in (torch.contiguous_format, torch.channels_last):
        inputs = [x.detach().float().to(memory_format=layout), gamma.detach().float(), beta.detach().float()]
        for one in inputs:
            one.requires_grad_()
        found = normalised(*inputs, inverse)
        torch.testing.assert_close(found.double(), formula(x, gamma, beta), rtol=1e-5, atol=1e-6)
        gradients = torch.autograd.grad((found * weights.float()).sum(), inputs)
        for mine, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(mine.double(), other, rtol=1e-4, atol=1e-5)
