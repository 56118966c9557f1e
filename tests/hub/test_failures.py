"""The Hub, and the way to it, fail in every way that they have: one clear sentence each, and nothing damaged is kept."""

import json
import os
import subprocess
import sys

import pytest
import torch

import ganzoo
from ganzoo.errors import HubError, ModelError, UsageError
from ganzoo.hub.client import talking
from ganzoo.hub.pull import pull
from ganzoo.hub.push import push
from ganzoo.hub.search import search
from ganzoo.model_folder import read_config
from hub.server import Blob, Faults


@pytest.fixture
def pushed(hub, model, monkeypatch):
    push(model, "alice/clothes")
    # The client waits longer and longer before it tries again.
    from huggingface_hub.utils import _http

    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
    return hub


def load():
    return ganzoo.load("alice/clothes")


def forget_hash(model):
    """So that other weights are taken."""
    written = json.loads((model / "config.json").read_text())
    written["networks"]["generator"]["sha256"] = None
    (model / "config.json").write_text(json.dumps(written))


def works_again(hub, model):
    hub.faults = Faults()
    assert torch.equal(load().sample(seeds=[5]), ganzoo.load(model).sample(seeds=[5]))


def test_a_token_that_has_expired(pushed, model):
    pushed.faults.expired.add("hf_alice")
    for call in (load, search, lambda: push(model, "alice/clothes")):
        with pytest.raises(HubError, match=r"does not accept this token.*hf auth login"):
            call()


