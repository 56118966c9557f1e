"""Whether anybody can be reached, told by one try."""

import errno
import os
import socket
import sys
import threading

import pytest

from ganzoo import network
from ganzoo.network import unreachable

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(network, "_reached", set())


@pytest.fixture
def taken():
    """A port on loopback, and the connections that it has taken."""
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            while True:
                try:
                    connections.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1], connections
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in connections:
        connection.close()


@pytest.fixture
def closed():
    """A port on loopback at which nobody listens, kept from everybody else."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def knocks(call):
    """The addresses that were connected to in a call, whatever does it, and what the call returned."""
    seen, listening = [], True

    def hook(event, arguments):
        if listening and event == "socket.connect":
            seen.append(arguments[1])

    sys.addaudithook(hook)
    try:
        return call(), seen
    finally:
        listening = False


def test_who_was_reached_is_not_tried_again(taken):
    port, connections = taken
    for _ in range(3):
        assert unreachable(f"http://127.0.0.1:{port}/path") is None
    # Only a connection that was made has been taken: whoever connects now comes after it.
    socket.create_connection(("127.0.0.1", port)).close()
    while len(connections) < 2:
        pass
    assert len(connections) == 2


def test_who_refuses_is_tried_once_and_again_the_next_time(closed):
    for _ in range(2):
        why, seen = knocks(lambda: unreachable(f"http://127.0.0.1:{closed}"))
        assert why == os.strerror(errno.ECONNREFUSED)
        assert seen == [("127.0.0.1", closed)]


def test_who_says_nothing_is_not_waited_for_any_longer(silent, monkeypatch):
    monkeypatch.setattr(network, "SECONDS", 0.3)
    assert unreachable(f"http://127.0.0.1:{silent}") == network.SILENCE


def test_who_says_nothing_is_waited_for_two_seconds_at_most():
    assert network.SECONDS <= 2
    assert f"{network.SECONDS:g} seconds" in network.SILENCE


def test_a_name_that_nobody_has():
    # RFC 6761 keeps it from everybody.
    why, seen = knocks(lambda: unreachable("https://hub.invalid/api"))
    assert why
    assert seen == []


def test_a_proxy_is_tried_in_the_place_of_whom_it_is_set_for(closed, taken, monkeypatch):
    port, _ = taken
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed}")
    why, seen = knocks(lambda: unreachable("https://hub.invalid"))
    assert why == f"the proxy 127.0.0.1:{closed}: {os.strerror(errno.ECONNREFUSED)}"
    assert seen == [("127.0.0.1", closed)]
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
    assert unreachable("https://hub.invalid") is None
    monkeypatch.setenv("no_proxy", "hub.invalid")
    assert unreachable("https://hub.invalid")


def test_one_address_that_refuses_does_not_hide_another(taken, closed, monkeypatch):
    port, _ = taken
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", p)) for p in (closed, port)]
    assert network._connect(addresses) is None
    assert network._connect(addresses[:1]) == os.strerror(errno.ECONNREFUSED)
    assert network._connect([])


@pytest.mark.parametrize("settings", ["socks9://127.0.0.1", "http://[bad", "http://host:port"])
def test_settings_that_make_no_sense_are_left_to_the_client(settings, monkeypatch):
    monkeypatch.setenv("https_proxy", settings)
    assert unreachable("https://hub.invalid") is None
