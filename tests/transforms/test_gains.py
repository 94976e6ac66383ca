"""Gain vectors in NumPy: rows at the levels, geometric between them, the same as in training."""

import numpy as np
import pytest

from latens.transforms.gains import Gains, lambda_of, level_of

RNG = np.random.default_rng(3)
GAINS = Gains(*(RNG.normal(0, 1, (4, 5)).astype(np.float32) for _ in range(2)))
Y = RNG.normal(0, 9, (1, 5, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("level", range(4))
def test_a_level_has_its_row(level: int) -> None:
    quality = 100 * level / 3
    expected = Y * np.exp2(GAINS.gain[level])[:, None, None]
    assert np.allclose(GAINS.scaled(Y, quality), expected, rtol=1e-5)
    assert np.allclose(GAINS.restored(Y, quality), Y * np.exp2(GAINS.inverse[level])[:, None, None], rtol=1e-5)


def test_between_two_levels_the_gain_is_the_geometric_mean() -> None:
    middle = GAINS.scaled(Y, 50)
    assert np.allclose(middle**2, GAINS.scaled(Y, 100 / 3) * GAINS.scaled(Y, 200 / 3), rtol=1e-4)


def test_qualities_and_lambdas_run_from_end_to_end() -> None:
    assert [level_of(q, 8) for q in (0, 50, 100)] == [0, 3.5, 7]
    lambdas = [lambda_of(level, 8, 0.001, 0.1) for level in (0, 3.5, 7)]
    assert lambdas == pytest.approx([0.001, 0.01, 0.1]), "evenly in the logarithm"


def test_training_scales_as_coding_does() -> None:
    torch = pytest.importorskip("torch", reason="training needs PyTorch")
    from latens.train.variable_rate import VariableRate

    module = VariableRate(4, 5)
    with torch.no_grad():
        module.gain.copy_(torch.from_numpy(GAINS.gain))
        module.inverse.copy_(torch.from_numpy(GAINS.inverse))
        qualities = [0, 12.5, 50, 66, 100]
        gain, inverse = module(torch.tensor([level_of(q, 4) for q in qualities]))
    for q, up, down in zip(qualities, gain.numpy(), inverse.numpy(), strict=True):
        assert np.allclose(Y * up, GAINS.scaled(Y, q), rtol=1e-4)
        assert np.allclose(Y * down, GAINS.restored(Y, q), rtol=1e-4)
