"""Whether anybody can be reached at an address: known at once, where the Hub's client tries for the better part of a minute.

Only the way to the first machine is tried, once, before anything is asked of it: a network that is slow, or that fails now and
then, has all the tries that a client gives it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import selectors
import socket
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from ganzoo.errors import UsageError

SECONDS = 2.0
"""How long to wait for one who says nothing: TCP knocks at once and after 1 second, and whoever waits at a keyboard is told
then. What is refused, or a name that nobody knows, takes no time."""
SILENCE = f"no answer within {SECONDS:g} seconds"

PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}

TOLD = "HF_HUB_OFFLINE is set"
"""Why the client does not ask the Hub, if the user has told it so."""

_reached: set[tuple[str, int]] = set()
"""Who was reached before in this process is not tried again."""


def unreachable(url: str) -> str | None:
    """Why nobody can be reached at an address, in words; None if somebody can be, or that cannot be told.

    Where a proxy is set for it (``https_proxy``, ``all_proxy``, ``no_proxy``, or the system's settings), the proxy is tried.
    """
    hop = _first_hop(url)
    if hop is None or hop in _reached:
        return None
    if why := _knock(*hop):
        return why if urlsplit(url).hostname == hop[0] else f"the proxy {hop[0]}:{hop[1]}: {why}"
    _reached.add(hop)
    return None


@contextlib.contextmanager
def hub_or_its_cache() -> Iterator[str | None]:
    """What the block asks of the Hugging Face Hub is answered from the client's cache alone where the Hub cannot be reached.

    Yields:
        Why only the cache is asked, in words: :data:`TOLD`, or that the Hub cannot be reached. None if the Hub is asked.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        yield TOLD
        return
    why = unreachable(constants.ENDPOINT)
    if why is None:
        yield None
        return
    # As the variable does it, which the client reads once: it then looks into its cache without trying again and again first.
    constants.HF_HUB_OFFLINE = True
    try:
        yield f"the Hub cannot be reached at {constants.ENDPOINT}: {why}"
    finally:
        constants.HF_HUB_OFFLINE = False


def _first_hop(url: str) -> tuple[str, int] | None:
    """The machine and the port that a client connects to first; None if the settings make no sense to us."""
    try:
        parts = urlsplit(url)
        host, proxies = parts.hostname or "", urllib.request.getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if proxy and not urllib.request.proxy_bypass(host):
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None


def _knock(host: str, port: int) -> str | None:
    """Connect once to every address that a host has, side by side. Returns why none of them takes it, None if one does."""
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def knock() -> None:
        try:
            answers.put(_connect(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answers.put(getattr(error, "strerror", None) or str(error))

    # A name server that says nothing cannot be interrupted, only be left alone.
    threading.Thread(target=knock, daemon=True).start()
    try:
        return answers.get(timeout=SECONDS)
    except queue.Empty:
        return SILENCE


def _connect(addresses: Sequence[tuple[Any, ...]]) -> str | None:
    """As :func:`_knock`, for addresses as ``socket.getaddrinfo`` has them."""
    why = "it has no address"
    with contextlib.ExitStack() as opened, selectors.DefaultSelector() as waiting:
        for family, kind, protocol, _, address in addresses:
            knocking = opened.enter_context(socket.socket(family, kind, protocol))
            knocking.setblocking(False)
            code = knocking.connect_ex(address)
            if code in (0, errno.EINPROGRESS):
                waiting.register(knocking, selectors.EVENT_WRITE, knocking)
            else:
                why = os.strerror(code)
        while waiting.get_map():
            ready = waiting.select(SECONDS)
            for key, _ in ready:
                code = key.data.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return None
                why = os.strerror(code)
                waiting.unregister(key.fileobj)
            if not ready:
                return SILENCE
    return why


def check_client() -> None:
    """Raises UsageError if the client's variables are such that it cannot even be imported."""
    try:
        import huggingface_hub.constants  # noqa: F401
    except ValueError as error:
        raise UsageError(f"HF_ENDPOINT, or another variable of the Hub's client, is no address: {error}") from error
