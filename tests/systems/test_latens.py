"""The default codec: its passes know what they may and no more, at any size, in training and in files."""

import itertools
from pathlib import Path

import numpy as np
import pytest

import latens
from latens.coding import Decoder, Encoder
from latens.entropy.channels import Decode, Encode
from latens.entropy.order import passes, squares
from latens.errors import DriftError
from latens.pixels import to_network
from latens.systems import MODELS, Latens, LatensFast
from latens.weights.package import load

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train.beginnings import begin_closed_form  # noqa: E402
from latens.train.data import to_input  # noqa: E402
from latens.train.hyper import rescale_hyper  # noqa: E402
from latens.train.noise import Noise, Rounded, Trainable  # noqa: E402
from latens.transforms.torch_modules import Residual  # noqa: E402

MODEL = Latens(C=20, n=1, M=16, Nh=6, P=24)
LAMBDA = 0.02


@pytest.fixture(scope="module")
def started(tiles) -> Trainable:
    """The closed-form start."""
    torch.manual_seed(0)
    module = Trainable(MODEL, radius=32)
    begin_closed_form(module, to_input(tiles), (LAMBDA,))
    return module


@pytest.fixture(scope="module")
def trained(started: Trainable) -> Trainable:
    """The same with corrections that are not 0, in the passes and in the blocks."""
    module = Trainable(MODEL, radius=32)
    module.load_state_dict(started.state_dict())
    torch.manual_seed(1)
    with torch.no_grad():
        for name, net in module.networks.items():
            for weight in net.parameters() if name.startswith("refine") else ():
                weight.add_(torch.randn(weight.shape) * 0.02)
        for name in ("g_a", "g_s"):
            for layer in module.networks[name]:
                for weight in layer.parameters() if isinstance(layer, Residual) else ():
                    weight.add_(torch.randn(weight.shape) * 0.01)
    return module


@pytest.fixture(scope="module")
def exported(trained: Trainable, tiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx", reason="exporting needs the extra train")
    from latens.train.export import export

    path = tmp_path_factory.mktemp("exported") / "latens.ltm"
    export(trained, tiles, path, {"lmbda": LAMBDA, "training": "closed form"}, "float32")
    return path


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (160, 32)])
def test_pictures_of_any_multiple_of_32_go_through(trained: Trainable, height: int, width: int) -> None:
    x = torch.rand(2, 3, height, width)
    for played in (trained(x), trained(x, rounded=True), trained.rounded(x)):
        assert played.x_hat.shape == x.shape and torch.isfinite(played.bits).all() and (played.bits > 0).all()


def test_every_weight_has_a_gradient(trained: Trainable, tiles) -> None:
    played = trained(to_input(tiles), torch.Generator().manual_seed(0), rounded=True)
    (played.bits.sum() + played.x_hat.square().sum()).backward()
    silent = [n for n, weight in trained.named_parameters() if weight.grad is None or not weight.grad.any()]
    trained.zero_grad(set_to_none=True)
    assert not silent


def test_the_closed_form_start_is_a_code_already(started: Trainable, tiles) -> None:
    """Without a step, of 16 latents for 768 samples; the blocks are the identity."""
    x = to_input(tiles)
    played = started.rounded(x)
    assert -10 * float(((played.x_hat - x) ** 2).mean().log10()) > 24.5
    for name, signal in (("g_a", x), ("g_s", started.networks["g_a"](x).round())):
        bare = [layer for layer in started.networks[name] if not isinstance(layer, Residual)]
        assert len(bare) < len(started.networks[name])
        assert torch.equal(torch.nn.Sequential(*bare)(signal), started.networks[name](signal))


class Recording(Noise):
    """Noise of zero that remembers what each pass was predicted to be."""

    def __init__(self, *arguments, **named) -> None:
        super().__init__(*arguments, **named)
        self.predicted: list = []

    def _noisy(self, y):
        return y

    def gaussian(self, y, prior, parameters, inside=None, *, adaptive=False):
        self.predicted.append(parameters)
        return super().gaussian(y, prior, parameters, inside, adaptive=adaptive)


def predictions(module: Trainable, y, z) -> list:
    channel = Recording(module.priors, networks=module.by_name() | {"h_a": lambda _: z}, size=(64, 96))
    with torch.no_grad():
        assert torch.equal(module.model.code(y, channel), y), "what arrives is put where it came from"
    return channel.predicted


