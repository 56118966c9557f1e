"""Where the Hub cannot be reached at all, every command says so after one try, and says what works without it."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

import ganzoo
from ganzoo import network
from ganzoo.hub.push import push

GANZOO = """
import atexit, json, pathlib, sys
path, tried, waited = pathlib.Path(sys.argv.pop(1)), [], []
def hook(event, arguments):
    if event == "socket.connect":
        tried.append(arguments[1])
    elif event == "time.sleep":
        waited.append(arguments[0])
sys.addaudithook(hook)
atexit.register(lambda: path.write_text(json.dumps([tried, waited])))
sys.argv[0] = "ganzoo"
from ganzoo.cli import main; main()
"""
"""The command, which writes down whom it tried to reach and how long it waited to try again, whichever library did."""


@dataclass
class Done:
    """What a command left."""

    code: int
    said: str
    told: str
    tried: list[list[object]]
    waited: list[float]


@pytest.fixture
def run(tmp_path):
    """Run a command with these variables set and no proxies but theirs."""

    def run(*words, **env):
        log = tmp_path / "tried.json"
        there = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        command = [sys.executable, "-c", GANZOO, str(log), *map(str, words)]
        done = subprocess.run(
            command, cwd=tmp_path, env={**there, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stderr, done.stdout, *json.loads(log.read_text()))

    return run


@pytest.fixture
def closed():
    """A port on loopback at which nobody listens, kept from everybody else."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture
def refusing():
    """The port of a proxy that lets nobody through, and what it was asked."""
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            asked.append(self.path)
            self.send_error(403)

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


COMMANDS = {
    "search": ("search",),
    "pull": ("pull", "alice/x"),
    "sample": ("sample", "alice/x", "-o", "x.png"),
    "evaluate": ("evaluate", "alice/x", "--data", "fashion-mnist-10k"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_hub_that_cannot_be_reached_is_tried_once(hub, run, closed, words):
    done = run(*words, HF_ENDPOINT=f"http://127.0.0.1:{closed}")
    assert (done.code, done.told) == (1, "")
    assert len(done.said.splitlines()) == 1, done.said
    assert f"the Hub cannot be reached at http://127.0.0.1:{closed}: " in done.said
    assert "ganzoo list --kind models" in done.said
    assert done.tried == [["127.0.0.1", closed]]
    assert done.waited == []


def test_a_network_that_drops_everything_is_knocked_at_once_and_not_waited_for(hub, run, silent):
    done = run("search", HF_ENDPOINT=f"http://127.0.0.1:{silent}")
    assert (done.code, done.told) == (1, "")
    assert f"the Hub cannot be reached at http://127.0.0.1:{silent}: no answer within {network.SECONDS:g} seconds" in done.said
    assert len(done.said.splitlines()) == 1, done.said
    assert (done.tried, done.waited) == ([["127.0.0.1", silent]], [])


def test_a_proxy_that_cannot_be_reached_is_tried_once(hub, run, closed):
    done = run("search", HF_ENDPOINT="https://hub.invalid", https_proxy=f"http://127.0.0.1:{closed}")
    assert done.code == 1
    assert f"the Hub cannot be reached at https://hub.invalid: the proxy 127.0.0.1:{closed}: " in done.said
    assert (done.tried, done.waited) == ([["127.0.0.1", closed]], [])


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_proxy_that_lets_nobody_through_is_not_asked_again_and_again(hub, run, refusing, words):
    port, asked = refusing
    done = run(*words, HF_ENDPOINT="https://hub.invalid", https_proxy=f"http://127.0.0.1:{port}")
    assert (done.code, done.told) == (1, "")
    assert len(done.said.splitlines()) == 1, done.said
    assert "the Hub cannot be reached at https://hub.invalid: " in done.said
    assert set(asked) == {"hub.invalid:443"}
    assert len(asked) <= 2, "and once by the client itself, which wants to know who uses it"
    assert done.waited == []


def test_who_has_said_that_there_is_no_hub_has_nobody_tried(hub, run):
    for words in COMMANDS.values():
        done = run(*words, HF_HUB_OFFLINE="1")
        assert done.code == 1
        assert "HF_HUB_OFFLINE is set" in done.said
        assert (done.tried, done.waited) == ([], [])


def test_what_could_not_be_pushed_is_still_here(hub, run, closed, model):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    done = run("push", model, "alice/clothes", HF_ENDPOINT=f"http://127.0.0.1:{closed}")
    assert done.code == 1
    assert f"nothing was sent; the model is in {model}" in done.said
    assert (done.tried, done.waited) == ([["127.0.0.1", closed]], [])
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_what_was_downloaded_before_is_sampled_where_the_hub_cannot_be_reached(hub, run, closed, model, tmp_path):
    push(model, "alice/clothes")
    ganzoo.load("alice/clothes")
    done = run("sample", "alice/clothes", "-o", "x.png", HF_ENDPOINT=f"http://127.0.0.1:{closed}")
    assert (done.code, done.said) == (0, "")
    assert (tmp_path / "x.png").is_file()
    assert (done.tried, done.waited) == ([["127.0.0.1", closed]], [])
    # But who pulls asks for what the Hub has now.
    pulled = run("pull", "alice/clothes", HF_ENDPOINT=f"http://127.0.0.1:{closed}")
    assert (pulled.code, pulled.tried) == (1, [["127.0.0.1", closed]])


def test_a_backbone_whose_weights_cannot_be_reached_is_tried_once(hub, run, closed, tmp_path):
    np.savez(tmp_path / "samples.npz", arr_0=np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8))
    words = ("samples.npz", "--data", "samples.npz", "--samples", "40", "--measures", "kid", "--extractor", "timm:resnet10t")
    done = run("evaluate", *words, HF_ENDPOINT=f"http://127.0.0.1:{closed}")
    assert done.code == 1
    assert f"weights of timm:resnet10t cannot be had: the Hub cannot be reached at http://127.0.0.1:{closed}" in done.said
    assert "--extractor cifar10-cnn" in done.said
    assert (done.tried, done.waited) == ([["127.0.0.1", closed]], [])


def test_data_of_the_hub_that_cannot_be_reached_is_tried_once(hub, run, closed):
    pytest.importorskip("datasets", reason="needs the package datasets")
    done = run("train", "mlp", "--data", "hfds/alice/photos", "--images", "64", HF_ENDPOINT=f"http://127.0.0.1:{closed}")
    assert done.code == 1
    assert f"the Hub cannot be reached at http://127.0.0.1:{closed}: " in done.said.splitlines()[-1]
    assert "fashion-mnist-10k" in done.said.splitlines()[-1]
    assert (done.tried, done.waited) == ([["127.0.0.1", closed]], [])
