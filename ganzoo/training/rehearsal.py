"""What is done to a run at its end, or when it goes on, done once before its first step: what fails then is known now.

The trainer takes a step of every kind on a copy of itself, and the shapes that its networks return are looked at. Then a
checkpoint is written, read and taken up, and the model folder is written, with the names that it will have, and loaded. What
is asked of the samples' modality later is asked of it.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.errors import GanzooError, ModelError, PluginError, UsageError, describe
from ganzoo.interfaces import Discriminator, Generator, Trainer
from ganzoo.modalities.asking import asking, noun_of
from ganzoo.modalities.base import Modality
from ganzoo.pretrained import load
from ganzoo.sampling import rows_to_write
from ganzoo.training.checkpoint import Checkpoints, read_checkpoint
from ganzoo.training.loop import Outcome, blaming
from ganzoo.training.model import describe_model, write_model
from ganzoo.training.precision import take_trial
from ganzoo.training.prepare import Prepared
from ganzoo.training.state import capture, restore

ALIKE = 0.05
"""By how much a sample of a loaded network may differ from that of the saved one, as a part of the largest value."""


def try_steps(prepared: Prepared, reals: Tensor, labels: Tensor | None) -> Trainer:
    """A copy of the run's trainer after a step or a few, until each of its networks has learned.

    Args:
        prepared: The run; it stays as it is.
        reals, labels: A batch, on the training device.

    Raises:
        PluginError: A network or a loss returned what has another shape than it should: which one, what it is, what is wanted.
        TrainingError: The trainer, or a network in it, failed.
    """

    def watch(trainer: Trainer) -> None:
        for role, network in trainer.networks.items():
            part = prepared.config.networks.get(role)
            _watch(network, f"the {role} {part.name!r}" if part else f"the {role}")

    with blaming(f"a trial step of {type(prepared.trainer).__name__}"):
        return take_trial(prepared.trainer, reals, labels, torch.float32, watch)


def _watch(network: nn.Module, who: str) -> None:
    """Have a network's samples or logits looked at whenever it is called."""
    if isinstance(network, Generator):
        network.register_forward_hook(partial(_check_samples, who))
    elif isinstance(network, Discriminator):
        network.register_forward_hook(partial(_check_logits, who))


def _check_samples(who: str, network: Generator, given: tuple[Any, ...], samples: object) -> None:
    count = len(given[0]) if given and isinstance(given[0], Tensor) else None
    if (
        not isinstance(samples, Tensor)
        or tuple(samples.shape[1:]) != network.sample_shape
        or len(samples) != (count or len(samples))
    ):
        wanted = (count if count is not None else "N", *network.sample_shape)
        raise PluginError(f"{who} returned {_kind(samples)}; samples have the shape {_shape(wanted)}")


def _check_logits(who: str, network: nn.Module, given: tuple[Any, ...], logits: object) -> None:
    if not given or not isinstance(given[0], Tensor):
        return
    count = len(given[0])
    if not isinstance(logits, Tensor) or logits.ndim not in (1, 2) or len(logits) != count:
        raise PluginError(
            f"{who} returned {_kind(logits)} for {count} samples; logits have the shape ({count},), or ({count}, K) for K "
            "judgements of each sample",
            hint="for example: return logits.flatten(1).mean(1)",
        )


def _kind(found: object) -> str:
    return f"a tensor of shape {_shape(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"


def _shape(shape: Any) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def try_keeping(prepared: Prepared, trained: Trainer, draw: Callable[[], Tensor], folder: Path) -> None:
    """Write a checkpoint and the model of a run, read them again, and see that nothing is lost.

    Args:
        prepared: The run; it stays as it is.
        trained: What :func:`try_steps` returned.
        draw: Makes the samples that are shown.
        folder: The run's folder, into which a folder is put for the while.

    Raises:
        PluginError, UsageError: Something cannot be written, or not be read, or is another thing when it has been.
        OSError: There is no room, or no right, to write.
    """
    place = Path(tempfile.mkdtemp(dir=folder, prefix=".model.", suffix=".tmp"))
    try:
        with _telling("a run of this could not go on once it was stopped"):
            _try_checkpoint(prepared, trained, place / "checkpoints")
        with _telling("a model of this could not be kept", place):
            shown = draw()
            _try_model(prepared, shown, place / "model", str(folder))
        _try_modality(prepared.store.modality, shown.cpu())
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _try_checkpoint(prepared: Prepared, trained: Trainer, place: Path) -> None:
    kept = capture(trained, prepared.ema, step=0, images=0, seconds=0.0)
    found = read_checkpoint(Checkpoints(place).save(kept))
    again = copy.deepcopy(prepared.trainer)
    restore(found, again, prepared.ema)
    taken_up = capture(again, prepared.ema, step=0, images=0, seconds=0.0)
    tensors = [snapshot.tensors.get("trainer", {}) for snapshot in (kept, taken_up)]
    rest = [snapshot.rest["trainer"] for snapshot in (kept, taken_up)]
    if rest[0] != rest[1] or not _equal(*tensors):
        raise PluginError(f"{type(trained).__name__} has another state() after load_state() has taken up the first")


