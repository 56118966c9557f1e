"""Options of components: what a signature says, also that of the class above."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

import ganzoo
from ganzoo.errors import UsageError
from ganzoo.factory import Part
from ganzoo.options import Option, options_of
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


@pytest.mark.parametrize(
    ("annotation", "default", "value", "says"),
    [
        (Annotated[float, Field(gt=0)], 2e-4, -1, "lr=-1: it must be greater than 0 (for example: -o lr=0.0002)"),
        (float, 2e-4, "fast", "lr='fast': it must be a number (for example: -o lr=0.0002)"),
        (int, 64, 1.5, "lr=1.5: it must be a whole number (for example: -o lr=64)"),
        (tuple[float, float], (0, 1), [1, "x"], "lr=[1, 'x']: value 2 of it must be a number (for example: -o 'lr=[0, 1]')"),
        (bool | Literal["auto"], "auto", "maybe", "lr='maybe': it must be true or false, or 'auto' (for example: -o lr=auto)"),
        (int | None, None, "x", "lr='x': it must be a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_in_plain_words_with_one_that_fits(annotation, default, value, says):
    with pytest.raises(UsageError) as caught:
        Option("lr", annotation, default).check(value, "lr")
    assert str(caught.value) == says
