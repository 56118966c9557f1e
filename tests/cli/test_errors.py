"""What a user reads when something fails: one line, and the right exit code."""

import errno
import os
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import click
import pytest

import ganzoo
from ganzoo.cli.errors import explain
from ganzoo.errors import DataError, ModelError, PluginError, TrainingError, UnknownNameError, UsageError

FAILS = """
import errno, time
import click
import ganzoo
from ganzoo.errors import *

@ganzoo.hookimpl
def register_commands(cli):
    @cli.command()
    @click.argument("code")
    def fail(code):
        exec(code)
"""


@pytest.fixture
def fail(run_ganzoo, plugin_distribution):
    """Run code inside a command of a plugin."""
    folder = plugin_distribution("fails", entry_points={"fails": "fails_plugin"}, modules={"fails_plugin.py": FAILS})
    return lambda code, **env: run_ganzoo("fail", code, plugins=[folder], env=env)


@pytest.mark.parametrize(
    ("error", "message", "hint", "exit_code"),
    [
        (DataError("no pictures", hint="try: that"), "no pictures", "try: that", 1),
        (ModelError("damaged"), "damaged", None, 1),
        (PluginError("broken"), "broken", None, 1),
        (TrainingError("diverged"), "diverged", None, 1),
        (UsageError("wrong"), "wrong", None, 2),
        (UnknownNameError("loss", "hing", ["hinge"]), "unknown loss 'hing'", "did you mean hinge?", 2),
        (click.UsageError("Missing argument 'X'."), "missing argument 'X'", None, 2),
        (click.ClickException("Cannot do."), "cannot do", None, 1),
        (KeyboardInterrupt(), "interrupted", None, 130),
        (click.Abort(), "interrupted", None, 130),
        (PermissionError(errno.EACCES, "Permission denied", "/x y/z"), "/x y/z: Permission denied", None, 1),
        (OSError(errno.EXDEV, "Cross-device link", "a", None, "b"), "a -> b: Cross-device link", None, 1),
        (OSError("no network\nat all"), "no network", None, 1),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", None, 1),
        (MemoryError(), "out of memory: MemoryError", "try: a smaller batch, -o batch_size=16", 1),
        (ImportError("libcuda.so is missing", name="torch"), "an installed package does not work: libcuda.so is missing",
         "see: ganzoo doctor", 1),
    ],
)  # fmt: skip
def test_each_error_has_its_words_and_exit_code(error, message, hint, exit_code):
    assert explain(error) == (message, hint, exit_code)


@pytest.mark.parametrize(
    ("code", "line", "exit_code"),
    [
        ("raise DataError('no pictures in \\'a\\nb\\'', hint='try: ls')", r"ganzoo: no pictures in 'a\nb'; try: ls", 1),
        ("raise UsageError('bad \\x1b[31m key')", r"ganzoo: bad \x1b[31m key", 2),
        ("open('miss\\ning')", r"ganzoo: miss\ning: No such file or directory", 1),
        ("open('/', 'w')", "ganzoo: /: Is a directory", 1),
        ("raise KeyboardInterrupt", "ganzoo: interrupted", 130),
        (
            "raise ValueError('first\\nsecond')",
            "ganzoo: internal error: ValueError: first; set GANZOO_DEBUG=1 for the traceback and report it",
            1,
        ),
        ("assert False", "ganzoo: internal error: AssertionError: AssertionError; set", 1),
        ("raise SystemExit(3)", "", 3),
        ("click.get_current_context().exit(4)", "", 4),
    ],
)
def test_a_failure_is_one_line(fail, code, line, exit_code):
    done = fail(code)
    assert done.returncode == exit_code
    assert done.stdout == ""
    assert done.stderr.strip().startswith(line)
    assert len(done.stderr.strip().splitlines()) == bool(line)


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False)])
def test_debug_shows_the_traceback(fail, value, shown):
    done = fail("raise UsageError('wrong')", GANZOO_DEBUG=value)
    assert done.returncode == 2
    assert ("Traceback" in done.stderr) == shown
    assert done.stderr.endswith("ganzoo: wrong\n")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["lst"], "ganzoo: unknown command 'lst'; did you mean list? list them: ganzoo --help"),
        (["a\nb"], r"ganzoo: unknown command 'a\nb'; list them: ganzoo --help"),
        (["--bogus"], "ganzoo: no such option '--bogus'; try: ganzoo --help"),
        (["list", "--bogus"], "ganzoo: no such option '--bogus'; try: ganzoo list --help"),
        (["list", "a", "b"], "ganzoo: got unexpected extra argument (b); try: ganzoo list --help"),
        (["list", "--kind", "a\nb"], r"ganzoo: invalid value for '--kind': 'a\nb' is not one of "),
    ],
)
def test_a_wrong_request_is_one_line(run_ganzoo, args, line):
    done = run_ganzoo(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_help_and_version(run_ganzoo):
    shown = run_ganzoo("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Exit codes:" in shown.stdout
    assert run_ganzoo("-h").stdout == run_ganzoo().stdout == shown.stdout
    assert run_ganzoo("--version").stdout == f"ganzoo {ganzoo.__version__}\n"


@pytest.mark.parametrize("command", ["list", "info", "train", "sample", "plugins", "doctor"])
def test_every_command_has_help_with_an_example(run_ganzoo, command):
    shown = run_ganzoo(command, "-h")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Example" in shown.stdout
    assert shown.stdout.count(f"ganzoo {command}") >= 2
    assert run_ganzoo(command, "--help").stdout == shown.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_once():
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([command, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "ganzoo: No space left on device\n")


def test_a_signal_interrupts(plugin_distribution, tmp_path):
    folder = plugin_distribution("fails", entry_points={"fails": "fails_plugin"}, modules={"fails_plugin.py": FAILS})
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"
    started = tmp_path / "started"
    code = f"open({str(started)!r}, 'w').close(); time.sleep(60)"
    env = {**os.environ, "PYTHONPATH": str(folder)}
    with subprocess.Popen([command, "fail", code], env=env, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == "ganzoo: interrupted"


def test_letters_that_the_terminal_lacks_are_escaped(fail):
    done = fail("from ganzoo.cli.output import out; out.line('a \\u2192 b')", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a \\u2192 b\n", "")
