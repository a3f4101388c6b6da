"""Signals that come when nobody waits for them yet."""

import signal
import socket

from broker import PATIENCE, PROGRAMS, Process, wait_for_line

ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_a_hangup_during_the_start_is_a_reload(tmp_path):
    file, log = tmp_path / "fanfare.yaml", tmp_path / "log"
    command = [PROGRAMS / "broker-server", "serve", "--listen", "127.0.0.1:0", "--database", ":memory:"]
    with socket.create_server(("127.0.0.1", 0)) as keys:
        keys.settimeout(PATIENCE)
        file.write_text(f"auth: {{keys: ['http://127.0.0.1:{keys.getsockname()[1]}/']}}\n")
        with log.open("w") as errors, Process([*command, "--config", file], stderr=errors) as broker:
            # The broker asks for its keys before it listens.
            asked, _ = keys.accept()
            with asked:
                broker.signal(signal.SIGHUP)
                file.write_text("log-level: debug\n")
                asked.sendall(ANSWER)
            assert "log-level" in wait_for_line(log, "configuration reloaded")
            assert broker.terminate() == 0
