"""``ganzoo train`` knows before its first step what would end it, and ends with a model that loads."""

import json
import os
import re
import shlex

import numpy as np
import pytest
from PIL import Image

import ganzoo

SMALL = ["-o", "batch_size=8", "-o", "discriminator.hidden=8", "--images", "32"]

AUTHOR = """
import collections
import math
import ganzoo
import torch
from torch import nn

class Odd(ganzoo.Generator):
    '''Whose constructor looks at the values of tensors, has a `config` of its own, or keeps a tensor that is not saved.'''

    def __init__(self, *, sample_shape: tuple[int, ...], kind: str = "values", channels: int = 8):
        super().__init__(latent_shape=(4,), sample_shape=sample_shape)
        self.kind = kind
        self.scale = 1.0
        if kind == "values":
            self.scale = torch.linspace(0.0, 1.0, channels).tolist()[-1] * torch.ones(3).sum().item() / 3
        if kind == "greedy":
            self.scale = torch.linspace(0.0, 1.0, 3).tolist()[-1]
            torch.zeros(channels, channels)
        if kind == "attribute":
            self.config = {"scale": 0.5}
            self.scale = self.config["scale"]
        if kind == "submodule":
            self.config = nn.Linear(4, 4)
        if kind == "forgetful":
            self.shift = torch.randn(math.prod(sample_shape))
        self.layer = nn.Linear(4, math.prod(sample_shape))

    def forward(self, z, labels=None):
        z = self.config(z) if self.kind == "submodule" else z
        scale = self.config["scale"] if self.kind == "attribute" else self.scale
        x = self.layer(z) * scale
        if self.kind == "forgetful":
            x = x + self.shift
        if self.kind == "shape":
            return x.tanh()
        return x.tanh().reshape(len(z), *self.sample_shape)

class Judge(ganzoo.Discriminator):
    def __init__(self, *, sample_shape: tuple[int, ...], kind: str = "logits"):
        super().__init__()
        self.kind = kind
        self.layer = nn.Linear(math.prod(sample_shape), 4)

    def forward(self, x, labels=None):
        judged = self.layer(x.flatten(1))
        if self.kind == "map":
            return judged.reshape(len(x), 1, 2, 2)
        if self.kind == "pair":
            return judged, x
        return judged.reshape(-1) if self.kind == "flat" else judged if self.kind == "many" else judged.mean(1)

class Keeper(ganzoo.AlternatingTrainer):
    kept = {"count": 1}
    def state(self):
        return self.kept

class Writes(Keeper):
    kept = {"seen": {1, 2}}
    def load_state(self, state): ...

class Forgets(Keeper):
    '''Counts its steps, and takes up something else.'''
    count = 0
    def step(self, reals, labels, context):
        self.count += 1
        return super().step(reals, labels, context)
    def state(self):
        return {"count": self.count}
    def load_state(self, state):
        self.count = 0

class Breaks(ganzoo.AlternatingTrainer):
    '''Whose weights are no numbers from a step on, with metrics that are.'''
    def __init__(self, networks, loss, penalties, *, lr: float = 1e-3, after: int = 6):
        super().__init__(networks, loss, penalties, lr=lr)
        self.after = after
    def step(self, reals, labels, context):
        metrics = super().step(reals, labels, context)
        if context.step >= self.after and self.optimizers["generator"].param_groups[0]["lr"] >= 3e-3:
            with torch.no_grad():
                next(self.networks["generator"].parameters()).fill_(float("nan"))
        return {"one": torch.ones(())}

class TwoNumbers(ganzoo.Loss):
    def discriminator(self, real, fake):
        return fake - real
    def generator(self, real, fake):
        return -fake.mean()

def many(names):
    def dataset(*, resolution=None, progress=None):
        pictures = torch.randint(0, 256, (16, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        return ganzoo.Store(name="many", samples=pictures, labels=torch.arange(16), class_names=tuple(names))
    return dataset

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "odd", Odd)
    registry.add("discriminator", "judge", Judge)
    for trainer in (Keeper, Writes, Forgets, Breaks):
        registry.add("trainer", trainer.__name__.lower(), trainer)
    registry.add("loss", "two-numbers", TwoNumbers)
    registry.add("dataset", "long-names", many(f"{i:05}".ljust(80, "x") for i in range(10_000)))
    registry.add("dataset", "too-many-names", many(f"{i:05}".ljust(80, "x") for i in range(20_000)))
"""


@pytest.fixture
def author(plugin_distribution):
    """A plugin whose author did all sorts of things."""
    return plugin_distribution("author-gans", entry_points={"author": "author_gans"}, modules={"author_gans.py": AUTHOR})


