"""Where the bits went: the map adds up to the file."""

import numpy as np
import pytest

import latens
from latens.entropy.account import Account


@pytest.mark.parametrize("size", [(160, 208), (37, 201), (1, 1)])
@pytest.mark.parametrize(("model", "side"), [("balle2017", 16), ("minnen2018", 16), ("latens", 32)])
def test_the_map_of_a_file_adds_up_to_its_payload(
    photograph: np.ndarray, size: tuple[int, int], model: str, side: int
) -> None:
    picture = np.ascontiguousarray(photograph[: size[0], : size[1]])
    data = latens.encode(picture, quality=70, model=model)
    spent = latens.bit_map(data)
    assert spent.shape == (-(-size[0] // side), -(-size[1] // side))
    assert (spent >= 0).all()
    overhead = len(data) - spent.sum() / 8
    assert 28 <= overhead <= 42  # header, checksum, and the coder's last word


def test_bits_go_where_the_picture_is_busy(photograph: np.ndarray) -> None:
    picture = np.full((128, 256, 3), 128, np.uint8)
    picture[:, 160:] = photograph[:128, :96]
    spent = latens.bit_map(latens.encode(picture, quality=50, model="balle2017"))
    assert spent[:, 11:].mean() > 4 * spent[:, :8].mean()


def test_coarser_grids_are_spread_over_the_finest() -> None:
    channel = Account(None, {}, 1, 1)
    channel._maps = [np.array([[8.0, 0.0]]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])]
    total = channel.spent()
    assert total.tolist() == [[3.0, 4.0, 3.0], [6.0, 7.0, 6.0]]  # 8 bits over the four positions on the left


@pytest.mark.parametrize(("rows", "columns"), [(9, 5), (1, 1), (8, 13), (3, 6)])
def test_a_position_of_z_is_shared_out_among_the_latents_above_it(rows: int, columns: int) -> None:
    down, across = -(-rows // 4), -(-columns // 4)
    coarse = np.random.default_rng(0).random((down, across)) + 0.5
    channel = Account(None, {}, 1, 1)
    channel._maps = [coarse, np.zeros((rows, columns))]
    total = channel.spent()
    for row, column in np.ndindex(down, across):
        block = total[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert block.sum() == pytest.approx(coarse[row, column]) and np.ptp(block) < 1e-12
