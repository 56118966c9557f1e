"""What docs/python.md and the README say of Python is so."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import ganzoo
from ganzoo.cli.train import train as command

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text()
README = (ROOT / "README.md").read_text()
BLOCKS = [
    block for text in (PAGE, README) for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "x_train" in block
]


def test_the_examples_are_here():
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_work(block, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    train = ganzoo.train

    def shortly(variant, **words):
        """The same, but soon over."""
        small = {"dcgan": {"generator.width": 4, "discriminator.width": 4}, "mlp": {"generator.hidden": [8]}}[variant]
        options = {**words.pop("options", {}), **small, "batch_size": 16}
        return train(variant, **words | {"budget": None, "images": 64, "options": options, "device": "cpu"})

    monkeypatch.setattr(ganzoo, "train", shortly)
    x_train, y_train = np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8), np.arange(64) % 10
    namespace = {"ganzoo": ganzoo, "x_train": x_train, "y_train": y_train}
    *_, last = block.strip().splitlines()
    exec(block, namespace)
    if "PIL" in last:
        assert eval(last, namespace).size == (8 * 28, 8 * 28)
    said = capfd.readouterr()
    if "class Losses" in block:
        assert said.out.splitlines()[-1].startswith("100% 64 ")
    else:
        assert said.err.startswith("array: 64 pictures of 28x28")


def test_what_is_typed_is_what_is_called():
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)`", PAGE.partition("## Data in memory")[0], re.MULTILINE)
    assert len(rows) == 9
    words = inspect.signature(ganzoo.train).parameters
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for typed, called in rows:
        assert set(re.findall(r"(?<= )--?[a-z-]+|^--?[a-z-]+", typed)) <= options
        assert set(re.findall(r"\b(\w+)=", re.sub(r'"[^"]*"', "''", called))) <= words.keys()


def test_every_method_of_a_watcher_is_on_the_page():
    for name, method in vars(ganzoo.Watcher).items():
        if inspect.isfunction(method):
            told = ", ".join(list(inspect.signature(method).parameters)[1:])
            assert f"| `{name}({told})` |" in PAGE
