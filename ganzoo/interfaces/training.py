"""The algorithm of a training step, and what the loop lends to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.noise import Noise


class StepContext(ABC):
    """What the loop lends to one training step. It hides devices, precision and processes from the trainer.

    Attributes:
        step: Steps taken before this one.
        images: Real samples shown to the discriminator before this step.
        progress: How much of the budget is spent, in [0, 1].
    """

    step: int
    images: int
    progress: float

    @abstractmethod
    def noise(self, purpose: str) -> Noise:
        """Random numbers on the training device that depend on the run's seed, the step and ``purpose`` alone."""

    @abstractmethod
    def autocast(self) -> AbstractContextManager[Any]:
        """The precision in which networks run. Losses and penalties belong outside it."""

    @abstractmethod
    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients of ``loss``, a mean over this process's samples, in place of ``loss.backward()``."""

    def gather(self, values: Tensor) -> Tensor:
        """Rows ``(N, …)`` of all processes, one process's after another's; where there is one, the same rows."""
        return values

    def latents(self, generator: nn.Module, count: int, purpose: str) -> Tensor:
        """``count`` latents for ``generator``, of the stream ``purpose``."""
        return self.noise(purpose).draw(count, generator.draw_latents)  # type: ignore[arg-type]


class Trainer(ABC):
    """The algorithm of one training step; the loop owns everything else.

    A constructor takes ``networks`` (role -> network, on their device already) and, of these, what it makes use of: ``loss``,
    ``penalties`` and ``augmentations`` (name -> penalty or augmentation). It passes ``networks`` to ``super().__init__``,
    fills :attr:`optimizers`, and takes its own options as keyword arguments, as networks do. One that takes ``**options`` and
    hands them on to the class above it has the options of that class too.

    Where several processes train together, each has its share of the batch, and gradients are averaged over them
    whenever an optimizer steps: the same optimizers must step in every process, whatever samples it has.

    Attributes:
        networks: Every network by role; ``generator`` among them.
        optimizers: Every optimizer by a name of the trainer's choice. The loop scales their learning rates.
        accumulate: Into how many equal parts it cuts a batch; before a run it is seen to that this comes out even.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    accumulate: int = 1

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self.networks = dict(networks)
        self.optimizers = {}

    @abstractmethod
    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        """Train on one batch.

        Args:
            reals: ``(N, *sample_shape)`` on the training device.
            labels: int64 ``(N,)`` if the data has labels, else None.
            context: Random numbers, precision and backward for this step.

        Returns:
            Detached scalars to log, by name. They stay on the device (do not call ``item()``) and are not changed
            afterwards.
        """

    def graph_key(self, step: int) -> Hashable | None:
        """What the step of that number does, where a device can record one step and replay it for others (CUDA graphs).

        Steps with equal keys launch the same work on the device, shape by shape: their samples, random numbers and learning
        rates may differ, and nothing else. They read neither ``context.images`` nor ``context.progress``, read
        ``context.step`` for what the key says alone, and leave the options of the optimizers as they are. None, unless
        overridden: no two steps are known to be alike, and every one is run for itself.
        """
        return None

    def update(self, name: str, loss: Tensor, context: StepContext) -> None:
        """One step of the optimizer ``name`` down ``loss``."""
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        context.backward(loss)
        optimizer.step()

    def state(self) -> Mapping[str, Any]:
        """What else must be kept for a run to go on as if it had never stopped: plain data and tensors, nested as you like.

        Networks and optimizers are kept anyway, and random numbers need not be.
        """
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up again what :meth:`state` returned. A trainer that keeps something writes both."""
        if state:
            raise TypeError(f"{type(self).__name__} has kept state and does not take it up again")

    def preview(self, networks: Mapping[str, nn.Module], seeds: Sequence[int], reals: Tensor, labels: Tensor | None) -> Tensor:
        """The samples to draw as training goes, ``(N, *sample_shape)``: those of ``seeds``, unless overridden.

        Args:
            networks: The EMA networks by role, as the model folder will hold them: the generator, and what the variant
                keeps besides.
            seeds: The same at every call.
            reals: As many real samples, the same at every call, for networks that start from samples.
            labels: Their int64 labels, or None.
        """
        samples: Tensor = networks["generator"].sample(seeds)  # type: ignore[operator]
        return samples
