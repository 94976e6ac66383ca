"""A sketch of Minnen, Balle & Toderici 2018 (a serial 5x5 context beside a hyperprior), stated once.

The hardest model for the channels: every prediction needs the latents decoded just before. `Sketch.code` is
played over Encode, Decode, Noise and Rounded; in coding the context runs in NumPy integers along a wavefront,
in training it is a masked convolution of all positions at once, and the two have to agree everywhere.

    .  .  .  .  .        position (r, c) is coded in step t = c + 3r: all twelve positions
    .  x  x  x  x  x     that its mask sees have smaller t, and positions of equal t are
    .  x  x  x  x  x     independent of each other
    .  x  x (r, c)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from torch.nn import functional as F  # noqa: E402

from latens.coding import Decoder, Encoder, Tables, integer_table  # noqa: E402
from latens.entropy.channels import Channel, Decode, Encode, Group, Parameters, PriorTables  # noqa: E402
from latens.systems import Model  # noqa: E402
from latens.train.density import PiecewiseLinearDensity  # noqa: E402
from latens.train.noise import Noise, Rounded  # noqa: E402
from latens.transforms import Network  # noqa: E402

M, N = 3, 2  # channels of y and z
SCALES = tuple(0.3 * 1.6**k for k in range(8))
UNIT = 16  # means and latents are multiples of 1/UNIT
SHIFT = 6  # accumulators are divided by 2^SHIFT
MASK = tuple((r, c) for r in (-2, -1, 0) for c in (-2, -1, 0, 1, 2) if r < 0 or c < 0)
WEIGHTS = np.random.default_rng(5).integers(-9, 10, (2 * M, M, len(MASK)))  # of the context
SIDE = np.random.default_rng(6).integers(-300, 300, (2 * M, N))  # of the hyperprior


def wavefront(rows: int, columns: int) -> list[tuple[Any, ...]]:
    """Index tuples of the positions (r, c) with c + 3r = t, for rising t."""
    r, c = np.mgrid[:rows, :columns]
    t = c + 3 * r
    return [(slice(None), slice(None), *np.nonzero(t == step)) for step in range(int(t.max()) + 1)]


@dataclass(frozen=True)
class Sketch(Model):
    """y at 1/16, z at 1/64; hyper-analysis, hyper-synthesis and context are networks of the channel."""

    id: ClassVar[str] = "sketch"
    stride: ClassVar[int] = 64

    def networks(self) -> Mapping[str, Network]:
        return {}

    def priors(self) -> Mapping[str, int]:
        return {"z": N, "y": len(SCALES)}

    def code(self, y: Any, channel: Channel) -> Any:
        h_a, h_s, context = (channel.networks[name] for name in ("h_a", "h_s", "context"))
        z_hat = channel.factorised(None if y is None else h_a(y), "z", stride=64)
        psi = h_s(z_hat)  # (B, 2M, H/16, W/16)
        batch, channels, rows, columns = psi.shape
        shape = (batch, channels // 2, rows, columns)
        return channel.scan(
            y, "y", wavefront(rows, columns), lambda y_hat, step: context(psi, y_hat, step), shape=shape
        )


# --- the networks in coding: integers -----------------------------------------------------------------


def h_a(y: np.ndarray) -> np.ndarray:
    batch, channels, rows, columns = y.shape
    means = np.abs(y).reshape(batch, channels, rows // 4, 4, columns // 4, 4).mean((3, 5))
    return means[:, :N].astype(np.float32)


def h_s(z_hat: np.ndarray) -> np.ndarray:
    psi = np.einsum("on,bnrc->borc", SIDE, z_hat.astype(np.int64))
    return psi.repeat(4, 2).repeat(4, 3)


def context(psi: np.ndarray, y_hat: np.ndarray, step: tuple[Any, ...]) -> Parameters:
    """Only what is asked for is computed: the positions of one step of the wavefront."""
    *_, r, c = step
    padded = np.pad(np.rint(y_hat[0] * UNIT).astype(np.int64), ((0, 0), (2, 2), (2, 2)))
    seen = np.stack([padded[:, 2 + r + i, 2 + c + j] for i, j in MASK], 1)  # (M, 12, n)
    total = np.einsum("omk,mkn->on", WEIGHTS, seen) + psi[0][:, r, c]
    mean = (total[:M] + (1 << SHIFT - 1)) >> SHIFT
    scale = np.minimum(np.abs(total[M:]) >> SHIFT, len(SCALES) - 1)
    return Parameters((mean / UNIT).astype(np.float32)[None], scale[None])


# --- the networks in training: the same integers in floats, with a gradient to the masks' inputs --------


def kernel() -> torch.Tensor:
    weight = torch.zeros(2 * M, M, 5, 5, dtype=torch.double)
    for k, (i, j) in enumerate(MASK):
        weight[:, :, 2 + i, 2 + j] = torch.from_numpy(WEIGHTS[:, :, k])
    return weight


def straight_through(x: torch.Tensor, integer: torch.Tensor) -> torch.Tensor:
    return x + (integer - x).detach()


class Masked:
    """The context as one convolution; any step is read from the result."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight
        self.asked: list[Parameters] = []

    def __call__(self, psi: torch.Tensor, y_hat: torch.Tensor, step: tuple[Any, ...] | EllipsisType) -> Parameters:
        total = (F.conv2d(y_hat.double() * UNIT, self.weight, padding=2) + psi)[step]
        mean, scale = total[:, :M] / 2**SHIFT, total[:, M:].abs() / 2**SHIFT
        mean = straight_through(mean, (mean + 0.5).floor()) / UNIT
        self.asked.append(Parameters(mean.float(), scale.floor().clamp(max=len(SCALES) - 1)))
        return self.asked[-1]


