"""A model to the Hub and back, by the real client over loopback."""

import contextlib
import os
import subprocess
import sys

import pytest
import torch

import ganzoo
from ganzoo.errors import HubError, ModelError, UsageError
from ganzoo.hub.pull import pull
from ganzoo.hub.push import push
from ganzoo.hub.search import search
from hub.server import Blob

FILES = {"README.md", "config.json", "model.safetensors", "samples.png"}


def test_push_search_pull_load_sample(hub, model, tmp_path):
    push(model, "alice/clothes")
    (hit,) = search("clothes", variant="mlp", data="fashion-mnist-10k")
    assert (hit.repo, hit.variant, hit.data) == ("alice/clothes", "mlp", "fashion-mnist-10k")
    folder = pull("alice/clothes", tmp_path / "pulled")
    assert {path.name for path in folder.iterdir()} == FILES
    for name in FILES:
        assert (folder / name).read_bytes() == (model / name).read_bytes()
    ours, theirs, again = ganzoo.load(model), ganzoo.load("alice/clothes"), ganzoo.load(folder)
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, theirs.state_dict()[name])
        assert torch.equal(tensor, again.state_dict()[name])
    assert torch.equal(ours.sample(seeds=range(8)), theirs.sample(seeds=range(8)))


def test_it_is_one_commit_and_what_is_stale_goes(hub, model):
    push(model, "alice/clothes")
    repo = hub.repos["alice/clothes"]
    assert len(repo.titles) == 2, repo.titles  # the first is the repository's own
    (model / "samples.png").unlink()
    done = push(model, "alice/clothes")
    assert done.stale == ("samples.png",)
    assert len(repo.titles) == 3
    assert set(repo.commits[repo.branches["main"]]) == FILES - {"samples.png"}


def test_what_has_not_changed_is_no_new_commit(hub, model):
    first = push(model, "alice/clothes")
    assert push(model, "alice/clothes").url == first.url
    assert len(hub.repos["alice/clothes"].titles) == 2


def test_a_dry_run_lists_every_file_and_sends_nothing(hub, model):
    (model / "notes.txt").write_text("mine")
    done = push(model, "alice/clothes", dry_run=True)
    assert set(done.files) == FILES
    assert done.left == ("notes.txt",)
    assert not hub.repos
    assert not [request for request in hub.requests if not request.startswith("GET")]


def test_what_is_no_part_of_a_model_stays_here(hub, model):
    (model / "notes.txt").write_text("mine")
    (model / "weights.pkl").write_bytes(b"\x80\x04.")
    push(model, "alice/clothes")
    repo = hub.repos["alice/clothes"]
    assert set(repo.commits[repo.branches["main"]]) == FILES


def test_a_revision_is_a_branch_of_its_own(hub, model):
    push(model, "alice/clothes")
    before = ganzoo.load("alice/clothes").config
    push(model, "alice/clothes", revision="try-2", license="mit")
    assert 'ganzoo.load("alice/clothes@try-2")' in (model / "README.md").read_text()
    assert ganzoo.load("alice/clothes@try-2").config.license == "mit"
    assert ganzoo.load("alice/clothes").config == before
    commit = hub.repos["alice/clothes"].branches["try-2"]
    assert ganzoo.load(f"alice/clothes@{commit}").config.license == "mit"
    with pytest.raises(HubError, match="no revision 'try-3'"):
        ganzoo.load("alice/clothes@try-3")


def test_a_private_repository_is_refused_without_its_owners_token(hub, model, monkeypatch):
    push(model, "alice/secret", private=True)
    assert ganzoo.load("alice/secret").sample(seeds=[1]).shape == (1, 1, 28, 28)
    for token in ("hf_bob", ""):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(HubError, match=r"no repository alice/secret, or it is private.*HF_TOKEN"):
            pull("alice/secret")
        assert search("secret") == []


def test_a_folder_that_is_damaged_is_not_pushed(hub, model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ModelError, match="cannot be loaded"):
        push(model, "alice/clothes")
    assert not hub.repos


@pytest.mark.parametrize(
    "name", ["clothes", "alice/", "/clothes", "alice/clothes/more", "alice/..", "al ice/clothes", "alice/x@"]
)
def test_what_is_no_name_on_the_hub_is_refused(hub, model, name):
    with pytest.raises(UsageError, match="user/repo"):
        push(model, name)
    assert not hub.requests


