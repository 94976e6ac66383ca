"""Every parameter has one optimiser group, with the rate of its kind."""

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train.noise import Trainable  # noqa: E402
from latens.train.optimisers import optimiser  # noqa: E402
from latens.train.options import Options  # noqa: E402
from latens.train.soap import Soap  # noqa: E402

RATES = {"lr": 1.0, "norm_lr": 2.0, "density_lr": 3.0, "hyper_lr": 4.0, "gain_lr": 5.0}
OPTIONS = Options(
    model="balle2018", sizes={"N1": 4, "N2": 4, "N3": 4, "M": 8, "Nh": 4, "levels": 3}, data=("photos",), **RATES
)


def rates(options: Options) -> dict[str, float]:
    """The rate of every parameter, by name; one that no group has is absent, one of two groups is an error."""
    module = Trainable(options.build(), 8)
    names = {id(weight): name for name, weight in module.named_parameters()}
    found = [(names[id(w)], g["base"]) for g in optimiser(module, options).param_groups for w in g["params"]]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_every_parameter_has_the_rate_of_its_kind() -> None:
    found = rates(OPTIONS)
    assert found.keys() == dict(Trainable(OPTIONS.build(), 8).named_parameters()).keys()
    for name, rate in found.items():
        kind = (
            "density_lr" if name.startswith("priors.") else "gain_lr" if name.startswith("gains.")
            else "hyper_lr" if "networks.h_" in name else "norm_lr" if "_root" in name else "lr"
        )  # fmt: skip
        assert rate == RATES[kind], name


def test_priors_alone_leave_transforms_and_gains_out() -> None:
    assert set(rates(dataclasses.replace(OPTIONS, only="priors")).values()) == {3.0, 4.0}


@pytest.mark.parametrize("name", ["adam", "adamw", "soap"])
def test_the_optimiser_is_the_one_named(name: str) -> None:
    chosen = optimiser(Trainable(OPTIONS.build(), 8), dataclasses.replace(OPTIONS, optimiser=name, hyper_lr=1.0))
    assert type(chosen) is {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "soap": Soap}[name]
    if name == "soap":
        assert [group["turned"] for group in chosen.param_groups] == [True, False, False, False, False]
        assert [group["betas"] for group in chosen.param_groups] == [(0.95, 0.95), *[(0.9, 0.999)] * 4]
    else:
        decays = [group["weight_decay"] for group in chosen.param_groups]
        assert decays == ([0.01, 0, 0, 0, 0] if name == "adamw" else [0] * 5)
