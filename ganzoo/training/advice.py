"""What somebody might try next whose run is going wrong."""

from __future__ import annotations

from ganzoo.interfaces import Trainer
from ganzoo.training.config import RunConfig
from ganzoo.training.trainer import AlternatingTrainer, mixes_batch
from ganzoo.training.verdict import FEW, WON

STEADY = ("relativistic", {"slope"})
"""The loss and the penalties that held on all data that was tried: see benchmarks/recipes.md."""

SLOWER = 3
"""A learning rate that was too high is best lowered by so much at once."""


def advise(fault: str, config: RunConfig, trainer: Trainer) -> str:
    """Words for the same command that it takes, and that say something new; empty if none are known."""
    see = "see reals.png for what it was shown; " if fault == FEW else ""
    # A trainer of another kind may have its own idea of a penalty.
    plain = isinstance(trainer, AlternatingTrainer) and not mixes_batch(trainer.networks["discriminator"])
    options = config.parts["trainer"].arguments
    rate, own = options.get("lr"), config.variant.presets[config.preset].options.get("lr")
    slower = ""
    if isinstance(rate, float) and isinstance(own, float) and rate > SLOWER * own:
        slower = f"-o lr={own:g}"
    if plain and (config.parts["loss"].name, set(config.penalties)) != STEADY:
        return f"{see}try --loss relativistic --penalty slope {slower}".rstrip()
    if slower:
        return f"{see}try the preset's rate: {slower}"
    names = ["discriminator_lr"] if fault == WON and "discriminator_lr" in options else ["lr", "discriminator_lr"]
    rates = {name: options.get(name) or (options.get("lr") if names == [name] else None) for name in names}
    lower = " ".join(f"-o {name}={rate / SLOWER:.1g}" for name, rate in rates.items() if isinstance(rate, float))
    return f"{see}try a lower learning rate: {lower}" if lower else ""
