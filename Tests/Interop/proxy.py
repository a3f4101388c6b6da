"""A TCP proxy in front of a broker, which a test can cut, and which can refuse some kinds of requests."""

import queue
import socket
import threading

from acceptor import Acceptor, end
from broker import PATIENCE

# What the first bytes of a request hold, in lower case, of each kind that can be blocked.
KINDS = {"websocket": b"upgrade: websocket", "eventsource": b"accept: text/event-stream"}


class Network(Acceptor):
    """Between a browser and a broker, on a port of its own. Leaving the `with` block ends it."""

    def __init__(self, broker):
        self._broker = broker
        self._lock = threading.Lock()
        self._pairs = set()
        self._frozen = set()
        self._is_cut = False
        self._blocked = set()
        self._seen = set()
        self._swallowed = None
        super().__init__(self._forward)

    def close(self):
        super().close()
        self.cut()

    def cut(self):
        """Close every connection, and each new one at once."""
        with self._lock:
            self._is_cut = True
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            self._end(pair)

    def mend(self):
        self._swallowed = None
        with self._lock:
            self._is_cut = False

    def swallow(self):
        """Let requests through, and no answer, until it is mended."""
        self._swallowed = queue.Queue()

    def wait_until_swallowed(self, part):
        """Wait for an answer that holds `part`."""
        data = b""
        while part not in data:
            data += self._swallowed.get(timeout=PATIENCE)

    def freeze(self):
        """Let nothing through any more on the connections that there are, and close none: as after a sleep."""
        with self._lock:
            self._frozen |= self._pairs

    def block(self, *kinds):
        """Close connections on which such a request comes: "websocket", "eventsource"."""
        self._blocked = {KINDS[kind] for kind in kinds}

    def has_seen(self, kind):
        """Whether such a request has come, blocked or not."""
        return KINDS[kind] in self._seen

    def _forward(self, client):
        try:
            broker = socket.create_connection(("127.0.0.1", self._broker.port))
        except OSError:
            client.close()
            return
        pair = (client, broker)
        with self._lock:
            is_cut = self._is_cut
            if not is_cut:
                self._pairs.add(pair)
        if is_cut:
            self._end(pair)
            return
        threading.Thread(target=self._carry, args=(pair, broker, client, False), daemon=True).start()
        self._carry(pair, client, broker, True)

    def _carry(self, pair, source, target, is_request):
        try:
            while data := source.recv(65536):
                if pair in self._frozen:
                    continue
                if is_request and b"HTTP/1.1\r\n" in data:
                    seen = {kind for kind in KINDS.values() if kind in data.lower()}
                    self._seen |= seen
                    if seen & self._blocked:
                        break
                if not is_request and (swallowed := self._swallowed):
                    swallowed.put(data)
                    continue
                target.sendall(data)
        except OSError:
            pass
        with self._lock:
            self._pairs.discard(pair)
        self._end(pair)

    @staticmethod
    def _end(pair):
        for connection in pair:
            end(connection)
            connection.close()
