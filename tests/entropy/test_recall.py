"""The hyper-networks of an encoder are asked once for what they are asked again."""

import numpy as np
import pytest

import latens
from latens.entropy import recall
from latens.entropy.recall import Recalling
from latens.weights.package import Weights


class Asked:
    """A network that counts how often it ran."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *given: np.ndarray) -> np.ndarray:
        self.times += 1
        return given[-1] + self.times


def test_an_equal_input_is_answered_from_memory_and_another_is_not() -> None:
    network = Asked()
    h_s = Recalling({"h_s": network, "context": len})["h_s"]
    x = np.zeros((1, 2, 3, 3), np.float32)
    first = h_s(x)
    assert h_s(np.zeros_like(x)) is first and network.times == 1
    x[0, 1, 2, 2] = 1  # an array that changes after it was given is another
    assert h_s(x)[0, 1, 2, 2] == 3 and network.times == 2
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 5


def test_of_several_inputs_each_counts() -> None:
    network = Asked()
    refine0 = Recalling({"refine0": network})["refine0"]
    one, other = np.zeros(3), np.ones(3)
    first = refine0(one, other)
    assert refine0(np.zeros(3), np.ones(3)) is first
    assert refine0(other, other)[0] == 3 and refine0(other, one)[0] == 3 and network.times == 3


def test_large_answers_and_other_networks_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "MOST", 17)
    large, other = Asked(), Asked()
    networks = Recalling({"h_a": large, "context": other})
    assert networks["context"] is other and set(networks) == {"h_a", "context"} and len(networks) == 2
    for _ in range(2):
        networks["h_a"](np.zeros(9))
    assert large.times == 2


@pytest.mark.parametrize("model", ["balle2018", "minnen2018", "latens"])
def test_an_effort_asks_the_hyper_networks_once(
    model: str, monkeypatch: pytest.MonkeyPatch, photograph: np.ndarray
) -> None:
    pixels, asked = photograph[:96, :112], []
    expected = latens.encode(pixels, model=model)
    made = Weights.network

    def counted(self: Weights, name: str):
        network = made(self, name)
        return lambda *given: asked.append(name) or network(*given)

    monkeypatch.setattr(Weights, "network", counted)
    latens.weights.package._load.cache_clear()
    try:
        assert latens.encode(pixels, model=model) == expected
    finally:
        latens.weights.package._load.cache_clear()
    assert asked.count("h_a") == asked.count("h_s") == 1
