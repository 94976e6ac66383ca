"""SOAP: Adam in another basis."""

import copy

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train.soap import Soap  # noqa: E402


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3), torch.nn.ReLU(), torch.nn.Conv2d(6, 4, 1))


def stepped(module: torch.nn.Module, optimiser: torch.optim.Optimizer, steps: int, seed: int = 0) -> None:
    for step in range(steps):
        x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed + step))
        optimiser.zero_grad()
        (module(x) - 1).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize("unturned", [{"longest": 1}, {"turned": False}])
def test_without_a_turned_side_it_is_adam(unturned: dict) -> None:
    ours, adams = network(), network()
    soap = Soap([{"params": list(ours.parameters()), **unturned}], lr=1e-2, betas=(0.9, 0.999))
    stepped(ours, soap, 12)
    stepped(adams, torch.optim.Adam(adams.parameters(), lr=1e-2), 12)
    for mine, other in zip(ours.parameters(), adams.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)
    assert not torch.equal(next(ours.parameters()), next(network().parameters()))


def test_vectors_and_long_sides_keep_their_basis() -> None:
    module = network()
    soap = Soap(module.parameters(), longest=10)
    stepped(module, soap, 2)
    states = [soap.state[weight] for weight in module.parameters()]
    turned = [sorted(key for key in state if key.startswith("basis")) for state in states]
    assert turned == [["basis0"], [], ["basis0", "basis1"], []]  # 6 x 27, 6, 4 x 6, 4


def test_bases_stay_orthonormal_and_come_to_be_the_eigenvectors() -> None:
    torch.manual_seed(1)
    weight = torch.nn.Parameter(torch.zeros(4, 6))
    soap = Soap([weight], every=1)
    factor = torch.randn(4, 4) @ torch.diag(torch.tensor([8.0, 4.0, 2.0, 1.0]))
    for _ in range(200):
        weight.grad = factor @ torch.randn(4, 6)
        soap.step()
    state = soap.state[weight]
    basis = state["basis0"]
    torch.testing.assert_close(basis.T @ basis, torch.eye(4), atol=1e-5, rtol=0)
    diagonal = basis.T @ state["average0"] @ basis
    off = diagonal - torch.diag(diagonal.diagonal())
    assert off.abs().max() < 0.2 * diagonal.diagonal().max()
    assert diagonal.diagonal().tolist() == sorted(diagonal.diagonal().tolist(), reverse=True)


def steps_until_small(make, least: float) -> int:
    """Steps to a loss under ``least`` on |A (W - target) B|^2, whose valleys lie across the axes."""
    torch.manual_seed(2)
    turn = [torch.linalg.qr(torch.randn(8, 8))[0] for _ in range(2)]
    left, right = (torch.diag(torch.logspace(0, -1.5, 8)) @ one for one in turn)
    target, weight = torch.randn(8, 8), torch.nn.Parameter(torch.zeros(8, 8))
    optimiser = make([weight])
    for step in range(1500):
        optimiser.zero_grad()
        loss = (left @ (weight - target) @ right.T).square().sum()
        if loss < least:
            return step
        loss.backward()
        optimiser.step()
    return 1500


def test_a_rotated_valley_takes_fewer_steps_than_adam() -> None:
    soap = min(steps_until_small(lambda w, lr=lr: Soap(w, lr=lr), 1e-4) for lr in (0.03, 0.1))
    adam = min(steps_until_small(lambda w, lr=lr: torch.optim.Adam(w, lr=lr), 1e-4) for lr in (0.03, 0.1, 0.3))
    assert soap < 0.7 * adam and soap < 1500, (soap, adam)


def test_a_saved_state_goes_on_to_the_bit() -> None:
    whole, cut = network(), network()
    stepped(whole, Soap(whole.parameters()), 25)
    first = Soap(cut.parameters())
    stepped(cut, first, 12)
    second = Soap(cut.parameters(), lr=7.0)  # the saved rate replaces it
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    stepped(cut, second, 13, seed=12)
    for mine, other in zip(cut.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, other)
