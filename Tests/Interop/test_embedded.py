"""embedded-broker, the example of a broker inside of another program."""

import re

import pytest

from broker import PROGRAMS, Process
from bayeux import Peer


class Embedded:
    def __init__(self, process):
        self.process = process
        # The program's own client may be there before the broker listens.
        first = process.lines.next() + process.lines.next()
        self.port = int(re.search(r"^http://127.0.0.1:(\d+)/", first, re.M)[1])
        self.subscription = re.search(r"^.* listens to .*$", first, re.M)[0]

    def url(self, path, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}{path}"


@pytest.fixture
def embedded():
    with Process([PROGRAMS / "embedded-broker", "0"]) as process:
        yield Embedded(process)


def test_its_rule_its_service_and_its_client(embedded):
    with Peer(embedded) as peer:
        # The program's own client is told of by its observer.
        assert re.fullmatch(r"[0-9a-z]{31} listens to /news/\*\*", embedded.subscription)
        reply = peer.ask("/news/today", data="rumour")
        assert (reply["successful"], reply["error"]) == (False, "403:/news:Say the word")
        assert peer.ask("/news/today", data="fact", word="please")["successful"] is True
        assert embedded.process.lines.next() == '/news/today: "fact"\n'
        reply = peer.ask("/service/time", data=None)
        assert reply["successful"] is True and reply["data"] > 1_700_000_000
        assert peer.ask("/service/none", data=None)["successful"] is True
