"""What a training run is: every choice that decides its result, kept beside its checkpoint."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from latens.errors import OptionsError, TrainingError
from latens.systems import MODELS, Model
from latens.transforms.gains import lambda_of
from latens.whole import replacing

Precision = Literal["float32", "bfloat16"]  # of the networks' products: the sums of either are float32
Storage = Literal["float32", "float16", "fitted"]  # of exported weights; the last: `latens.train.precision`


def as_of_mse(lmbda: float, metric: str) -> float:
    """The lambda of about the same rate with the MSE: the field pairs 8.73 (MS-SSIM) with 0.0067."""
    return lmbda if metric == "mse" else lmbda * 0.0067 / 8.73


@dataclass(frozen=True)
class Options:
    """Options of a run; they are fixed when it starts, except ``steps``, by which it may be extended."""

    model: str = "balle2017"
    sizes: dict[str, Any] = field(default_factory=dict)  # fields of the model's dataclass
    data: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    lmbda: float = 0.0067  # of the highest level, where a model has several
    lowest_lmbda: float = 0.0015  # of the lowest
    metric: Literal["mse", "ms-ssim"] = "mse"
    steps: int = 10_000
    batch: int = 8
    crop: int = 256  # z is at 1/64: in crops of 128 all of it lies at the border
    plain: float = 0.05  # of the crops: painted over in one colour (`latens.train.plain`)
    lr: float = 4e-4
    hyper_lr: float = 1e-3  # of the networks that predict probabilities
    norm_lr: float = 2e-3  # of GDN, which starts as the identity and has most to learn
    gain_lr: float = 1e-3  # of the gains, which are logarithms
    density_lr: float = 1e-2  # the priors' histograms follow faster than the networks move
    warmup: int = 100
    decay: float = 0.5  # of the steps, at the end
    clip: float = 1.0
    ema: float = 0.999
    radius: int = 128
    seed: int = 0
    optimiser: Literal["adam", "adamw", "soap"] = "adam"
    weight_decay: float = 0.01  # of the transforms' convolutions, with adamw
    precision: Precision = "float32"
    start: Literal["closed-form", "random"] = "closed-form"
    quantiser: Literal["noise", "mixed"] = "mixed"  # mixed: noisy bits, rounded reconstruction
    stream: bool = False  # pictures are read while training goes on, and not held in memory
    workers: int = 2  # processes that read, of each that trains
    only: Literal["", "priors"] = ""  # priors: the probability model alone, the transforms stay

    @property
    def mse_lambda(self) -> float:
        """`as_of_mse` of lmbda."""
        return self._mse(self.lmbda)

    def mse_lambdas(self) -> tuple[float, ...]:
        """`mse_lambda` of every level, the lowest first."""
        levels = self.build().levels
        if levels == 1:
            return (self.mse_lambda,)
        return tuple(self._mse(lambda_of(k, levels, self.lowest_lmbda, self.lmbda)) for k in range(levels))

    def _mse(self, lmbda: float) -> float:
        return as_of_mse(lmbda, self.metric)

    def build(self) -> Model:
        """The model these options name."""
        return MODELS[self.model](**self.sizes)

    def check(self) -> Options:
        """Itself, or an OptionsError that names the value and the rule."""
        if self.model not in MODELS:
            raise OptionsError(f"model is {self.model!r}, and must be one of {', '.join(MODELS)}")
        for name, kind in get_type_hints(Options).items():
            _check_word(name, getattr(self, name), kind)
        self._check_sizes()
        stride = MODELS[self.model].stride
        rules = {
            "crop": (self.crop % stride == 0 and self.crop > 0, f"a positive multiple of {stride}"),
            "lmbda": (self.lmbda > 0, "above 0"),
            "lowest_lmbda": (
                self.lowest_lmbda > 0 and (self.build().levels == 1 or self.lowest_lmbda < self.lmbda),
                f"above 0 and below lmbda, {self.lmbda}",
            ),
            "only": (not self.only or bool(self.build().conditional()), "empty for a model without a hyperprior"),
            "steps": (self.steps >= 0, "at least 0"),
            "batch": (self.batch >= 1, "at least 1"),
            "lr": (self.lr > 0, "above 0"),
            "hyper_lr": (self.hyper_lr >= 0, "at least 0"),
            "norm_lr": (self.norm_lr >= 0, "at least 0"),
            "gain_lr": (self.gain_lr >= 0, "at least 0"),
            "density_lr": (self.density_lr >= 0, "at least 0"),
            "plain": (0 <= self.plain <= 1, "from 0 to 1"),
            "workers": (self.workers >= 0, "at least 0"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "seed": (0 <= self.seed < 2**32, "from 0 to 2^32 - 1"),
            "decay": (0 <= self.decay <= 1, "from 0 to 1"),
            "ema": (0 <= self.ema < 1, "at least 0 and below 1"),
            "data": (bool(self.data), "at least one folder, tar shard or URL"),
        }
        for name, (holds, rule) in rules.items():
            if not holds:
                raise OptionsError(f"{name} is {getattr(self, name)!r}, and must be {rule}")
        if self.metric == "ms-ssim" and self.crop < 176:
            raise OptionsError(f"crop is {self.crop}, and MS-SSIM's five scales need 176 or more")
        return self

    def _check_sizes(self) -> None:
        fields = {entry.name: entry.default for entry in dataclasses.fields(MODELS[self.model])}
        kinds = get_type_hints(MODELS[self.model])
        for name, value in self.sizes.items():
            if name not in fields:
                raise OptionsError(f"size {name!r} is not one of {self.model}: {', '.join(sorted(fields))}")
            if _check_word(f"size {name}", value, kinds[name]):
                continue
            if kinds[name] is bool:
                if value not in (0, 1):
                    raise OptionsError(f"size {name} is {value!r}, and must be 0 or 1")
                continue
            least = 0 if fields[name] == 0 else 1  # the other sizes are counts
            if not isinstance(value, int) or value < least:
                raise OptionsError(f"size {name} is {value!r}, and must be a whole number from {least}")

    def save(self, path: Path) -> None:
        """Write all, in one step: a full disk leaves what was there."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Options:
        """Read what `save` wrote.

        Raises:
            TrainingError: no such run, or options of another version
        """
        try:
            values: dict[str, Any] = json.loads(path.read_text())
            tuples: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            return cls(**tuples)
        except FileNotFoundError:
            raise TrainingError(f"{path.parent} is not a training run: it has no {path.name}") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise TrainingError(f"{path} cannot be read: {error}") from error


def _check_word(name: str, value: object, kind: Any) -> bool:
    """Whether ``kind`` is a Literal; an OptionsError if it is, and the value none of its words."""
    if get_origin(kind) is not Literal:
        return False
    words = get_args(kind)
    if value not in words:
        raise OptionsError(f"{name} is {value!r}, and must be one of {', '.join(w or 'empty' for w in words)}")
    return True


def learning_rate(options: Options, step: int) -> float:
    """Warm-up, then constant, then linear to a thousandth: the factor on the learning rates at ``step``.

    Warmup-stable-decay: a run whose decay has not begun can be extended without having lost anything.
    """
    warm = min(1.0, (step + 1) / max(1, options.warmup))
    decaying = options.steps * options.decay
    left = (options.steps - step) / decaying if decaying else 1.0
    return warm * min(1.0, max(1e-3, left))