def training_networks(weight: torch.Tensor | None = None) -> dict[str, Any]:
    side = torch.from_numpy(SIDE).double()

    def up(z_hat: torch.Tensor) -> torch.Tensor:
        psi = torch.einsum("on,bnrc->borc", side, z_hat.double())
        return psi.repeat_interleave(4, 2).repeat_interleave(4, 3)

    return {
        "h_a": lambda y: F.avg_pool2d(y.abs(), 4)[:, :N],
        "h_s": up,
        "context": Masked(kernel() if weight is None else weight),
    }


class Bell(torch.nn.Module):
    """Bits of a Gaussian over a unit interval; ``scale`` numbers the standard deviation."""

    def bits(self, values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        sigma = torch.tensor(SCALES)[scale.long()] * 2**0.5
        upper, lower = torch.erf((values + 0.5) / sigma), torch.erf((values - 0.5) / sigma)
        return -((upper - lower) / 2).clamp_min(1e-9).log2()


def priors() -> torch.nn.ModuleDict:
    return torch.nn.ModuleDict({"z": PiecewiseLinearDensity(N, 16), "y": Bell()})


class Silent(Noise):
    """Noise of zero: training's parameters for latents that are what coding makes of them."""

    def _noisy(self, y: torch.Tensor) -> torch.Tensor:
        return y


# --- playing them ---------------------------------------------------------------------------------------

CODING = {"h_a": h_a, "h_s": h_s, "context": context}
PRIORS = {"z": PriorTables(0, (Group(N),)), "y": PriorTables(N, (Group(len(SCALES)),))}


def table(scale: float) -> tuple[int, np.ndarray]:
    weights = np.exp(-0.5 * (np.arange(-12, 13) / scale) ** 2)
    return integer_table(weights / weights.sum(), -12)


TABLES = Tables.stack(table(scale) for scale in (1.0, 1.0, *SCALES))


def latents(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows).normal(0, 3, (1, M, rows, columns)).astype(np.float32)


class Played:
    """y encoded: y_hat, bytes and the parameters of every position; ``play`` is the encoding channel."""

    def __init__(self, y: np.ndarray, play: type[Encode] = Encode) -> None:
        self.height, self.width = 16 * y.shape[2], 16 * y.shape[3]
        self.mean, self.scale = np.full(y.shape, np.nan, np.float32), np.full(y.shape, -1)

        def recording(psi: np.ndarray, y_hat: np.ndarray, step: tuple[Any, ...]) -> Parameters:
            parameters = context(psi, y_hat, step)
            self.mean[step], self.scale[step] = parameters
            return parameters

        encoder = Encoder(TABLES)
        self.channel = play(encoder, PRIORS, self.height, self.width, {**CODING, "context": recording})
        self.y_hat = Sketch().code(y, self.channel)
        self.data = encoder.finish()


SIZES = [(4, 4), (8, 12), (12, 4), (4, 16)]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 7), (8, 12), (9, 2)])
def test_the_wavefront_meets_every_position_once_and_after_all_that_its_mask_sees(rows: int, columns: int) -> None:
    when = np.full((rows, columns), -1)
    for t, (_, _, r, c) in enumerate(wavefront(rows, columns)):
        assert (when[r, c] == -1).all()
        when[r, c] = t
    assert (when >= 0).all() and when.max() == columns - 1 + 3 * (rows - 1)
    for r, c in np.ndindex(rows, columns):
        for i, j in MASK:
            if r + i >= 0 and 0 <= c + j < columns:
                assert when[r + i, c + j] < when[r, c]


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_decoding_gives_what_was_encoded(recording, rows: int, columns: int) -> None:
    y = latents(rows, columns)
    sent = Played(y, recording(Encode))
    assert np.abs(sent.y_hat - y).max() <= 0.5
    assert not np.array_equal(sent.y_hat, np.rint(sent.y_hat)), "the means have no fractions: too easy"
    assert len(np.unique(sent.scale)) > 4, "the context hardly changes the tables: too easy"
    decoder = Decoder(TABLES, sent.data)
    channel = recording(Decode)(decoder, PRIORS, sent.height, sent.width, CODING)
    y_hat = Sketch().code(None, channel)
    decoder.finish()
    assert np.array_equal(y_hat, sent.y_hat)
    assert np.array_equal(np.concatenate(channel.symbols), np.concatenate(sent.channel.symbols))
    assert channel.check.value == sent.channel.check.value != 0


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_training_predicts_what_coding_predicts_at_every_position(rows: int, columns: int) -> None:
    y = latents(rows, columns)
    sent = Played(y)
    networks = training_networks()
    z = h_a(y)
    networks["h_a"] = lambda _: torch.from_numpy(np.rint(z))
    channel = Silent(priors(), networks=networks)
    y_tilde = Sketch().code(torch.from_numpy(sent.y_hat), channel)
    (parameters,) = networks["context"].asked  # asked once, for all positions
    assert np.array_equal(y_tilde, sent.y_hat)
    assert np.array_equal(parameters.mean, sent.mean)
    assert np.array_equal(parameters.scale, sent.scale)


