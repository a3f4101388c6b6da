"""How long a live message takes while another subscriber is given 100,000 retained ones.

    PYTHONPATH=Tests/Interop .build/interop-venv/bin/python Benchmarks/Store/latency.py

Prints percentiles of the time from a publication to its subscriber, before and during. The programs come from FANFARE_BIN.
"""

import json
import pathlib
import tempfile
import threading
import time

from bayeux import Peer
from broker import Broker

COUNT = 100_000


def fill(broker):
    with Peer(broker) as publisher:
        publisher.handshake()
        acknowledged = 0
        for start in range(0, COUNT, 1000):
            numbers = range(start, start + 1000)
            publisher.send(*({"channel": f"/kept/{n}", "data": n, "ext": {"retain": True}} for n in numbers))
            while acknowledged < start + 1000:
                acknowledged += len(json.loads(publisher.socket.recv(30)))


def subscribe_to_all(broker, done):
    with Peer(broker) as subscriber:
        subscriber.handshake()
        subscriber.connect()
        subscriber.send({"channel": "/meta/subscribe", "clientId": subscriber.client_id, "subscription": "/kept/*"})
        received = 0
        start = time.monotonic()
        while received < COUNT:
            received += subscriber.socket.recv(30).count('"retained":true')
        print(f"{COUNT} retained messages in {time.monotonic() - start:.2f} s")
    done.set()


def report(name, times):
    times.sort()
    picked = (f"p{percent} {times[len(times) * percent // 100] * 1e3:.2f} ms" for percent in (50, 90, 99))
    print(f"{name}: {len(times)} messages, {', '.join(picked)}, at most {times[-1] * 1e3:.2f} ms")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        broker = Broker(folder / "fanfare.db", folder / "log").start()
        try:
            fill(broker)
            with Peer(broker) as listener, Peer(broker) as publisher:
                listener.listen("/live")
                publisher.handshake()

                def trip():
                    start = time.monotonic()
                    publisher.send({"channel": "/live", "data": 1})
                    listener.next_message("/live")
                    return time.monotonic() - start

                report("before", [trip() for _ in range(500)])
                done = threading.Event()
                thread = threading.Thread(target=subscribe_to_all, args=(broker, done))
                thread.start()
                times = []
                while not done.is_set():
                    times.append(trip())
                thread.join()
                report("during", times)
        finally:
            broker.kill()


main()