def test_nobody_pushes_without_a_token(hub, model, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN_PATH", "/nowhere")
    with pytest.raises(HubError, match="hf auth login"):
        push(model, "alice/clothes")


def test_a_pull_does_not_make_do_with_the_cache_where_the_hub_refuses(pushed):
    pull("alice/clothes")
    pushed.faults.expired.add("hf_alice")
    with pytest.raises(HubError, match="does not accept this token"):
        pull("alice/clothes")
    assert load() is not None


def test_nobody_pushes_to_what_is_anothers(pushed, model, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with pytest.raises(HubError, match="may not do that with alice/clothes"):
        push(model, "alice/clothes")


def test_a_gated_repository(pushed, monkeypatch):
    pushed.repos["alice/clothes"].gated = True
    for token in ("hf_bob", ""):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(HubError, match=r"alice/clothes is gated.*ask its owner"):
            load()


def test_a_repository_that_is_not_there(hub):
    with pytest.raises(HubError, match="no repository alice/nothing"):
        ganzoo.load("alice/nothing")


@pytest.mark.parametrize("status", [500, 503])
def test_the_hub_fails(pushed, model, status):
    pushed.faults.status = status
    for call in (load, search, lambda: push(model, "alice/clothes")):
        with pytest.raises(HubError, match=f"answers {status}"):
            call()
    works_again(pushed, model)


def test_the_hub_fails_once_and_the_client_tries_again(pushed, model):
    pushed.faults = Faults(status=503, where="/resolve/.*safetensors", times=1)
    assert torch.equal(load().sample(seeds=[5]), ganzoo.load(model).sample(seeds=[5]))


@pytest.mark.slow
def test_nobody_answers(hub, model):
    push(model, "alice/clothes")
    env = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9"}  # the port of a service that throws everything away

    def command(*words):
        return subprocess.run([sys.executable, "-m", "ganzoo", *words], env=env, capture_output=True, text=True, check=False)

    for words in (("search",), ("sample", "alice/other"), ("push", str(model), "alice/clothes")):
        done = command(*words)
        assert done.returncode == 1
        assert "the Hub cannot be reached at http://127.0.0.1:9" in done.stderr.splitlines()[-1]
    ganzoo.load("alice/clothes")
    assert command("sample", "alice/clothes", "-o", str(model / "x.png")).returncode == 0, "the cache is enough"


def test_a_download_that_ends_half_way(pushed, model, tmp_path):
    pushed.faults.cut = 0.5
    with pytest.raises(HubError, match="try again"):
        load()
    assert not list((tmp_path / "hub-cache").rglob("model.safetensors"))
    works_again(pushed, model)


def test_what_is_not_what_was_sent_is_not_kept(pushed, model):
    pushed.faults.flip = True
    with pytest.raises(HubError, match="came damaged, and left the cache"):
        load()
    works_again(pushed, model)


@pytest.mark.parametrize("fault", [Faults(flip=True), Faults(cut=0.5), Faults(status=500, where="/resolve/")])
def test_an_update_that_fails_leaves_the_version_that_is_there(pushed, model, fault):
    before = load().sample(seeds=[5])
    push(model, "alice/clothes", license="mit")
    pushed.faults = fault
    with pytest.raises(HubError):
        load()
    assert torch.equal(ganzoo.load("alice/clothes", local_files_only=True).sample(seeds=[5]), before)
    works_again(pushed, model)
    assert load().config.license == "mit"


@pytest.mark.parametrize("fault", [Faults(status=500, where=r"/resolve/.*safetensors"), Faults(flip=True)])
def test_a_pull_that_fails_leaves_the_version_that_is_there(pushed, model, fault):
    before = load().sample(seeds=[5])
    weights = model / "model.safetensors"
    from safetensors.torch import load_file, save_file

    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights)
    forget_hash(model)
    push(model, "alice/clothes")
    pushed.faults = fault
    with pytest.raises(HubError):
        pull("alice/clothes")
    assert torch.equal(ganzoo.load("alice/clothes", local_files_only=True).sample(seeds=[5]), before)
    works_again(pushed, model)


def test_an_update_that_is_no_model_leaves_the_version_that_is_there(pushed):
    before = load().sample(seeds=[5])
    repo = pushed.repos["alice/clothes"]
    repo.commit("main", {**repo.commits[repo.branches["main"]], "config.json": Blob(b"{}", large=False)}, "broken")
    for call in (load, lambda: pull("alice/clothes"), lambda: ganzoo.evaluate("alice/clothes")):
        with pytest.raises(ModelError):
            call()
    assert torch.equal(ganzoo.load("alice/clothes", local_files_only=True).sample(seeds=[5]), before)


@pytest.mark.parametrize(("status", "says"), [(500, "answers 500"), (403, "may not do that")])
def test_weights_that_do_not_get_there(hub, model, monkeypatch, status, says):
    from huggingface_hub.utils import _http

    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
    hub.faults = Faults(status=status, where="/large/")
    with pytest.raises(HubError, match=says):
        push(model, "alice/clothes")
    hub.faults = Faults()
    push(model, "alice/clothes")
    assert torch.equal(load().sample(seeds=[5]), ganzoo.load(model).sample(seeds=[5]))


def test_a_licence_that_the_hub_does_not_know(hub, model):
    with pytest.raises(UsageError, match=r"license.*must be one of.*apache-2\.0"):
        push(model, "alice/clothes", license="mti")
    assert read_config(model).license is None


def test_where_there_are_no_links_what_is_not_what_was_sent_is_not_kept(pushed, model, monkeypatch):
    from huggingface_hub import file_download

    from ganzoo.hub.locate import locate

    monkeypatch.setattr(file_download, "are_symlinks_supported", lambda folder=None: False)
    pushed.faults.flip = True
    with pytest.raises(HubError, match="came damaged, and left the cache"):
        load()
    works_again(pushed, model)
    snapshot = pull("alice/clothes")
    assert not (snapshot / "config.json").is_symlink()
    assert not locate(snapshot).own


def test_what_cannot_be_written_back_is_on_the_hub_all_the_same(hub, model):
    (model / "README.md").unlink(missing_ok=True)
    (model / "README.md").mkdir()
    with pytest.raises(ModelError, match=r"it is on the Hub, at .*README\.md stays as it was"):
        push(model, "alice/clothes")
    assert load() is not None


@pytest.mark.parametrize("words", ["search", "card {model}", "evaluate a/b", "train mlp --images 64 --out {model}/run"])
def test_an_endpoint_that_is_no_address(model, words):
    env = {**os.environ, "HF_ENDPOINT": "http://[bad"}
    command = [sys.executable, "-m", "ganzoo", *words.format(model=model).split()]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "internal error" not in done.stderr
    assert "HF_ENDPOINT" in done.stderr
    assert not (model / "run").exists(), "nothing was trained in vain"


def test_a_name_with_a_path_in_it_touches_nothing(hub, tmp_path):
    key = tmp_path / "key"
    key.write_text("secret")
    key.chmod(0o600)
    before = key.stat()
    for revision in (key, f"../../../../{key}"):
        with pytest.raises(UsageError, match="names no repository"):
            ganzoo.load(f"user/repo@{revision}")
    after = key.stat()
    assert (after.st_mode, after.st_ino, after.st_mtime_ns) == (before.st_mode, before.st_ino, before.st_mtime_ns)


def test_what_is_in_the_cache_is_loaded_where_nobody_answers(pushed, monkeypatch):
    from huggingface_hub import file_download

    monkeypatch.setattr(file_download, "are_symlinks_supported", lambda folder=None: False)
    before = load().sample(seeds=[5])
    (pull("alice/clothes") / "sub").mkdir()
    pushed.faults = Faults(status=500, where="/paths-info/")
    assert torch.equal(load().sample(seeds=[5]), before)


def test_a_slow_hub(pushed, model):
    pushed.faults.delay = 0.3
    assert torch.equal(load().sample(seeds=[5]), ganzoo.load(model).sample(seeds=[5]))


def test_a_repository_that_holds_no_model(hub, model):
    push(model, "alice/clothes")
    repo = hub.repos["alice/clothes"]
    repo.commit("main", {"README.md": repo.commits[repo.branches["main"]]["README.md"]}, "no model")
    with pytest.raises(HubError, match=r"no model of ganzoo's: it lacks config\.json"):
        load()


def test_an_answer_that_the_client_cannot_read_says_which_client_can(pushed):
    with (
        pytest.raises(HubError, match="what the Hub has of alice/clothes confuses the client: KeyError") as found,
        talking("alice/clothes"),
    ):
        raise KeyError("siblings")
    assert found.value.hint == "try: pip install --upgrade 'huggingface-hub>=1.0'"


def test_a_plugin_that_is_not_there_is_named_and_not_installed(hub, model):
    config = json.loads((model / "config.json").read_text())
    config["plugin"] = config["networks"]["generator"]["plugin"] = {"distribution": "fancy-gans", "version": "2.0"}
    push(model, "alice/clothes")
    repo = hub.repos["alice/clothes"]
    files = dict(repo.commits[repo.branches["main"]])
    files["config.json"] = type(files["config.json"])(json.dumps(config).encode(), large=False)
    repo.commit("main", files, "of another plugin")
    with pytest.raises(ModelError, match=r"made with the plugin 'fancy-gans' 2\.0, which is not installed") as found:
        load()
    assert "pip" not in str(found.value), "whoever wrote the file made up the name"
    with pytest.raises(ModelError, match="fancy-gans"):
        pull("alice/clothes")


def test_a_name_that_is_both_a_folder_and_a_shipped_model(model, tmp_path, monkeypatch):
    from ganzoo.hub import locate

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locate, "shipped_models", lambda: {"model": model})
    with pytest.raises(UsageError, match=r"say \./model or shipped:model"):
        ganzoo.load("model")
    assert torch.equal(ganzoo.load("./model").sample(seeds=[1]), ganzoo.load("shipped:model").sample(seeds=[1]))


def test_what_is_no_model_at_all_is_told_the_forms(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("dcgan", "no such", "shipped:nothing", "~nobody", "a\0b", "x" * 5000, "./" + "x" * 5000, "~/" + "x" * 5000):
        with pytest.raises((UsageError, ModelError)):
            ganzoo.load(name)
    with pytest.raises(UsageError, match=r"ganzoo list --kind models.*user/repo"):
        ganzoo.load("dcgan")
