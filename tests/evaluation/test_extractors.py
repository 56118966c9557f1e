import numpy as np
import pytest
import torch

from ganzoo import plugins
from ganzoo.errors import DataError, PluginError, UnknownNameError, UsageError
from ganzoo.evaluation.backbones import TimmExtractor
from ganzoo.evaluation.efficientnet_lite0 import FILE, PACKAGE
from ganzoo.evaluation.extractors import digest
from ganzoo.evaluation.named_extractors import find_extractor


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Nothing can be downloaded, and nothing has been before."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))


def test_unknown_names_have_a_nearest():
    with pytest.raises(UnknownNameError, match="did you mean fashion-mnist-cnn"):
        find_extractor(plugins.load().registry, "fashion-mnst-cnn")
    with pytest.raises(UnknownNameError, match=r"did you mean.* resnet18"):
        find_extractor(plugins.load().registry, "timm:resnet_18")
    with pytest.raises(UsageError, match=r"timm makes no 'resnet18\.nobody'"):
        find_extractor(plugins.load().registry, "timm:resnet18.nobody")


def test_the_shipped_one_judges_one_size_only():
    extractor = find_extractor(plugins.load().registry, "fashion-mnist-cnn")
    assert extractor.features(torch.zeros(3, 1, 28, 28)).shape == (3, 96)
    with pytest.raises(UsageError, match="not 3x32x32"):
        extractor.features(torch.zeros(3, 3, 32, 32))
    assert not any(p.requires_grad for p in extractor.parameters())


def test_a_hash_is_of_names_and_values():
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    b.load_state_dict(a.state_dict())
    assert digest(a) == digest(b)
    b.bias.data[0] += 1
    assert digest(a) != digest(b)


def test_without_a_network_inception_says_what_to_do(offline):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    with pytest.raises(DataError, match=r"cannot be reached.*--extractor cifar10-cnn") as found:
        find_extractor(plugins.load().registry, "inception")
    assert f"pip install '{PACKAGE}>=0.1': --extractor timm:tf_efficientnet_lite0" in found.value.hint


def test_without_a_network_a_backbone_says_what_to_do(offline):
    # What has been imported before keeps the folders and addresses that it found then.
    import subprocess
    import sys

    code = "from ganzoo.evaluation.backbones import TimmExtractor; TimmExtractor('resnet18')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "DataError: the weights of timm:resnet18 cannot be had" in result.stderr, result.stderr


def test_the_package_of_weights_is_named_with_its_bounds_where_they_cannot_be_downloaded(offline):
    import subprocess
    import sys

    lacking = f"import sys; sys.modules[{PACKAGE.replace('-', '_')!r}] = None"
    code = f"{lacking}; from ganzoo.evaluation.backbones import TimmExtractor; TimmExtractor('tf_efficientnet_lite0')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"pip install '{PACKAGE}>=0.1' has them without a network" in result.stderr, result.stderr


def test_a_plugin_may_be_wrong(load_plugins, plugin_distribution):
    module = "import ganzoo\n@ganzoo.hookimpl\ndef register(registry):\n    registry.add('extractor', 'wrong', dict)"
    load_plugins(plugin_distribution("wrong", entry_points={"wrong": "wrong"}, modules={"wrong.py": module}))
    with pytest.raises(PluginError, match=r"not a ganzoo\.Extractor"):
        find_extractor(plugins.load().registry, "wrong")


@pytest.fixture(scope="module")
def package():
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None:
        pytest.skip(f"needs the package {PACKAGE}")
    return Path(spec.origin).parent


def test_packaged_weights_are_those_that_torch_reads(package, offline):
    extractor = TimmExtractor("tf_efficientnet_lite0")
    theirs = list(torch.load(package / FILE, weights_only=True).values())
    mine = list(extractor.network.state_dict().values())
    assert len(mine) == len(theirs) - 2, "all but the head"
    assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=False))
    features = extractor.features(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert features.shape == (2, 1280)
    assert extractor.features(torch.rand(2, 1, 28, 28) * 2 - 1).shape == (2, 1280)


def test_a_changed_file_is_refused(package, tmp_path, monkeypatch):
    folder = tmp_path / PACKAGE.replace("-", "_")
    (folder / FILE).parent.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    content = np.frombuffer((package / FILE).read_bytes(), np.uint8).copy()
    content[-1] ^= 1
    (folder / FILE).write_bytes(content.tobytes())
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match="not the file that is known"):
        TimmExtractor("tf_efficientnet_lite0")