def test_pulling_replaces_a_model_and_nothing_else(hub, model, tmp_path):
    push(model, "alice/clothes")
    pull("alice/clothes", tmp_path / "copy")
    pull("alice/clothes", tmp_path / "copy")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="something else"):
        pull("alice/clothes", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_search_tells_scores_with_their_protocol(hub, model):
    from ganzoo.files import write_json

    for name, value in (("good", 0.5), ("bad", 2.0)):
        protocol = {"data": "fashion-mnist-10k", "n_fake": 1000, "n_real": 1000, "extractor": "fashion-mnist-cnn"}
        write_json(model / "metrics.json", [{"scores": {"fd": value}, "protocol": protocol}])
        push(model, f"alice/{name}")
    (model / "metrics.json").unlink()
    push(model, "alice/unscored")
    hits = search()
    assert [(hit.repo, hit.score) for hit in hits] == [("alice/good", 0.5), ("alice/bad", 2.0), ("alice/unscored", None)]
    assert hits[0].protocol == "1,000 samples against 1,000 of fashion-mnist-10k, features of fashion-mnist-cnn"
    assert search(variant="dcgan") == []


@pytest.mark.slow
def test_a_folder_here_needs_no_client(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    model.rename(tmp_path / "runs" / "mine")
    command = "import ganzoo, sys; ganzoo.load('runs/mine'); print('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == "False\n"


def test_offline_from_the_cache(hub, model):
    push(model, "alice/clothes")
    with pytest.raises(HubError, match=r"alice/clothes.*while online: ganzoo pull alice/clothes"):
        ganzoo.load("alice/clothes", local_files_only=True)
    expected = ganzoo.load("alice/clothes").sample(seeds=[3])
    asked = len(hub.requests)
    assert torch.equal(ganzoo.load("alice/clothes", local_files_only=True).sample(seeds=[3]), expected)
    assert len(hub.requests) == asked


@pytest.mark.slow
def test_offline_by_the_clients_own_variable(hub, model):
    push(model, "alice/clothes")
    command = [sys.executable, "-c", "import ganzoo; print(ganzoo.load('alice/clothes').sample(seeds=[3]).shape)"]
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    cold = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "HF_HUB_OFFLINE is set" in cold.stderr.splitlines()[-1]
    ganzoo.load("alice/clothes")
    warm = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "[1, 1, 28, 28]" in warm.stdout


def test_pulling_into_somebodys_project_is_refused(hub, model, tmp_path):
    push(model, "alice/clothes")
    project = tmp_path / "project"
    project.mkdir()
    (project / "config.json").write_text('{"name": "my app"}')
    (project / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="something else"):
        pull("alice/clothes", project)
    copy = pull("alice/clothes", tmp_path / "copy")
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        pull("alice/clothes", copy)
    assert (project / "thesis.tex").read_text() == "years of work"


def test_what_is_public_is_not_pushed_to_as_if_it_were_private(hub, model):
    push(model, "alice/clothes")
    commits = len(hub.repos["alice/clothes"].titles)
    with pytest.raises(UsageError, match="is public; nothing was sent"):
        push(model, "alice/clothes", private=True)
    assert len(hub.repos["alice/clothes"].titles) == commits


def test_a_repository_of_something_else_is_left_alone(hub, model):
    push(model, "alice/bert")
    repo = hub.repos["alice/bert"]
    repo.commit("main", {"pytorch_model.bin": Blob(b"weights", large=False)}, "another library's")
    with pytest.raises(UsageError, match=r"pytorch_model\.bin; nothing was sent"):
        push(model, "alice/bert")
    assert set(repo.commits[repo.branches["main"]]) == {"pytorch_model.bin"}
    # Other libraries have a file of that name, too.
    theirs = {"README.md": Blob(b"---\ntags: [bert]\n---\n", large=False), "config.json": Blob(b"{}", large=False)}
    repo.commit("main", {**theirs, "pytorch_model.bin": Blob(b"weights", large=False)}, "another library's")
    with pytest.raises(UsageError, match=r"config\.json; nothing was sent"):
        push(model, "alice/bert")
    assert len(repo.commits[repo.branches["main"]]) == 3


def test_a_refused_push_changes_nothing_here(hub, model, monkeypatch):
    push(model, "alice/clothes")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with pytest.raises(HubError):
        push(model, "alice/clothes", license="mit")
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_what_a_link_leads_to_is_not_pushed(hub, model, tmp_path):
    (tmp_path / "token").write_text("secret")
    (model / "samples.png").unlink()
    (model / "samples.png").symlink_to(tmp_path / "token")
    with pytest.raises(ModelError, match="is a link to"):
        push(model, "alice/clothes")
    assert not hub.repos


@pytest.mark.parametrize(
    "says",
    [
        *(
            f"model-index: [{{name: x, results: [{{task: {{type: t}}, metrics: [{{type: fd, value: {value}, name: n}}]}}]}}]"
            for value in ("1" + "0" * 400, ".nan", ".inf", "true", "best", "{}", "[1]")
        ),
        *("eval_results: [3]", "eval_results: foo", "self: 4", "ignore_metadata_errors: false", "library_name: [1]"),
        *(f"model-index: {index}" for index in ("3", "foo", "{}", "[3]", "[{results: 3}]", "[{results: [{metrics: x}]}]")),
    ],
)
def test_one_hostile_card_does_not_spoil_the_search(hub, model, says):
    push(model, "alice/clothes")
    repo = hub.repos["alice/clothes"]
    files = repo.commits[repo.branches["main"]]
    card = Blob(f"---\ntags: [ganzoo]\n{says}\n---\n".encode(), large=False)
    repo.commit("main", {**files, "README.md": card}, "hostile")
    assert [hit.score for hit in search()] == [None]
    # The client reads the card for itself, and may not get over it.
    with contextlib.suppress(HubError):
        ganzoo.load("alice/clothes")


def test_what_the_cache_holds_is_not_written_to(hub, model):
    from ganzoo.hub.locate import locate

    push(model, "alice/clothes")
    assert not locate(pull("alice/clothes")).own
    assert locate(model).own
