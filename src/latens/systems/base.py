"""What every model states about itself: its networks, its priors, and how its latents are coded.

A model is stated without any framework. Training plays it over PyTorch modules, coding over exported
networks and integer tables; `Model.code` is the only statement of its probability model, and a *channel*
(`latens.entropy.channels.Channel`) decides whether it adds noise and counts bits, pushes or pops symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from latens.entropy.channels import Channel
from latens.transforms import Network


@dataclass(frozen=True)
class Model(ABC):
    """A codec of one paper at one size. Subclasses are frozen dataclasses whose fields are the sizes.

    Sizes of every model: ``M``, the number of latent channels; and ``levels``. With more than one of them, gain
    vectors make one set of weights a codec of every rate (`latens.transforms.gains`); papers have a model a rate.
    """

    M: int = 192
    levels: int = 1

    id: ClassVar[str]  # on the command line
    fourcc: ClassVar[str]  # in files
    title: ClassVar[str]
    paper: ClassVar[str]
    stride: ClassVar[int]  # pixels per latent and side; pictures are padded to its multiples
    effort: ClassVar[int] = 1  # of encoders that are told none (`latens.search`)
    filtered: ClassVar[int] = 0  # numbers that filters of pictures' own see of a pixel (`latens.wiener`); 0: none
    alone: ClassVar[int] = 0  # efforts, from 1 on, that fit such a filter and search no further
    adaptive: ClassVar[bool] = False  # whether `code` asks for scales that adapt (`latens.entropy.adaptive`)

    @abstractmethod
    def networks(self) -> Mapping[str, Network]:
        """The networks by name; ``g_a`` and ``g_s`` are always there."""

    @abstractmethod
    def priors(self) -> Mapping[str, int]:
        """Channels of each factorised prior, by the name `code` uses."""

    def conditional(self) -> tuple[str, ...]:
        """The names of the Gaussian conditional priors that `code` uses."""
        return ()

    def exact(self) -> tuple[str, ...]:
        """The networks that decoders predict probabilities with: in files, integers (`latens.entropy.integer`)."""
        return ()

    @abstractmethod
    def code(self, y: Any, channel: Channel) -> Any:
        """Send the latents y, (B, M, H/stride, W/stride), through ``channel``; what arrives is returned.

        When decoding, y is None and the latents come out of the channel.
        """