def _equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[name], b[name], rtol=0, atol=0, equal_nan=True) for name in a)


def _try_model(prepared: Prepared, shown: Tensor, place: Path, name: str) -> None:
    place.mkdir()
    try:
        config = describe_model(prepared, Outcome(images=0, seconds=0, interrupted=False), previewed=len(shown))
    except ModelError as error:
        raise UsageError(f"a model of this could not be saved: {error.message}") from error
    write_model(place, prepared, config, shown, name)
    for role, network in prepared.ema.networks.items():
        loaded = load(place, role=role, device=prepared.processes.device)
        if isinstance(network, Generator) and (odd := _made_differently(network, loaded)):
            part = prepared.config.parts[role]
            raise PluginError(
                f"the {role} {part.name!r} makes other samples when it has been saved and loaded, which differ by {odd:.0%}: "
                "it keeps something that is neither a parameter nor a buffer",
                hint="in its constructor: self.register_buffer(name, tensor)",
            )


def _try_modality(modality: Modality, samples: Tensor) -> None:
    """Ask for all that is asked for as a run goes on, or when samples are drawn of its model."""
    with asking(modality, "summary"):
        summary = modality.summary(samples.float())
    if summary is not None and not (isinstance(summary, Tensor) and summary.ndim == 2 and len(summary) == len(samples)):
        raise PluginError(_unfit(modality, "summary", summary, f"a tensor of shape ({len(samples)}, F), or None"))
    with asking(modality, "sheet"):
        sheet = modality.sheet(samples)
    if sheet is not None and not (isinstance(sheet, np.ndarray) and sheet.ndim == 3 and sheet.dtype == np.uint8):
        raise PluginError(_unfit(modality, "sheet", sheet, "a NumPy array (H, W, C) of uint8, or None"))
    rows_to_write(samples, modality)
    noun_of(modality)
    for what in ("form", "writers"):
        with asking(modality, what):
            getattr(modality, what)()


def _unfit(modality: Modality, what: str, found: object, wanted: str) -> str:
    kind = f"an array {found.shape} of {found.dtype}" if isinstance(found, np.ndarray) else _kind(found)
    return f"{what} of the modality {modality.name!r} returned {kind}; it is {wanted}"


def _made_differently(saved: Generator, loaded: Generator) -> float:
    """By how much their samples of the same seeds differ, as a part of the largest value; 0 if that is rounding."""
    made = []
    for network in (saved, loaded):
        torch.manual_seed(0)
        try:
            made.append(network.sample(range(2)))
        except Exception:  # noqa: BLE001 - a network that starts from samples may raise anything, if it does so both times
            return 0.0 if network is saved else 1.0
    scale = max(float(made[0].abs().max()), torch.finfo(torch.float32).tiny)
    odd = float((made[0] - made[1]).abs().max()) / scale
    return odd if odd > ALIKE else 0.0


@contextlib.contextmanager
def _telling(what: str, place: Path | None = None) -> Iterator[None]:
    """What fails in the block, much of which is a plugin's code, becomes one sentence that begins with ``what``."""
    try:
        yield
    except (OSError, MemoryError, torch.OutOfMemoryError, UsageError):
        raise
    except (PluginError, ModelError) as error:
        said = error.message.replace(f"{place}/", "") if place else error.message
        raise PluginError(f"{what}: {said}", hint=error.hint) from error
    except GanzooError:
        raise
    except Exception as error:
        raise PluginError(f"{what}: {describe(error)}", hint="GANZOO_DEBUG=1 shows the whole traceback") from error
