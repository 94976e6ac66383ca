"""The processes that train one model together, over Lightning Fabric; one alone is the usual case.

``torchrun`` starts them, on one machine or several, and tells each its place by environment variables. Every
process holds the whole model and draws the same batch, of which it plays its own `Share`; gradients are averaged.
So what is computed does not depend on how many there are, but for the order of floating-point sums.
"""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from latens.errors import LatensError, MissingExtraError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


class Share(NamedTuple):
    """The part of a batch that one process plays: the ``rank``-th of ``parts`` equal ones."""

    rank: int = 0
    parts: int = 1

    def indices(self, whole: int) -> range:
        """Of its pictures among ``whole``, a multiple of ``parts``."""
        size = whole // self.parts
        return range(self.rank * size, (self.rank + 1) * size)

    def uniform(self, shape: tuple[int, ...], generator: torch.Generator | None, device: torch.device) -> Tensor:
        """U(0, 1) of ``shape``, (B, ...): the rows of this share in what is drawn for all."""
        whole = (shape[0] * self.parts, *shape[1:])
        drawn = torch.rand(whole, generator=generator, device=device, dtype=torch.float32)
        return drawn[self.rank * shape[0] : (self.rank + 1) * shape[0]]


ALONE = Share()


def _fabric(device: torch.device) -> Fabric:
    try:
        try:
            from lightning_fabric import Fabric
        except ImportError:  # the larger package has it under another name
            from lightning.fabric import Fabric  # type: ignore[no-redef]
    except ImportError as error:
        raise MissingExtraError("training needs lightning-fabric: pip install 'latens[train]'") from error
    count, here = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if count > 1:
        return Fabric(accelerator=device.type, strategy="ddp", devices=here, num_nodes=count // here)
    chosen: Any = [device.index] if device.index is not None and device.type != "cpu" else 1
    return Fabric(accelerator=device.type, devices=chosen)


class Processes:
    """This process among its like.

    Args:
        device: its type is that of all; where there are several processes, each gets a device of its own

    Raises:
        MissingExtraError: Lightning Fabric is not installed
    """

    def __init__(self, device: torch.device) -> None:
        self.fabric = _fabric(device)
        self.fabric.launch()
        self.device: torch.device = self.fabric.device
        self.share = Share(self.fabric.global_rank, self.fabric.world_size)

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and speaks."""
        return self.share.rank == 0

    def joined(self, module: nn.Module) -> Callable[..., Any]:
        """The module's forward, such that `backward` averages gradients over all processes."""
        forward: Callable[..., Any] = self.fabric.setup_module(module)
        return forward

    def backward(self, loss: Tensor) -> None:
        """Gradients of the mean of all processes' losses."""
        self.fabric.backward(loss)

    def mean(self, values: Tensor) -> Tensor:
        """Of all processes' values; every process must ask."""
        mean: Tensor = self.fabric.all_reduce(values.clone(), reduce_op="mean")  # type: ignore[assignment]
        return mean

    def highest(self, value: int) -> int:
        """Of all processes' values; every process must ask."""
        if self.share.parts == 1:
            return value
        everyones = torch.tensor(value, device=self.device)
        return int(self.fabric.all_reduce(everyones, reduce_op="max"))  # type: ignore[arg-type]

    def from_first(self, read: Callable[[], T]) -> T:
        """What ``read()`` gives in the first process, in all of them; its errors are raised in all of them."""
        if self.share.parts == 1:
            return read()
        found: tuple[T | None, LatensError | None] = None, None
        if self.first:
            try:
                found = read(), None
            except LatensError as error:
                found = None, error
        value, failed = self.fabric.broadcast(found)
        if failed is not None:
            raise failed
        return value  # type: ignore[return-value]

    def leave(self) -> None:
        """End the company; nothing may be asked of it afterwards.

        The networks hold on to the group, and its threads must have ended before the process does, or it aborts.
        """
        if self.share.parts > 1:
            self.fabric.barrier()  # none goes while another may still be sending
            torch.distributed.destroy_process_group()
            atexit.register(gc.collect)
