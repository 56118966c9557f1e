"""What a run's folder or a model's says of itself, as plain data: read from small files, without weights and without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganzoo import model_folder
from ganzoo.errors import ModelError
from ganzoo.modalities.inferred import of_shape
from ganzoo.model_folder import ModelConfig, read_config
from ganzoo.training.folder import SCORES, is_in_use, read_run
from ganzoo.training.records import checkpoints_in, read_divergence, read_progress, read_scores, read_verdict
from ganzoo.variant import Json

GOING_ON, DONE, INTERRUPTED, STOPPED = "going on", "done", "interrupted", "stopped"
"""What a run can be: a process trains it now; its budget is spent, or its score is reached; it was asked to end before that,
and has a model; or it ended in some other way, and is to be gone on with."""


def report(folder: Path) -> dict[str, Json]:
    """What is known of the run, or of the model, in a folder.

    Args:
        folder: That of a run, whether it has a model yet or not; or a model folder.

    Returns:
        By name: ``kind`` (``run`` or ``model``), ``folder``, ``run`` and ``model`` (their folders, None where there is none),
        ``state`` (of a run), ``variant``, ``preset``, ``plugin``, ``data`` (as it was typed), ``dataset``, ``sample_shape``,
        ``output`` (the file that ``ganzoo sample`` writes unless told otherwise), ``judged_by`` (the protocol by which samples
        are scored), ``num_classes``, ``class_names``, ``images`` and ``seconds`` trained, ``budget``, ``command``,
        ``hardware``, ``start``, ``alarm`` and ``recovered`` (in words), ``license``, ``scored`` (the
        best score while it trained, or the last one), ``scores`` (with their protocols), ``samples``, ``checkpoints`` (the
        oldest first). What nobody has said is None, or empty.

    Raises:
        ModelError: It holds neither, or the model's configuration is damaged.
    """
    run = read_run(folder)
    if run is not None:
        try:
            model = model_folder.find_folder(folder / "model")
        except ModelError:
            return _of_run(folder, run, None)
        return _of_run(folder, run, model)
    model = model_folder.find_folder(folder)
    config = read_config(model)
    told = _of_model(model, config) | {"kind": "model", "folder": str(folder)}
    beside = read_run(model.parent) if model.name == "model" else None
    if beside:
        whole = _of_run(model.parent, beside, model)
        told |= {key: whole[key] for key in ("run", "state", "data", "budget", "command", "checkpoints")}
    return told


def _of_run(folder: Path, run: Mapping[str, Json], model: Path | None) -> dict[str, Json]:
    config = read_config(model) if model else None
    images, seconds = read_progress(folder)
    checkpoints = checkpoints_in(folder)
    dataset = _mapping(run.get("dataset"))
    shape, names = _list(dataset.get("sample_shape")), _list(dataset.get("class_names"))
    told = _of_model(model, config) if model and config else NOTHING
    scores = read_scores(folder)
    trained = max([images, *(int(path.name) for path in checkpoints[-1:])])
    if not config or trained > _whole(told["images"]):
        # The model, if there is one, is of a time before that.
        found = read_verdict(folder, run).describe()
        told |= {"images": trained, "seconds": seconds or None}
        told |= {name: _mapping(found.get(name)).get("says") for name in ("alarm", "recovered")}
        told["alarm"] = read_divergence(folder) or told["alarm"]
    return told | {
        "kind": "run",
        "folder": str(folder),
        "run": str(folder),
        "state": _state(folder, run, config),
        "variant": run.get("variant"),
        "preset": run.get("preset"),
        "plugin": _mapping(run.get("plugin")),
        "data": run.get("data"),
        "dataset": {key: value for key, value in dataset.items() if key != "class_names"},
        "sample_shape": shape,
        "num_classes": dataset.get("num_classes"),
        "start": _mapping(run.get("start")) or told["start"],
        "class_names": names or told["class_names"],
        "budget": _mapping(run["budget"]),
        # Older runs have it in their model alone, without the folders that lead to the data.
        "command": run.get("command") or (told["command"] if run.get("data") == told["data"] else None),
        "scored": told["scored"] or ({"file": str(folder / SCORES), **scores[-1]} if scores else None),
        "checkpoints": [str(path) for path in checkpoints],
    }


NOTHING: dict[str, Json] = {
    **dict.fromkeys(("kind", "folder", "run", "model", "state", "variant", "preset", "plugin", "data", "dataset")),
    **dict.fromkeys(
        ("sample_shape", "output", "judged_by", "num_classes", "class_names", "images", "seconds", "budget", "command")
    ),
    **dict.fromkeys(("hardware", "start", "alarm", "recovered", "license", "scored", "samples")),
    "class_names": [],
    "scores": [],
    "checkpoints": [],
}


def _of_model(folder: Path, config: ModelConfig) -> dict[str, Json]:
    training = config.training
    return {
        **NOTHING,
        "model": str(folder),
        "variant": config.variant,
        "preset": training.get("preset"),
        "plugin": config.plugin.model_dump(),
        "data": training.get("data"),
        "dataset": {k: v for k, v in _mapping(training.get("dataset")).items() if k != "class_names"},
        "sample_shape": list(config.sample_shape),
        **_of_modality(config),
        "num_classes": config.num_classes,
        "class_names": list(config.class_names),
        "images": training.get("images"),
        "seconds": training.get("seconds"),
        "budget": _mapping(training.get("budget")),
        "command": training.get("command"),
        "hardware": training.get("hardware") or training.get("device"),
        "start": _mapping(training.get("start")) or None,
        "alarm": _mapping(training.get("alarm")).get("says"),
        "recovered": _mapping(training.get("recovered")).get("says"),
        "license": config.license,
        "scored": _mapping(training.get("scored")) or None,
        "scores": model_folder.read_scores(folder),
        "samples": next((str(folder / name) for name in model_folder.PREVIEWS if (folder / name).is_file()), None),
        "checkpoints": [],
    }


def _of_modality(config: ModelConfig) -> dict[str, Json]:
    """As the folder has it: a plugin's modality is not imported for this."""
    if config.modality is not None:
        return {"output": config.modality.output, "judged_by": config.modality.judged_by or None}
    modality = of_shape(config.sample_shape, config.value_range)
    return {"output": modality.output, "judged_by": modality.judged_by or None}


def _state(folder: Path, run: Mapping[str, Json], config: ModelConfig | None) -> str:
    if is_in_use(folder):
        return GOING_ON
    if config is None:
        return STOPPED
    trained = max([read_progress(folder)[0], *(int(path.name) for path in checkpoints_in(folder)[-1:])])
    if trained > _whole(config.training.get("images")):
        return STOPPED
    return INTERRUPTED if config.training.get("interrupted") is True else DONE


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _mapping(value: Any) -> dict[str, Json]:
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Json]:
    return list(value) if isinstance(value, (list, tuple)) else []