def test_a_pass_depends_on_earlier_passes_and_on_no_other(trained: Trainable) -> None:
    torch.manual_seed(2)
    y, z = torch.randn(1, MODEL.M, 4, 6) * 3, torch.zeros(1, MODEL.Nh, 1, 2)
    before = predictions(trained, y, z)
    at_random = torch.randn(1, 4 * MODEL.M, 2, 3)
    for changed, part in enumerate(passes(MODEL.M)):
        mask = torch.zeros_like(at_random)
        mask[:, part] = at_random[:, part]
        other = torch.nn.functional.pixel_shuffle(mask, 2)
        after = predictions(trained, y + other, z)
        for number, (a, b) in enumerate(zip(before, after, strict=True)):
            same = torch.equal(a.mean, b.mean) and torch.equal(a.scale, b.scale)
            assert same == (number <= changed), f"pass {number} after a change in pass {changed}"


def test_rescaled_latents_are_predicted_rescaled(trained: Trainable) -> None:
    torch.manual_seed(2)
    y, z, ratio = torch.randn(1, MODEL.M, 4, 6) * 3, torch.zeros(1, MODEL.Nh, 1, 2), 1.7
    before = predictions(trained, y, z)
    module = Trainable(MODEL, radius=32)
    module.load_state_dict(trained.state_dict())
    rescale_hyper(module, ratio)
    for a, b in zip(before, predictions(module, y * ratio, z), strict=True):
        assert torch.allclose(b.mean, a.mean * ratio, atol=2e-3)
        assert torch.allclose(b.scale, a.scale + np.log(ratio) / np.log(256 / 0.11) * 63, atol=2e-3)


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (17, 1), (1, 40), (64, 64), (65, 127), (129, 16), (200, 90)]
)
def test_any_size_comes_back(exported: Path, photograph: np.ndarray, width: int, height: int) -> None:
    pixels = np.ascontiguousarray(photograph[100 : 100 + height, 100 : 100 + width])
    came = latens.decode(latens.encode(pixels, model=exported), weights=exported, output="array")
    assert came.shape == pixels.shape
    assert float(np.mean((came.astype(float) - pixels) ** 2)) < max(600.0, float(pixels.var()) / 2)