@pytest.fixture
def train(run_ganzoo, author):
    def train(*words, **env):
        return run_ganzoo("train", "mlp", *SMALL, *words, plugins=[author], env=env)

    return train


def sample(run_ganzoo, author, model):
    """Have the installed command draw from a model; its samples."""
    done = run_ganzoo("sample", model, "--seeds", "0-3", "-o", "x.npz", plugins=[author])
    assert done.returncode == 0, done.stderr


LATIN = os.fsdecode(b"caf\xe9")


def test_folders_whose_names_are_no_text(run_ganzoo, tmp_path):
    """Class folders and a data folder in Latin-1, and a model in a folder with a space that does not break and emoji."""
    out = "my\xa0run \N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}"
    for number, name in enumerate((LATIN, "tea")):
        folder = tmp_path / f"photos-{LATIN}" / name
        folder.mkdir(parents=True)
        for i in range(4):
            Image.new("L", (8, 8), 30 * i + number).save(folder / f"{i}.png")
    words = ("--data", tmp_path / f"photos-{LATIN}", "--out", out, "-o", "generator.hidden=8")
    done = run_ganzoo("train", "mlp", *SMALL, *words)
    assert done.returncode == 0, done.stderr
    assert r"the name of the class 'caf\\xe9' is not UTF-8" in done.stderr
    generator = ganzoo.load(tmp_path / out)
    assert generator.config.class_names == (r"caf\xe9", "tea")
    card = (tmp_path / out / "model" / "README.md").read_text()
    assert f"# {out}\n" in card
    again = run_ganzoo("train", "mlp", *SMALL, *words)
    assert again.returncode == 0, again.stderr
    assert "was done after 32 images" in again.stderr


def test_a_run_in_a_folder_whose_name_is_two_lines_has_a_card(run_ganzoo, tmp_path):
    done = run_ganzoo("train", "mlp", *SMALL, "-o", "generator.hidden=8", "--out", "two\nlines")
    assert done.returncode == 0, done.stderr
    assert "the model's card is called 'two\ufffdlines'" in done.stderr
    assert "# two\ufffdlines\n" in (tmp_path / "two\nlines" / "model" / "README.md").read_text(encoding="utf-8")
    assert ganzoo.load(tmp_path / "two\nlines").sample([0]).shape == (1, 1, 28, 28)


def test_a_folder_that_no_weights_can_be_written_to_is_refused_at_once(run_ganzoo, tmp_path):
    done = run_ganzoo("train", "mlp", "--data", "./nowhere", "--out", f"runs/{LATIN}")
    assert done.returncode == 2
    assert r"the name 'runs/caf\\xe9' is not UTF-8" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("data", "kept"), [("long-names", 10_000), ("too-many-names", 0)])
def test_ten_thousand_classes_with_long_names(train, run_ganzoo, author, tmp_path, data, kept):
    done = train("--data", data, "--out", "run", "-o", "generator.hidden=8")
    assert done.returncode == 0, done.stderr
    assert ("the names of the 20,000 classes are left out" in done.stderr) == (not kept)
    sample(run_ganzoo, author, "run")
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert len(config["class_names"]) == kept
    assert config["num_classes"] == (kept or 20_000)
    assert "class_names" not in config["training"]["dataset"]
    assert (tmp_path / "run" / "model" / "README.md").stat().st_size < 20_000


@pytest.mark.parametrize("kind", ["values", "attribute", "submodule"])
def test_a_network_that_was_trained_can_be_loaded(train, run_ganzoo, author, kind):
    done = train("-o", "generator=odd", "-o", f"generator.kind={kind}", "--out", "run")
    assert done.returncode == 0, done.stderr
    sample(run_ganzoo, author, "run")


def test_a_network_may_not_take_more_memory_than_its_weights_give_reason_for(train, run_ganzoo, author, tmp_path):
    assert train("-o", "generator=odd", "-o", "generator.kind=greedy", "--out", "run").returncode == 0
    path = tmp_path / "run" / "model" / "config.json"
    config = json.loads(path.read_text())
    config["networks"]["generator"]["arguments"]["channels"] = 1 << 20  # squared, four terabytes
    path.write_text(json.dumps(config))
    done = run_ganzoo("sample", "run", "--seeds", "0", "-o", "x.npz", plugins=[author])
    assert done.returncode == 1
    assert "would take far more memory than its weights do" in done.stderr


