"""The hooks a plugin may implement: all of ganzoo's plugin API on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from ganzoo.packages import PROJECT

if TYPE_CHECKING:
    import click

    from ganzoo.registry import Registrar

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register(registry: Registrar) -> None:
    """Offer variants and what they are made of: networks, losses, penalties, augmentations, trainers; and modalities,
    datasets, extractors, measures, protocols, trackers.

    Called once, when ganzoo first looks for names. Name components by ``"module:attr"`` and do not import torch here::

        @ganzoo.hookimpl
        def register(registry):
            registry.add("generator", "my-gan", "my_gan.networks:Generator")
            registry.add_variant(MY_GAN)
    """


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands of your own to ``ganzoo``; its built-in commands cannot be replaced::

    @ganzoo.hookimpl
    def register_commands(cli):
        @cli.command()
        def hello():
            click.echo("hello")
    """