@pytest.mark.parametrize(("height", "width"), [(144, 208), (160, 192), (16, 48)])
def test_the_decoder_has_the_latents_of_the_encoder(
    exported: Path, photograph: np.ndarray, recording, height: int, width: int
) -> None:
    """And latents beyond the picture are 0, and cost no symbols."""
    weights = load(exported)
    y = weights.g_a(to_network(photograph[:height, :width], 32))
    encoder = Encoder(weights.tables)
    sent = recording(Encode)(encoder, weights.priors, height, width, weights.networks)
    y_hat = weights.model.code(y, sent)
    came = Decode(Decoder(weights.tables, encoder.finish()), weights.priors, height, width, weights.networks)
    assert np.array_equal(weights.model.code(None, came), y_hat)
    rows, columns = height // 16, width // 16
    inside = (slice(None), slice(None), slice(rows), slice(columns))
    assert np.abs(y_hat[inside] - y[inside]).max() <= 0.5 + 2e-6 * np.abs(y).max()
    assert not np.array_equal(y_hat, np.rint(y_hat)), "no means: too easy"
    assert np.count_nonzero(y_hat) == np.count_nonzero(y_hat[inside])
    z = -(-height // 64) * -(-width // 64) * MODEL.Nh
    assert sum(map(len, sent.symbols)) == rows * columns * MODEL.M + z


def test_files_are_as_small_as_training_said(exported: Path, trained: Trainable, photograph: np.ndarray) -> None:
    pixels = photograph[:256, :384]
    data = latens.encode(pixels, model=exported)
    channel = Rounded(trained.priors, networks=trained.by_name(), size=pixels.shape[:2])
    with torch.no_grad():
        trained.model.code(trained.networks["g_a"](torch.from_numpy(to_network(pixels, 32))), channel)
    estimate = sum(float(bits.sum()) for bits in channel.bits) / 8
    assert 0.85 * estimate < len(data) < 1.02 * estimate + 40


def test_the_map_of_bits_adds_up_to_the_file(exported: Path, photograph: np.ndarray) -> None:
    data = latens.encode(photograph[:80, :112], model=exported)
    spent = latens.codec.bit_map(data, weights=exported)
    assert spent.shape == (3, 4) and abs(spent.sum() / 8 - len(data)) < 60


def test_one_drifted_prediction_is_found_out(
    exported: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = latens.encode(photograph[:128, :128], model=exported)
    weights = load(exported)
    original = weights.networks["refine2"]

    def drifting(*inputs):
        out = original(*inputs).copy()
        out[0, -1, 0, 0] = 40 if out[0, -1, 0, 0] < 20 else 3
        return out

    monkeypatch.setitem(weights.networks, "refine2", drifting)
    with pytest.raises(DriftError):
        latens.decode(data, weights=exported)


def test_restored_networks_compute_what_the_exported_ones_do(exported: Path, photograph: np.ndarray) -> None:
    from latens.train.restore import restore

    module, _ = restore(exported, radius=32)
    weights, x = load(exported), to_network(photograph[:64, :96], 32)
    y = weights.g_a(x)
    with torch.no_grad():
        assert np.abs(module.networks["g_a"](torch.from_numpy(x)).numpy() - y).max() < 1e-3
        assert np.abs(module.networks["g_s"](torch.from_numpy(y)).numpy() - weights.g_s(y)).max() < 1e-4


def test_squares_hold_what_a_pass_takes() -> None:
    y = np.arange(8 * 4 * 6).reshape(1, 8, 4, 6)
    for number, part in enumerate(passes(8)):
        for c, taken in enumerate(squares(y)[0, part]):
            place = (0, 3, 1, 2)[(c + number) % 4]
            assert np.array_equal(taken, y[0, c, place // 2 :: 2, place % 2 :: 2])


def test_one_set_of_weights_codes_every_quality(tiles, photograph: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="exporting needs the extra train")
    from latens.train.export import export

    torch.manual_seed(0)
    module = Trainable(Latens(C=20, n=1, M=16, Nh=6, P=24, levels=3, block="plain"), radius=32)
    lmbdas = (0.002, 0.01, 0.05)
    begin_closed_form(module, to_input(tiles), lmbdas)
    path = tmp_path / "variable.ltm"
    export(module, tiles, path, {"lmbda": lmbdas[-1], "lmbdas": lmbdas, "training": "closed form"}, "float32")
    files = [latens.encode(photograph[:144, :200], model=path, quality=quality) for quality in (0, 50, 75, 100)]
    assert all(2 * len(a) < 3 * len(b) for a, b in itertools.pairwise(files))
    for data in files:
        assert latens.decode(data, weights=path, output="array").shape == (144, 200, 3)


@pytest.mark.parametrize("channel", [Noise, Rounded])
def test_positions_beyond_the_picture_cost_nothing(trained: Trainable, channel: type[Noise]) -> None:
    """Crops of 176 have 11 x 11 latents of each channel: what stands beyond them is not counted."""
    torch.manual_seed(3)
    y = torch.randn(1, 16, 11, 11) * 3
    bits = []
    for edge in (1.0, 50.0):
        noise = torch.Generator().manual_seed(0)
        played = channel(trained.priors, noise, networks=trained.by_name(), size=(176, 176))
        seen = played.gaussian

        def spoilt(y, prior, parameters, inside=None, seen=seen, edge=edge, **named):
            return seen(torch.where(torch.from_numpy(inside), y, edge * y), prior, parameters, inside, **named)

        played.gaussian = spoilt
        with torch.no_grad():
            y_hat = trained.model.code(y, played)
        bits.append(torch.stack(played.bits).sum())
        assert y_hat.shape == y.shape
    assert bits[0] == bits[1]


@pytest.mark.parametrize("side", [144, 176])
@pytest.mark.parametrize("pictures", [1, 3])
def test_it_begins_on_odd_numbers_of_latents_and_on_one_picture(side: int, pictures: int, photograph) -> None:
    tiles = np.stack([photograph[60 * k : 60 * k + side, :side] for k in range(pictures)])
    module = Trainable(MODEL, radius=32)
    begin_closed_form(module, to_input(torch.from_numpy(tiles)), (LAMBDA,))
    assert all(torch.isfinite(weight).all() for weight in module.parameters())


def test_the_fast_size_has_half_of_the_blocks_of_the_default_one() -> None:
    from fractions import Fraction

    from latens.transforms import macs_per_pixel

    def cost(model: Latens) -> float:
        networks = model.networks()
        return macs_per_pixel(networks["g_a"]) + macs_per_pixel(networks["g_s"], Fraction(1, 16))

    assert cost(Latens()) < 21_500 and cost(LatensFast()) < 0.56 * cost(Latens())
    assert 2 * LatensFast().n == Latens().n
    plain = Latens(C=96, n=4, block="plain")
    assert cost(plain) == pytest.approx(cost(Latens()), rel=0.1), "the rival of the design page"
    assert MODELS["latens-fast"] is LatensFast and len({model.fourcc for model in MODELS.values()}) == len(MODELS)
