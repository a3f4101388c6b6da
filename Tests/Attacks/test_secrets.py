"""What is nobody else's business: memory of others, files of the broker, ids and tokens in the log."""

import os
import pathlib
import stat
import subprocess

from bayeux import Peer
from broker import PROGRAMS
from conftest import Victim, watch
from wire import Wire, batch, frame, request

POISON = "P0ISON-of-somebody-else"


def test_nothing_of_others_is_sent(broker):
    """Buffers are shared and used again. Others fill them; whoever is not subscribed never sees a byte of that."""
    with watch(broker), Peer(broker) as subscriber, Peer(broker) as publisher:
        subscriber.listen("/poison/**")
        received = b""
        with Wire(broker.port) as wire, Wire(broker.port) as other:
            wire.upgrade("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover")
            for number in range(300):
                publisher.publish(f"/poison/{number % 7}", POISON * (1 + number % 50))
                assert POISON in subscriber.next_message()["data"]
                wire.send(frame(9, b"x" * (number % 126)))
                opcode, payload = wire.frame()
                assert (opcode, payload) == (10, b"x" * (number % 126))
                wire.send(batch({"channel": "/own", "id": str(number), "data": "y" * number}))
                # Small replies are not compressed.
                received += wire.frame()[1]
                other.send(request("GET", f"/channels/none/{number}"))
                received += other.answer()[1]
        assert len(received) > 30_000
        for length in range(len(POISON) - 4):
            assert POISON[length : length + 5].encode() not in received
        subscriber.leave()


def test_files_are_the_owners_alone(tmp_path):
    """Whatever the umask is: the database, its journal, its lock, the control socket, backups and their folder."""
    folder = tmp_path / "state" / "fanfare"
    (tmp_path / "c").mkdir()
    broker = Victim(tmp_path / "c")
    broker.database = folder / "fanfare.db"
    before = os.umask(0)
    try:
        broker.start()
        broker.publish("/kept?retain=true", "secret")
        backup = tmp_path / "state" / "backup.db"
        subprocess.run([PROGRAMS / "broker-server", "backup", backup, "--database", broker.database], check=True)
        subprocess.run(
            [PROGRAMS / "broker-server", "revoke", "--subject", "alice", "--database", broker.database], check=True
        )
        files = [pathlib.Path(path) / name for path, _, names in os.walk(tmp_path / "state") for name in names]
        assert {file.name for file in files} >= {"fanfare.db", "fanfare.db-wal", "backup.db"}
        modes = {file.name: oct(stat.S_IMODE(file.stat().st_mode)) for file in files}
        assert set(modes.values()) == {"0o600"}, modes
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        broker.stop()
    finally:
        os.umask(before)
        broker.kill()


def test_the_log_holds_no_secrets(tmp_path):
    """Neither what is published, nor a whole client id, nor a token: also where something is refused."""
    broker = Victim(tmp_path, "log-level: trace\n")
    try:
        broker.start()
        with Peer(broker) as peer:
            peer.listen("/log")
            client = peer.client_id
            peer.publish("/log", POISON)
            peer.ask("/meta/connect", clientId=client + "0", connectionType="websocket")
            peer.ask("/log", data=POISON, ext={"token": "t0ken.of.somebody"})
            peer.socket.send("[" + POISON)
            peer.ask("/meta/disconnect", clientId=client)
        with Wire(broker.port) as wire:
            wire.ask(request("POST", "/channels/log", "Authorization: Bearer t0ken.of.somebody", body=POISON))
        broker.stop()
        log = broker.log.read_text()
        assert len(log.splitlines()) > 2
        assert POISON not in log and client not in log and "t0ken" not in log
    finally:
        broker.kill()
