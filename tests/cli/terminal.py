"""The installed command on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sysconfig
import termios
from pathlib import Path


def on_terminal(*args, columns=None, cwd=None, **env):
    """What the installed command writes to a terminal, which is so many columns wide or does not say."""
    ours, theirs = pty.openpty()
    if columns:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [command, *map(str, args)], stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env={**given, "TERM": "xterm", **env}
    ) as process:
        os.close(theirs)
        written = b""
        while chunk := _read(ours):
            written += chunk
    os.close(ours)
    assert process.returncode == 0, written
    return written.decode()


def _read(terminal):
    # Linux reports the other side's closing as an error.
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
