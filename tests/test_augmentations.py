"""Augmentations: all that the discriminator sees is changed, and nothing else."""

import json
import shlex

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.augmentations import Mirror, Shift
from ganzoo.errors import PluginError, UsageError
from ganzoo.noise import Noise

SMALL = {"generator.hidden": [16], "discriminator.hidden": [16], "batch_size": 32}


def pictures(count=400):
    return torch.arange(count * 64.0).reshape(count, 1, 8, 8)


def test_half_of_all_pictures_are_mirrored():
    x = pictures()
    y = Mirror()(x, Noise(0))
    turned = (y == x.flip(3)).all(dim=(1, 2, 3))
    kept = (y == x).all(dim=(1, 2, 3))
    assert (turned | kept).all()
    assert float(turned.float().mean()) == pytest.approx(0.5, abs=0.08)


def test_strength_is_how_many_are_changed():
    x = pictures()
    assert torch.equal(Mirror(p=0)(x, Noise(0)), x)
    assert torch.equal(Shift(p=0)(x, Noise(0)), x)
    some = (Shift(p=0.5)(x, Noise(0)) != x).any(dim=(1, 2, 3)).float().mean()
    assert float(some) == pytest.approx(0.5 * (1 - 1 / 9), abs=0.08)


def test_a_moved_picture_repeats_its_edge():
    x = torch.arange(8.0).expand(200, 1, 8, 8)
    y = Shift(reach=0.25)(x, Noise(0))
    for row in y[:, 0, 0]:
        left = [row.equal((torch.arange(8.0) - offset).clamp(0, 7)) for offset in range(-2, 3)]
        assert any(left)
    assert len({tuple(row.tolist()) for row in y[:, 0, 0]}) == 5


def test_gradients_go_through():
    for change in (Mirror(), Shift()):
        x = torch.randn(4, 3, 8, 8, requires_grad=True)
        change(x, Noise(0)).sum().backward()
        assert float(x.grad.sum()) == pytest.approx(x.numel())


def test_one_process_or_two_see_the_same_changes():
    x = pictures(32)
    whole = Shift()(x, Noise(5))
    parts = [Shift()(x[first::2], Noise(5, start=first, stride=2)) for first in (0, 1)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_a_strength_that_is_none_is_refused(p):
    with pytest.raises(UsageError, match="in \\[0, 1\\]"):
        Mirror(p)


def test_a_run_with_augmentations_goes_on_to_the_same_bits(tmp_path):
    words = {"augment": ["mirror", "shift=0.5"], "options": SMALL, "threads": 1, "watcher": None}
    whole = ganzoo.train("mlp", images=512, out=tmp_path / "whole", **words)
    ganzoo.train("mlp", images=256, out=tmp_path / "parts", **words)
    parts = ganzoo.train("mlp", images=512, out=tmp_path / "parts", **words)
    a, b = (ganzoo.load(run.folder).state_dict() for run in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a)
    told = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert {name: part["arguments"]["p"] for name, part in told["augmentations"].items()} == {"mirror": 1.0, "shift": 0.5}


class Controlled(Mirror):
    """Its strength grows at every step."""

    def adapt(self, real_logits):
        assert len(real_logits) == SMALL["batch_size"]
        self.p.add_(0.01).clamp_(max=1)


def test_what_a_controller_has_come_to_is_kept_in_checkpoints(tmp_path):
    words = {"options": {**SMALL, "augmentations": {f"{__name__}:Controlled": {"p": 0.0}}}, "threads": 1, "watcher": None}
    run = ganzoo.train("mlp", images=320, out=tmp_path / "run", **words)
    assert float(_strength(run)) == pytest.approx(0.1)
    ganzoo.train("mlp", images=640, out=tmp_path / "run", **words)
    assert float(_strength(run)) == pytest.approx(0.2)


@pytest.mark.parametrize("parts", [1, 4])
def test_a_controller_is_asked_once_in_a_step_however_the_batch_is_cut(tmp_path, parts):
    options = {**SMALL, "accumulate": parts, "augmentations": {f"{__name__}:Controlled": {"p": 0.0}}}
    run = ganzoo.train("mlp", images=320, out=tmp_path / "run", options=options, threads=1, watcher=None)
    assert float(_strength(run)) == pytest.approx(0.1)


def _strength(run):
    from ganzoo.training.checkpoint import Checkpoints

    snapshot = Checkpoints(run.folder / "checkpoints").load(lambda text: None)
    (kept,) = [tensor for name, tensor in snapshot.tensors["trainer"].items() if name.endswith("p")]
    return kept


class Crops(Mirror):
    """Returns samples of another shape."""

    def __call__(self, samples, noise):
        return samples[..., 1:]


class Breaks(Mirror):
    """Does not work."""

    def __call__(self, samples, noise):
        raise ValueError("out of order")


@pytest.mark.parametrize(
    ("name", "said"), [("Crops", r"returned samples of \(32, 1, 28, 27\)"), ("Breaks", "failed: ValueError: out of order")]
)
def test_an_augmentation_that_does_not_work_is_named_before_the_first_step(tmp_path, name, said):
    options = {**SMALL, "augmentations": {f"{__name__}:{name}": {}}}
    with pytest.raises(PluginError, match=f"the augmentation '{__name__}:{name}' {said}"):
        ganzoo.train("mlp", images=320, out=tmp_path / "run", options=options, threads=1, watcher=None)
    assert not (tmp_path / "run").exists()


def test_the_command_takes_them_by_name_and_strength(run_ganzoo, tmp_path):
    small = [word for key, value in SMALL.items() for word in ("-o", f"{key}={json.dumps(value)}")]
    done = run_ganzoo("train", "mlp", "--images", "320", "--augment", "shift=0.25", *small, "--out", "run")
    assert done.returncode == 0, done.stderr
    command = json.loads((tmp_path / "run" / "config.json").read_text())["command"]
    again = run_ganzoo(*shlex.split(command)[1:], "--dry-run")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["augmentations"]["shift"]["arguments"] == {"p": 0.25, "reach": 0.125}
    listed = run_ganzoo("list", "--kind", "augmentations")
    assert "mirror" in listed.stdout
    assert "shift" in listed.stdout
    wrong = run_ganzoo("train", "mlp", "--augment", "miror", "--dry-run")
    assert wrong.returncode == 2
    assert "did you mean mirror" in wrong.stderr


def test_rows_of_numbers_cannot_be_mirrored(run_ganzoo, tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32))
    refused = run_ganzoo("train", "mlp", "--data", "rows.npy", "--augment", "mirror", "--out", "run")
    assert refused.returncode == 2
    assert "Mirror is for pictures, and these are rows of numbers" in refused.stderr
    assert not (tmp_path / "run").exists()
