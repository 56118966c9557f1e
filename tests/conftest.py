"""What many tests need: made-up plugin distributions, and the installed ``ganzoo`` command."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from hub.server import Hub, running

from ganzoo import plugins

# The Hub's newer store for large files is a service of its own, which this one does not have.
os.environ["HF_HUB_DISABLE_XET"] = "1"

# The networks here are tiny, and tests run beside each other: more threads would only wait for one another. Before torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every command that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


HUB = pytest.StashKey[Hub]()

SLOW_MODULES = {
    *("test_augmentations", "test_compatibility", "test_docs_python", "test_frozen", "test_network", "test_packaging"),
    *("test_pinned", "test_request", "test_shipped_models", "test_strained", "test_strained_samples"),
}


def pytest_configure(config: pytest.Config) -> None:
    """No test reaches the real Hub: the client reads its address when it is imported, and every process that tests start
    inherits it. The server stops with the tests, and not when the interpreter does: its thread could no longer answer."""
    serving = ExitStack()
    config.add_cleanup(serving.close)
    config.stash[HUB] = serving.enter_context(running())
    os.environ["HF_ENDPOINT"] = config.stash[HUB].endpoint


SLOW_FOLDERS = ("cli", "evaluation", "hub", "shipped", "training")
SLOW_FIXTURES = {"run_ganzoo", "ganzoo_here", "hub", "model", "installed", "train"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts processes, trains or scores is slow; ``-m 'not slow'`` leaves it out."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in SLOW_FOLDERS or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())) or item.path.stem in SLOW_MODULES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    import ganzoo

    run = ganzoo.train(
        "mlp",
        images=256,
        out=tmp_path_factory.mktemp("trained") / "run",
        options={"generator.hidden": [16], "discriminator.hidden": [16], "batch_size": 32},
    )
    return run.folder / "model"


@pytest.fixture
def model(_trained, tmp_path):
    """A model folder of one's own: tiny, and really trained."""
    return shutil.copytree(_trained, tmp_path / "model")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    """Whoever runs the tests may have ganzoo's variables set."""
    for name in [name for name in os.environ if name.startswith("GANZOO_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def hub(request, monkeypatch, tmp_path) -> Iterator[Hub]:
    """An empty Hub on loopback, with alice logged in to it, and an empty cache of downloads."""
    from huggingface_hub import constants

    served = request.config.stash[HUB]
    served.reset()
    cache = tmp_path / "hub-cache"
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    yield served
    served.reset()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port on loopback at which whoever knocks is left without an answer, as where a network drops what it is sent."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        # Nobody takes these, and the system lets no more of them wait.
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture
def plugin_distribution(tmp_path_factory) -> Callable[..., Path]:
    """Install a made-up distribution in a folder of its own, to be put on the path of this or of another process.

    It is a real one: modules beside a ``.dist-info`` folder, found by :mod:`importlib.metadata` like anything from pip.
    """

    def install(
        name: str = "bad-dist",
        *,
        version: str = "1.0",
        entry_points: Mapping[str, str],
        modules: Mapping[str, str],
        requires: Sequence[str] = (),
    ) -> Path:
        folder = tmp_path_factory.mktemp(name)
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {r}" for r in requires),
        ]
        declared = ["[ganzoo]", *(f"{plugin} = {target}" for plugin, target in entry_points.items())]
        files = {**modules, f"{info.name}/METADATA": "\n".join(metadata), f"{info.name}/entry_points.txt": "\n".join(declared)}
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text + "\n")
        return folder

    return install


@pytest.fixture
def load_plugins(monkeypatch) -> Iterator[Callable[..., plugins.Plugins]]:
    """Run discovery afresh in this process, with the distributions in the given folders installed."""
    installed: list[Path] = []

    def load(*folders: Path) -> plugins.Plugins:
        for folder in folders:
            monkeypatch.syspath_prepend(folder)
        installed.extend(folders)
        plugins.load.cache_clear()
        return plugins.load()

    yield load
    plugins.load.cache_clear()
    for name, module in list(sys.modules.items()):
        if any(Path(getattr(module, "__file__", None) or "").is_relative_to(folder) for folder in installed):
            del sys.modules[name]


@pytest.fixture
def run_ganzoo(tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the installed ``ganzoo`` command in an empty folder, with further distributions on its path."""
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"

    def run(
        *args: str | Path, env: Mapping[str, str] | None = None, plugins: Sequence[Path] = ()
    ) -> subprocess.CompletedProcess[str]:
        path = [*map(str, plugins), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.run(
            [command, *args],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def ganzoo_here(tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """As ``run_ganzoo``, from the same entry point but in this process, which has imported torch already.

    For what a command says and does; what it imports, its signals, and other plugins take a process of its own.
    """
    from ganzoo.cli import main

    def run(*args: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in args]
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(StringIO()) as stdout,
            redirect_stderr(StringIO()) as stderr,
        ):
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["ganzoo", *words])
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as left:
                main()
        return subprocess.CompletedProcess(words, left.value.code, stdout.getvalue(), stderr.getvalue())

    return run
