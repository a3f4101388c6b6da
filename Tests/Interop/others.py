"""Other people's servers: on a free port, awaited until they listen, ended with the `with` block."""

import contextlib
import shutil
import socket
import subprocess

from broker import PATIENCE, wait_for_line


def free_port():
    """One that was free a moment ago, for those who cannot be asked which one they took."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def running(command, log, ready):
    """A server until the block ends; what it says, or writes itself, goes to the file `log`.

    The block begins when a line of it holds `ready`: then the server listens.
    """
    with open(log, "a", encoding="utf-8") as output:
        server = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output)
    try:
        wait_for_line(log, ready)
        yield server
    finally:
        server.terminate()
        server.wait(PATIENCE)


@contextlib.contextmanager
def tinyproxy(folder, *settings):
    """tinyproxy, for the user `user` with the password `pa.ss`: its port and its log."""
    program = shutil.which("tinyproxy")
    assert program, "tinyproxy is missing: apt-get install tinyproxy"
    port, log, file = free_port(), folder / "tinyproxy.log", folder / "tinyproxy.conf"
    lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "Allow 127.0.0.1", "BasicAuth user pa.ss", *settings]
    file.write_text("".join(f"{line}\n" for line in lines))
    with running([program, "-d", "-c", file], log, "Accepting connections"):
        yield port, log


def nginx(file):
    """The command of nginx, whose `error_log` has to be at the level `notice`; and what it says when it listens."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return [program, "-c", file, "-g", "daemon off;", "-e", file.parent / "log"], "start worker processes"


def haproxy(file):
    """The command of HAProxy, and what it says when it listens."""
    return [shutil.which("haproxy") or "/usr/sbin/haproxy", "-W", "-db", "-f", file], "Loading success"


def caddy(file):
    """The command of Caddy, which keeps everything beside its file; and what it says when it listens."""
    homes = [f"{name}={file.parent}" for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")]
    command = [shutil.which("caddy") or "/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", file]
    return ["env", *homes, *command], "serving initial configuration"
