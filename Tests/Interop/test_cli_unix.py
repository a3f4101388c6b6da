"""broker-cli at a Unix socket: every command does there what it does over TCP."""

import json
import os
import subprocess

import pytest

from broker import PATIENCE, PROGRAMS, Broker
from tokens import SECRET, token


class Local:
    """A broker that also listens at a socket, and `broker-cli` there."""

    def __init__(self, folder, settings=""):
        (folder / "fanfare.yaml").write_text(settings)
        self.path = folder / "s"
        options = ["--config", folder / "fanfare.yaml", "--listen", f"unix:{self.path}"]
        self.broker = Broker(folder / "fanfare.db", folder / "log", *options)

    def __enter__(self):
        self.broker.start()
        return self

    def __exit__(self, *_):
        self.broker.kill()

    def cli(self, *arguments, url=None, **variables):
        """One command, to its end: the proxy of the environment, which nobody is, must not be asked."""
        command = [PROGRAMS / "broker-cli", "--url", url or f"unix:{self.path}", *arguments]
        environment = {**os.environ, "http_proxy": "http://127.0.0.1:1", **variables}
        return subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, encoding="utf-8", timeout=PATIENCE
        )


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with Local(tmp_path_factory.mktemp("unix"), "channels: {/log/**: {history: 10}}") as local:
        yield local


def test_messages(local, tmp_path):
    for number in range(3):
        assert local.cli("publish", "/log/a", number).returncode == 0
    assert [line for line in local.cli("history", "/log/a").stdout.splitlines()] != []
    taken = local.cli("subscribe", "/log/a", "--since", "0", "--count", "3", "--format", "raw")
    assert (taken.returncode, taken.stdout) == (0, "0\n1\n2\n"), taken
    assert local.cli("retained", "set", "/kept", '"x"').returncode == 0
    assert local.cli("retained", "get", "/kept").stdout == '"x"\n'
    assert '"/kept"' in local.cli("retained", "list").stdout
    assert local.cli("retained", "clear", "/**").returncode == 0
    assert local.cli("retained", "get", "/kept").returncode == 66
    assert local.cli("publish", "/log/b", "1", "--spool", tmp_path / "outbox").returncode == 0
    assert local.cli("flush", tmp_path / "outbox").returncode == 0
    bench = local.cli("bench", "--rate", "100", "--duration", "1")
    assert bench.returncode == 0, bench


def test_health(local):
    assert local.cli("ping").returncode == 0
    doctor = local.cli("doctor", "--json")
    results = {line["step"]: line for line in map(json.loads, doctor.stdout.splitlines())}
    assert doctor.returncode == 0, doctor
    assert results["endpoint"]["text"] == f"unix:{local.path}"
    assert {results[step]["result"] for step in ["proxy", "tls"]} == {"skipped"}
    assert all(result["result"] in ("ok", "skipped") for result in results.values()), results


def test_nobody_is_there(tmp_path, local):
    missing = local.cli("publish", "/a", "1", "--retry", "0", url=f"unix:{tmp_path}/none")
    assert missing.returncode == 69 and "No such file" in missing.stderr, missing
    elsewhere = local.cli("publish", "/a", "1", "--retry", "0", url=f"unix:{local.path}:/elsewhere")
    assert elsewhere.returncode == 69 and "404" in elsewhere.stderr, elsewhere


def test_administration_takes_a_token(local, tmp_path):
    """Proxies come by Unix sockets, and bring strangers: who comes there is not the administrator by that alone."""
    for command in ["stats", "channels", "sessions"]:
        refused = local.cli(command)
        assert refused.returncode == 77, refused
    (tmp_path / "secret").write_text(SECRET)
    with Local(tmp_path, f"auth: {{keys: [{tmp_path}/secret]}}") as guarded:
        assert guarded.cli("stats").returncode == 77
        assert guarded.cli("stats", FANFARE_TOKEN=token()).returncode == 77
        for command in ["stats", "channels", "sessions"]:
            assert guarded.cli(command, FANFARE_TOKEN=token(admin=True)).returncode == 0, command
