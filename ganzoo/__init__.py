"""ganzoo: a model zoo for generative adversarial networks, where every model is a plugin.

Everything public is listed in ``_PUBLIC`` below and imported when it is first used, so ``import ganzoo`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "hookimpl": "ganzoo.hookspecs",
    "Preset": "ganzoo.variant",
    "Variant": "ganzoo.variant",
    "GanzooError": "ganzoo.errors",
    "HubError": "ganzoo.errors",
    "ModelError": "ganzoo.errors",
    "UsageError": "ganzoo.errors",
    "Generator": "ganzoo.interfaces",
    "Discriminator": "ganzoo.interfaces",
    "Loss": "ganzoo.interfaces",
    "Penalty": "ganzoo.interfaces",
    "Critique": "ganzoo.interfaces",
    "Augmentation": "ganzoo.interfaces",
    "Trainer": "ganzoo.interfaces",
    "StepContext": "ganzoo.interfaces",
    "AlternatingTrainer": "ganzoo.training.trainer",
    "create_optimizer": "ganzoo.training.optimizers",
    "frozen": "ganzoo.training.trainer",
    "LogitHead": "ganzoo.layers",
    "Registrar": "ganzoo.registry",
    "Noise": "ganzoo.noise",
    "Latent": "ganzoo.latents",
    "Modality": "ganzoo.modalities.base",
    "Pictures": "ganzoo.modalities.pictures",
    "Array": "ganzoo.modalities.array",
    "Samples": "ganzoo.modalities.base",
    "Dataset": "ganzoo.data.dataset",
    "Store": "ganzoo.data.store",
    "load": "ganzoo.hub.load",
    "load_discriminator": "ganzoo.hub.load",
    "decode": "ganzoo.pretrained",
    "list_variants": "ganzoo.plugins",
    "train": "ganzoo.request",
    "Run": "ganzoo.training.result",
    "Watcher": "ganzoo.training.watcher",
    "Status": "ganzoo.training.watcher",
    "ProgressBar": "ganzoo.training.progress",
    "evaluate": "ganzoo.evaluation.evaluate",
    "Measure": "ganzoo.measures.base",
    "Evidence": "ganzoo.measures.base",
    "SampleSet": "ganzoo.measures.base",
    "Protocol": "ganzoo.evaluation.protocol",
    "Extractor": "ganzoo.evaluation.extractors",
    "Judge": "ganzoo.evaluation.judge",
    "Scoring": "ganzoo.training.scoring",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from ganzoo.data.dataset import Dataset as Dataset
    from ganzoo.data.store import Store as Store
    from ganzoo.errors import GanzooError as GanzooError
    from ganzoo.errors import HubError as HubError
    from ganzoo.errors import ModelError as ModelError
    from ganzoo.errors import UsageError as UsageError
    from ganzoo.evaluation.evaluate import evaluate as evaluate
    from ganzoo.evaluation.extractors import Extractor as Extractor
    from ganzoo.evaluation.judge import Judge as Judge
    from ganzoo.evaluation.protocol import Protocol as Protocol
    from ganzoo.hookspecs import hookimpl as hookimpl
    from ganzoo.hub.load import load as load
    from ganzoo.hub.load import load_discriminator as load_discriminator
    from ganzoo.interfaces import Augmentation as Augmentation
    from ganzoo.interfaces import Critique as Critique
    from ganzoo.interfaces import Discriminator as Discriminator
    from ganzoo.interfaces import Generator as Generator
    from ganzoo.interfaces import Loss as Loss
    from ganzoo.interfaces import Penalty as Penalty
    from ganzoo.interfaces import StepContext as StepContext
    from ganzoo.interfaces import Trainer as Trainer
    from ganzoo.latents import Latent as Latent
    from ganzoo.layers import LogitHead as LogitHead
    from ganzoo.measures.base import Evidence as Evidence
    from ganzoo.measures.base import Measure as Measure
    from ganzoo.measures.base import SampleSet as SampleSet
    from ganzoo.modalities.array import Array as Array
    from ganzoo.modalities.base import Modality as Modality
    from ganzoo.modalities.base import Samples as Samples
    from ganzoo.modalities.pictures import Pictures as Pictures
    from ganzoo.noise import Noise as Noise
    from ganzoo.plugins import list_variants as list_variants
    from ganzoo.pretrained import decode as decode
    from ganzoo.registry import Registrar as Registrar
    from ganzoo.request import train as train
    from ganzoo.training.optimizers import create_optimizer as create_optimizer
    from ganzoo.training.progress import ProgressBar as ProgressBar
    from ganzoo.training.result import Run as Run
    from ganzoo.training.scoring import Scoring as Scoring
    from ganzoo.training.trainer import AlternatingTrainer as AlternatingTrainer
    from ganzoo.training.trainer import frozen as frozen
    from ganzoo.training.watcher import Status as Status
    from ganzoo.training.watcher import Watcher as Watcher
    from ganzoo.variant import Preset as Preset
    from ganzoo.variant import Variant as Variant


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