def test_a_mask_that_sees_too_much_is_found_out() -> None:
    """The test above can fail: one open tap at the centre is enough."""
    sent = Played(latents(8, 12))
    weight = kernel()
    weight[:, :, 2, 2] = 5
    networks = training_networks(weight)
    Sketch().code(torch.from_numpy(sent.y_hat), Silent(priors(), networks=networks))
    assert not np.array_equal(networks["context"].asked[0].mean, sent.mean)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_validation_rounds_as_coding_does(rows: int, columns: int) -> None:
    y = latents(rows, columns)
    sent = Played(y)
    channel = Rounded(priors(), networks=training_networks())
    y_hat = Sketch().code(torch.from_numpy(y), channel)
    assert np.array_equal(y_hat, sent.y_hat)
    bits = float(sum(channel.bits[1:]).sum())  # those of y, without the integer tables' rounding
    assert bits / 8 == pytest.approx(len(sent.data), rel=0.2, abs=16)


@pytest.mark.parametrize("rounded", [False, True])
def test_training_adds_noise_and_has_gradients(rounded: bool) -> None:
    y = torch.from_numpy(latents(8, 12)).requires_grad_()
    channel = Noise(priors(), torch.Generator().manual_seed(1), rounded, training_networks())
    y_tilde = Sketch().code(y, channel)
    difference = (y_tilde - y).abs()
    assert 0.4 < difference.max() <= 0.5 + 1e-5
    bits = torch.stack(channel.bits).sum()
    assert torch.isfinite(bits) and bits > 0
    (gradient,) = torch.autograd.grad(bits, y, retain_graph=True)
    assert torch.isfinite(gradient).all() and (gradient != 0).float().mean() > 0.9
    (gradient,) = torch.autograd.grad(y_tilde.sum(), y)
    assert torch.equal(gradient, torch.ones_like(y)), "what arrives has the gradient of the identity"


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 5), (7, 11)])
def test_a_later_latent_never_changes_an_earlier_prediction(row: int, column: int) -> None:
    y_hat = torch.from_numpy(np.rint(latents(8, 12)))
    psi = torch.zeros(1, 2 * M, 8, 12, dtype=torch.double)
    masked = Masked(kernel())
    before = masked(psi, y_hat, ...).mean
    changed = y_hat.clone()
    changed[0, :, row, column] += 9
    differs = (masked(psi, changed, ...).mean != before).any(1)[0].numpy()
    r, c = np.mgrid[:8, :12]
    assert not differs[(r < row) | ((r == row) & (c <= column))].any(), "in raster order"
    assert not differs[c + 3 * r <= column + 3 * row].any(), "in the wavefront's order"
    assert differs.any() or (row, column) == (7, 11)
    steps = [context(psi.numpy().astype(int), changed.numpy(), step).mean for step in wavefront(8, 12)]
    expected = [masked(psi, changed, step).mean.numpy() for step in wavefront(8, 12)]
    assert all(np.array_equal(a, b) for a, b in zip(steps, expected, strict=True))
