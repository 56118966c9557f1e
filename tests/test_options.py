"""Options of components: what a signature says, also that of the class above."""

from typing import Any

import pytest

import ganzoo
from ganzoo.errors import UsageError
from ganzoo.factory import Part
from ganzoo.options import options_of
from ganzoo.training.trainer import AlternatingTrainer


class Patient(AlternatingTrainer):
    """Waits.

    Args:
        patience: For how many steps.
    """

    def __init__(self, networks: Any, loss: Any, penalties: Any, *, patience: int = 3, **options: Any) -> None:
        super().__init__(networks, loss, penalties, **options)
        self.patience = patience


class MorePatient(Patient):
    """Another default for what the class above has."""

    def __init__(self, *args: Any, patience: int = 9, **options: Any) -> None:
        super().__init__(*args, patience=patience, **options)


class Stubborn(AlternatingTrainer):
    """Takes its own option alone."""

    def __init__(self, networks: Any, loss: Any, penalties: Any, *, will: float = 1.0) -> None:
        super().__init__(networks, loss, penalties)


def test_a_trainer_that_hands_options_on_has_those_of_the_class_above():
    found = options_of(Patient)
    assert found.keys() == {"patience", *options_of(AlternatingTrainer)}
    assert found["patience"].summary == "For how many steps."
    assert found["n_critic"].summary == "Discriminator updates per generator update."
    assert options_of(MorePatient)["patience"].default == 9
    assert options_of(MorePatient).keys() == found.keys()


def test_a_trainer_that_hands_nothing_on_has_its_own_options_alone():
    assert options_of(Stubborn).keys() == {"will"}


def test_its_parents_options_work_as_its_own(tmp_path):
    small = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16, "trainer": f"{__name__}:MorePatient"}
    run = ganzoo.train(
        "mlp", images=64, options={**small, "n_critic": 2, "patience": 4}, out=tmp_path / "run", threads=1, watcher=None
    )
    assert run.images == 64
    with pytest.raises(UsageError, match="n_critic=0"):
        ganzoo.train("mlp", options={**small, "n_critic": 0}, out=tmp_path / "other", watcher=None)


def test_a_part_is_handed_what_the_class_above_asks_for():
    class Above:
        def __init__(self, *, sample_shape: tuple[int, ...], width: int = 2) -> None:
            self.told = (sample_shape, width)

    class Below(Above):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)

    part = Part("network", "below", None, Below, {"width": 5})
    with pytest.raises(UsageError, match="is a Below, not a Module"):
        part.build("below", sample_shape=(1, 2), latent_shape=(3,))
    assert options_of(Below).keys() == {"width"}
