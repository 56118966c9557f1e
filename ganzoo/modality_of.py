"""The modality that a model's configuration names, from what is installed."""

from __future__ import annotations

import contextlib

from pydantic import ValidationError

from ganzoo import plugins
from ganzoo.errors import GanzooError, ModelError, PluginError, describe
from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality
from ganzoo.modalities.inferred import of_shape
from ganzoo.model_folder import ModelConfig, PluginConfig
from ganzoo.registry import Origin, Registry


def modality_of(config: ModelConfig) -> Modality:
    """What the samples of a model are. The name is looked up among what plugins register, and never imported.

    Raises:
        ModelError: The plugin is not there, the fields are none of this modality's, or they say another shape or range.
        PluginError: The modality cannot be imported.
    """
    told = config.modality
    if told is None:
        return of_shape(config.sample_shape, config.value_range)
    entry = plugins.load().registry.find("modality", f"{told.plugin.distribution}:{told.name}")
    if entry is None:
        raise missing(f"the modality {told.name!r}", told.plugin)
    found = entry.resolve()
    if not (isinstance(found, type) and issubclass(found, Modality)):
        raise PluginError(f"{entry.qualified!r}, registered as a modality, is none: it does not derive from ganzoo.Modality")
    try:
        modality = found.model_validate(told.fields)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, ("modality", *first["loc"])))[:200]
        raise ModelError(f"config.json: {where}: {first['msg'].lower()}") from None
    except Exception as error:
        # A plugin's own check of a stranger's fields may raise anything.
        raise ModelError(f"config.json: its modality {told.name!r} refuses the fields: {describe(error)}") from error
    with asking(modality, "value_range"):
        value_range = modality.value_range
    if modality.sample_shape != config.sample_shape or value_range != config.value_range:
        raise ModelError(
            f"config.json: its modality makes samples of shape {modality.sample_shape} with values in {value_range}, "
            f"and the model those of shape {config.sample_shape} in {config.value_range}"
        )
    return modality


def missing(needs: str, plugin: PluginConfig) -> ModelError:
    """The error for what a model needs of a plugin that is not there, with what became of it."""
    became, hint = plugins.made_with(plugin.distribution, plugin.version)
    return ModelError(f"this model needs {needs}, which is not there: {became}", hint=hint)


def origin_of(registry: Registry, modality: Modality) -> Origin:
    """The plugin that registers a modality.

    Raises:
        PluginError: None does, and so no model of such samples could be loaded again.
    """
    for entry in registry.entries("modality"):
        # Another plugin's of the same name may be one that cannot be imported.
        with contextlib.suppress(GanzooError):
            if entry.name == modality.name and entry.resolve() is type(modality):
                return entry.origin
    raise PluginError(
        f"the modality {type(modality).__name__} ({modality.name!r}) is registered by no plugin",
        hint=f"in its plugin: registry.add('modality', {modality.name!r}, 'module:{type(modality).__name__}')",
    )
