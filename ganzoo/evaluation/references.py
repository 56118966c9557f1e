"""What samples are compared with: real ones, and those that a model was trained on."""

from __future__ import annotations

import shlex
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from ganzoo.data.spec import parse
from ganzoo.data.store import Store
from ganzoo.errors import GanzooError, UsageError
from ganzoo.evaluation.real import count_shared, open_real
from ganzoo.evaluation.subject import Subject
from ganzoo.measures.base import Measure
from ganzoo.modalities.asking import noun_of
from ganzoo.options import as_named_now, options_of
from ganzoo.registry import Registry


@dataclass(frozen=True)
class References:
    """Real samples, and what can be said by them.

    Attributes:
        real: What samples are compared with.
        training: What the model was trained on, if that is needed and can be had.
        held_out: Whether none of the real samples was trained on; None if it is not known.
        relative: The names of those measures that refer to the training data, are asked for, and can be had.
        notes: What cannot, and why.
    """

    real: Store
    training: Store | None
    held_out: bool | None
    relative: tuple[str, ...]
    notes: tuple[str, ...]


def find_references(
    registry: Registry,
    drawn: Subject,
    *,
    data: str | None,
    train: str | None,
    measures: Sequence[Measure],
    neighbours: bool,
) -> References:
    """Open what samples are compared with.

    Args:
        registry: Where datasets are registered.
        drawn: The samples.
        data, train: As for :func:`ganzoo.evaluate`.
        measures: What is asked for.
        neighbours: Whether the training data is asked for, whatever the measures are.

    Raises:
        UsageError, DataError: As for :func:`ganzoo.evaluate`.
    """
    wanted = sorted(measure.name for measure in measures if "training" in measure.needs)
    only = bool(wanted) and len(wanted) == len(measures)
    trained_on = train or drawn.trained_on
    name = data or _default(registry, drawn, trained_on)
    real, notes = open_real(registry, name, drawn.modality), []
    training, why = None, "nothing says what this model was trained on"
    if trained_on and (wanted or neighbours or trained_on == name):
        try:
            training = real if trained_on == name else open_real(registry, trained_on, drawn.modality)
        except GanzooError as error:
            if train or neighbours or only:
                raise
            why = f"what it was trained on cannot be had: {error.message}"
        if training and not train and drawn.trained_sha256 not in ("", training.describe()["sha256"]):
            training, why = None, f"what is called {trained_on} here is not what it was trained on, or has changed since"
            notes += [why] if trained_on == name and not wanted else []
    if neighbours and training is None:
        raise UsageError(f"{why}, to find neighbours in", hint="name it: --train DATA")
    held_out, shared = _held_out(drawn, real, training)
    if 0 < shared < len(real):
        notes.append(
            f"{shared:,} of the {len(real):,} {noun_of(real.modality)} of {name} are among those that it was trained on"
        )
    # Samples that were trained on say nothing of copying, and have no distance to themselves.
    if wanted and not held_out:
        if only:
            raise UsageError(
                f"{' and '.join(wanted)} need real samples that the model was not trained on, and those that it was",
                hint="name both: --data HELD-OUT --train DATA",
            )
        if training is None:
            notes.append(left_out(wanted, f"{why}; --train DATA names it"))
        wanted = []
    return References(real, training, held_out, tuple(wanted), tuple(notes))


def left_out(names: Sequence[str], why: str) -> str:
    """A line that says that measures are left out, and why."""
    return f"{', '.join(names[:-1])}{' and ' if len(names) > 1 else ''}{names[-1]} left out: {why}"


def _default(registry: Registry, drawn: Subject, trained_on: str) -> str:
    """The name of the real samples, where nobody names them: those held out from what was trained on, or those themselves.

    Raises:
        UsageError: There are none.
    """
    if trained_on:
        return _held_out_data(registry, trained_on) or trained_on
    if drawn.named:
        raise UsageError(
            f"this model was trained on {drawn.named!r}, which is not here, or is nothing that is opened unasked",
            hint=f"say so, or name other real samples: --data {shlex.quote(drawn.named)}",
        )
    if drawn.given:
        raise UsageError(
            f"this model was trained on {drawn.given} that a program had in its memory, and no file has it",
            hint="save it, as numpy.save does, and name the file: --data FILE.npy",
        )
    raise UsageError("nothing says what the samples should be like", hint="name real ones: --data DATA")


def _held_out_data(registry: Registry, trained_on: str) -> str:
    """What ``--data`` takes for the held-out part of a registered dataset; empty if there is none.

    The options that came with the name count for the held-out part too, as far as it has them.
    """
    name, options = parse(trained_on)
    entry = registry.find("dataset", name)
    if entry is None or not entry.held_out:
        return ""
    others = registry.find("dataset", entry.held_out, within=entry.origin.distribution)
    if others is None:
        return ""
    known = options_of(others.resolve())
    mine = as_named_now(entry.resolve(), options)
    kept = urllib.parse.urlencode({key: value for key, value in mine.items() if key in known})
    held_out = registry.name_of(others)
    return f"{held_out}?{kept}" if kept else held_out


def pair_of(registry: Registry, data: str) -> tuple[str, str] | None:
    """The dataset to train on and the one to score by that belong together, if ``data`` names either; else None."""
    entry = registry.find("dataset", parse(data)[0])
    for training in registry.entries("dataset"):
        if training.held_out and entry is not None:
            others = registry.find("dataset", training.held_out, within=training.origin.distribution)
            if others is not None and entry in (training, others):
                return registry.name_of(training), registry.name_of(others)
    return None


def unseen(registry: Registry, trained_on: str) -> str:
    """What ``--data`` takes for samples that are like those of a dataset, and others; ``DATA`` where nothing is known."""
    pair = pair_of(registry, trained_on)
    if pair is None:
        return "DATA"
    mine = registry.find("dataset", parse(trained_on)[0])
    return next((name for name in pair if registry.find("dataset", name) is not mine), "DATA")


def _held_out(drawn: Subject, real: Store, training: Store | None) -> tuple[bool | None, int]:
    """Whether none of the real samples was trained on, whatever both are called, and how many were.

    None: it is not known, for hashes that differ may be of the same pictures, with labels and without.
    """
    if training is real or drawn.trained_sha256 == real.describe()["sha256"]:
        return False, len(real)
    if training is None:
        return None, 0
    shared = count_shared(real, training)
    return not shared, shared
