"""balle2018 and minnen2018 over PyTorch: any size, causal contexts, starts that predict something."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.entropy.order import raster, wavefront  # noqa: E402
from latens.entropy.scales import SMALLEST, STEP  # noqa: E402
from latens.systems import Balle2018, Minnen2018, Model  # noqa: E402
from latens.systems import minnen2018 as minnen_module  # noqa: E402
from latens.train.beginnings import begin_closed_form  # noqa: E402
from latens.train.data import to_input  # noqa: E402
from latens.train.hyper import rescale_hyper  # noqa: E402
from latens.train.noise import Noise, Rounded, Trainable  # noqa: E402

SIZES = {"N1": 8, "N2": 10, "N3": 12, "M": 14, "Nh": 6}
SCALE = Balle2018(**SIZES)
MEAN_SCALE = Minnen2018(**SIZES, P1=20, P2=16, context=False)
CONTEXT = Minnen2018(**SIZES, P1=20, P2=16)
MODELS = [SCALE, MEAN_SCALE, CONTEXT]


@pytest.fixture(scope="module")
def x(photograph: np.ndarray):
    corners = [(r, c) for r in (0, 128, 256) for c in (0, 128, 256)]
    return to_input(torch.from_numpy(np.stack([photograph[r : r + 128, c : c + 128] for r, c in corners])))


def started(model: Model, x) -> Trainable:
    torch.manual_seed(0)
    module = Trainable(model, radius=32)
    begin_closed_form(module, x, (0.02,))
    return module


@pytest.fixture(scope="module")
def trained(x) -> Trainable:
    """A model with a context whose corrections are not 0."""
    module = started(CONTEXT, x)
    with torch.no_grad():
        for weight in module.networks["entropy_parameters"].parameters():
            weight.add_(torch.randn(weight.shape) * 0.05)
    return module


def test_the_sizes_of_the_paper_have_five_million_parameters() -> None:
    from latens.transforms import macs_per_pixel, parameters

    networks = Balle2018().networks()
    assert sum(map(parameters, networks.values())) == pytest.approx(5.0e6, rel=0.05)
    assert macs_per_pixel(networks["g_a"]) == pytest.approx(43_000, rel=0.05)


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (48, 80), (112, 16)])
def test_pictures_of_any_multiple_of_16_go_through(model: Model, height: int, width: int) -> None:
    torch.manual_seed(0)
    module, x = Trainable(model, radius=8), torch.rand(2, 3, height, width)
    for played in (module(x), module(x, rounded=True), module.rounded(x)):
        assert played.x_hat.shape == x.shape and torch.isfinite(played.bits).all() and (played.bits > 0).all()


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_every_weight_has_a_gradient(model: Model, x) -> None:
    module = started(model, x)
    with torch.no_grad():
        for name, net in module.networks.items():
            if name == "entropy_parameters":
                list(net.children())[-2].weight.normal_(std=0.01)
    played = module(x, torch.Generator().manual_seed(0), rounded=True)
    (played.bits.sum() + played.x_hat.square().sum()).backward()
    silent = [name for name, weight in module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not silent


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_start_predicts_better_than_one_scale_a_channel_could(model: Model, x) -> None:
    """Against Gaussians with each channel's own spread, and its mean where the model has means."""
    module = started(model, x)
    with torch.no_grad():
        y = module.networks["g_a"](x)
        mean = y.mean((0, 2, 3), keepdim=True) if isinstance(model, Minnen2018) else 0.0
        values = (y - mean).round()
        spread = values.square().mean((0, 2, 3), keepdim=True).sqrt().clamp_min(0.11).expand(y.shape)
        positions = (spread / SMALLEST).log() / STEP
        alone = float(module.priors["y"].bits(values, positions).sum())
        channel = Rounded(module.priors, networks=module.by_name(), size=(128, 128))
        module.model.code(y, channel)
    assert float(sum(channel.bits[1:]).sum()) < alone and float(channel.bits[0].sum()) < 0.02 * alone


def test_a_new_context_predicts_what_the_mean_scale_model_does(x) -> None:
    whole = started(CONTEXT, x)
    alone = Trainable(MEAN_SCALE, radius=32)
    alone.load_state_dict({k: v for k, v in whole.state_dict().items() if k in alone.state_dict()})
    a, b = whole(x, torch.Generator().manual_seed(1)), alone(x, torch.Generator().manual_seed(1))
    assert torch.allclose(a.bits, b.bits, rtol=1e-6) and torch.allclose(a.x_hat, b.x_hat, atol=1e-6)


class Silent(Noise):
    """Noise of zero."""

    def _noisy(self, y):
        return y


def test_all_positions_at_once_are_predicted_as_step_by_step(trained: Trainable, x) -> None:
    """Training's masked convolution and validation's steps are one model."""
    with torch.no_grad():
        y = trained.networks["g_a"](x)
        stepwise = Rounded(trained.priors, networks=trained.by_name(), size=(128, 128))
        y_hat = CONTEXT.code(y, stepwise)
        # y_hat is its own rounding around the same means, if and only if the means are the same
        again = Rounded(trained.priors, networks=trained.by_name(), size=(128, 128))
        z = torch.zeros(1)
        networks = trained.by_name() | {"h_a": lambda _: trained.networks["h_a"](y) + z}
        at_once = Silent(trained.priors, networks=networks, size=(128, 128))
        at_once.factorised = lambda value, prior, stride: again.factorised(value, prior, stride=stride)
        CONTEXT.code(y_hat, at_once)
    assert float(at_once.bits[0].sum()) == pytest.approx(float(sum(stepwise.bits[1:]).sum()), rel=1e-4)


def test_the_wavefront_gives_the_symbols_of_raster_order(
    trained: Trainable, x, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad():
        y = trained.networks["g_a"](x[:2])
        results = []
        for order in (wavefront, raster):
            monkeypatch.setattr(minnen_module, "wavefront", order)
            channel = Rounded(trained.priors, networks=trained.by_name(), size=(128, 128))
            results.append(CONTEXT.code(y, channel))
    assert torch.allclose(*results, atol=1e-4)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_rescaled_latents_are_predicted_rescaled(model: Model, x, trained: Trainable) -> None:
    ratio = 1.7
    module = Trainable(model, radius=32)
    state = trained.state_dict() if model == CONTEXT else started(model, x).state_dict()
    module.load_state_dict(state)
    seen = []

    def parameters(scaled: Trainable, y):
        class Asking(Silent):
            def gaussian(self, y, prior, parameters):
                seen.append(parameters)
                return y

            def scan(self, y, prior, steps, predict, *, shape):
                return self.gaussian(y, prior, predict(y, ...))

        model.code(y, Asking(scaled.priors, networks=scaled.by_name(), size=(128, 128)))

    with torch.no_grad():
        y = module.networks["g_a"](x)
        parameters(module, y)
        rescale_hyper(module, ratio)
        parameters(module, y * ratio)
    (mean, scale), (mean_after, scale_after) = seen
    assert torch.allclose(torch.as_tensor(mean_after), torch.as_tensor(mean * ratio), atol=2e-3)
    shift = np.log(ratio) / STEP
    assert torch.allclose(scale_after, scale + shift, atol=2e-3)


def test_a_context_is_a_size_of_its_own() -> None:
    assert set(CONTEXT.networks()) - set(MEAN_SCALE.networks()) == {"context", "entropy_parameters"}
    assert dataclasses.replace(CONTEXT, context=False) == MEAN_SCALE