REFUSED = {
    "a tensor that is not saved": (["generator=odd", "generator.kind=forgetful"], "the generator 'odd' makes other samples"),
    "state that is not taken up": (["trainer=keeper"], "Keeper has kept state and does not take it up again"),
    "state that cannot be written": (["trainer=writes"], "seen holds a set"),
    "state that is forgotten": (["trainer=forgets"], "Forgets has another state() after load_state()"),
    "samples": (
        ["generator=odd", "generator.kind=shape"],
        "the generator 'odd' returned a tensor of shape (8, 784); samples have the shape (8, 1, 28, 28)",
    ),
    "logits in a map": (
        ["discriminator=judge", "discriminator.kind=map"],
        "the discriminator 'judge' returned a tensor of shape (16, 1, 2, 2) for 16 samples; logits have the shape (16,)",
    ),
    "logits in a row": (["discriminator=judge", "discriminator.kind=flat"], "returned a tensor of shape (64,) for 16 samples"),
    "logits and more": (["discriminator=judge", "discriminator.kind=pair"], "the discriminator 'judge' returned a tuple"),
    "loss": (["loss=two-numbers"], "the loss (TwoNumbers) returned a tensor of shape (8,)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_end_a_run_is_said_before_its_first_step(run_ganzoo, author, tmp_path, case):
    options, says = REFUSED[case]
    words = [word for option in options for word in ("-o", option)]
    # The discriminator of some cases has no option `hidden`.
    done = run_ganzoo("train", "mlp", "-o", "batch_size=8", "--images", "1M", *words, "--out", "run", plugins=[author])
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_several_judgements_of_a_sample_are_logits(run_ganzoo, author):
    words = ("-o", "batch_size=8", "-o", "discriminator=judge", "-o", "discriminator.kind=many", "--images", "32")
    done = run_ganzoo("train", "mlp", *words, "--out", "run", plugins=[author])
    assert done.returncode == 0, done.stderr


def test_weights_that_are_no_numbers_are_not_kept_and_the_run_says_how_to_go_on(train, run_ganzoo, author, tmp_path):
    words = (
        "-o",
        "trainer=breaks",
        "-o",
        "lr=0.004",
        "-o",
        "checkpoint_seconds=1e-6",
        "-o",
        "generator.hidden=8",
        "--penalty",
        "none",
    )
    done = train(*words, "--images", "4k", "--out", "run")
    assert done.returncode == 1
    # When a run looks up from its steps is for the clock to say; the seventh step is the first that can be told of.
    (found,) = re.findall(r"training diverged: the weights of the generator are not finite after ([\d,]+) images", done.stderr)
    assert int(found.replace(",", "")) >= 56
    assert not (tmp_path / "run" / "model").exists()
    kept = sorted(int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept
    assert max(kept) <= 48
    (command,) = re.findall(r"with a lower learning rate: ganzoo (.*?) \(the same", done.stderr)
    assert f"--from {tmp_path / 'run' / 'checkpoints'}".replace(str(tmp_path) + "/", "") in command
    slower = run_ganzoo(*shlex.split(command), "--images", "80", plugins=[author])
    assert slower.returncode == 0, slower.stderr
    assert (tmp_path / "run-2" / "model" / "model.safetensors").exists()
    sample(run_ganzoo, author, "run-2")
    told = json.loads((tmp_path / "run-2" / "model" / "config.json").read_text())["training"]
    assert told["start"]["images"] == max(kept)
    assert told["images"] == 80
    again = run_ganzoo(*shlex.split(command), "--images", "80", plugins=[author])
    assert "was done after 80 images" in again.stderr


def test_a_run_starts_from_the_weights_of_another(run_ganzoo, tmp_path):
    small = (*SMALL, "-o", "generator.hidden=8")
    assert run_ganzoo("train", "mlp", *small, "--out", "first").returncode == 0
    second = run_ganzoo("train", "mlp", *small, "-o", "lr=1e-12", "--from", "first", "--out", "second")
    assert second.returncode == 0, second.stderr
    # At such a rate they are what they were, but for batch norm's statistics.
    weights = [np.concatenate([p.flatten().numpy() for p in _networks(tmp_path / name)]) for name in ("first", "second")]
    np.testing.assert_allclose(*weights, atol=1e-6)
    other = run_ganzoo("train", "mlp", *SMALL, "-o", "generator.hidden=9", "--from", "first", "--out", "third")
    assert other.returncode == 2
    assert "the generator in first/checkpoints/000000000032 is another network than this run's" in other.stderr
    assert not (tmp_path / "third").exists()
    nothing = run_ganzoo("train", "mlp", *small, "--from", "nowhere", "--out", "third")
    assert nothing.returncode == 2
    assert "there is no checkpoint in 'nowhere'" in nothing.stderr


def _networks(run):
    from safetensors.torch import load_file

    newest = max((run / "checkpoints").iterdir())
    found = load_file(newest / "networks.safetensors")
    return [found[name] for name in sorted(found) if name.endswith(("weight", "bias"))]
