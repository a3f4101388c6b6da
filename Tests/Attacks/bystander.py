"""A well-behaved client, in a process of its own: publishes and gets its messages, connects anew now and then.

    bystander.py PORT

It is told `begin`, or `begin known` to make no new connections, and says `ready` once it is served; at `end` it says
how long it was without service at worst (s). What it came too late itself, on a machine that is busy, is taken off.
"""

import http.client
import json
import select
import sys
import time

from bayeux import Peer

PAUSE = 0.02


class Target:
    """The broker, as far as `Peer` wants to know it."""

    def __init__(self, port):
        self.port = port

    def url(self, path, scheme):
        return f"{scheme}://127.0.0.1:{self.port}{path}"


def newcome(port):
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    connection.close()


class Lateness:
    """How late this process is served by the system: what it keeps from us it keeps from the broker, too."""

    def __init__(self):
        self.last = 0.0

    def pause(self):
        """Wait for a word from whoever started us, for a moment; whether there is one."""
        start = time.monotonic()
        has_word = bool(select.select([sys.stdin], [], [], PAUSE)[0])
        if not has_word:
            self.last = max(time.monotonic() - start - PAUSE, 0)
        return has_word


def attend(port, makes_connections):
    """Use the broker until the next word comes, and once more; the worst that happened."""
    worst, latest, number = 0.0, 0.0, 0
    lateness = Lateness()
    with Peer(Target(port)) as subscriber, Peer(Target(port)) as publisher:
        subscriber.listen("/bystander")
        print("ready", flush=True)
        is_over = False
        while not is_over:
            is_over = lateness.pause()
            start = time.monotonic()
            number += 1
            publisher.publish("/bystander", number)
            assert subscriber.next_message("/bystander")["data"] == number
            if makes_connections and number % 5 == 1:
                newcome(port)
            worst = max(worst, time.monotonic() - start - lateness.last)
            latest = max(latest, lateness.last)
        subscriber.leave()
    return {"worst": worst, "late": latest, "count": number}


def main():
    port = int(sys.argv[1])
    while line := sys.stdin.readline():
        report = attend(port, makes_connections="known" not in line)
        assert sys.stdin.readline() == "end\n"
        print(json.dumps(report), flush=True)


main()
