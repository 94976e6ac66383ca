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


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_keeps_the_type_of_its_input_and_is_near_its_formula_in_bfloat16(inverse: bool) -> None:
    torch.manual_seed(0)
    module = TorchGDN(GDN(64, inverse=inverse))
    with torch.no_grad():
        module.gamma_root.uniform_(0, 0.5)
    x, weights = torch.randn(2, 64, 8, 8).bfloat16(), torch.randn(2, 64, 8, 8).bfloat16()
    found = []
    for one in (x, x.float()):
        one.requires_grad_()
        module.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            y = module(one)
        assert y.dtype == one.dtype
        y.backward(weights.to(y.dtype))
        found.append([y.detach(), one.grad, module.gamma_root.grad, module.beta_root.grad])
    for narrow, wide in zip(*found, strict=True):
        assert (narrow.float() - wide).norm() < 0.01 * wide.norm()


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


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("inverse", [False, True])
def test_the_written_gradient_of_gdn_is_that_of_its_values(inverse: bool, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3, 5, dtype=torch.double).contiguous(memory_format=layout)
    inputs = [x, torch.rand(4, 4, dtype=torch.double), torch.rand(4, dtype=torch.double) + 0.1]
    for one in inputs:
        one.requires_grad_()
    assert torch.autograd.gradcheck(lambda *given: normalised(*given, inverse), inputs)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_deconv_has_the_values_and_gradients_of_pytorchs_own(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    (module,) = build((Deconv(6, 5, 5, 2),))
    x, found = torch.randn(2, 6, 4, 3), []
    for forward in (module.forward, lambda x: torch.nn.ConvTranspose2d.forward(module, x)):
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
            y = forward(x)
        assert y.dtype == kind
        found.append([y, *torch.autograd.grad(y.float().square().sum(), (module.weight, module.bias))])
    for mine, other in zip(*found, strict=True):
        assert (mine - other).norm() <= (0.01 if kind == torch.bfloat16 else 1e-6) * other.norm()
