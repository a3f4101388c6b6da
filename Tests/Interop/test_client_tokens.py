"""fanfare.js, and FanfareClient for Swift, with a broker that wants tokens: they expire, are renewed, are refused."""

import json
import subprocess
import threading

import pytest

from broker import PATIENCE, PROGRAMS, Process, serving
from script import Script
from tokens import SECRET, token
from web_server import Answer, WebServer

RIGHTS = {"publish": ["/closed/**", "/guide/**"], "subscribe": ["/closed/**", "/guide/**"]}
CONFIGURATION = """\
auth:
  keys: [{secret}]
  grace: 20
channels:
  /closed/**: {{ publish: granted, subscribe: granted, history: 1000 }}
  /guide/**: {{ publish: granted, subscribe: granted, history: 1000 }}
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "secret").write_text(SECRET + "\n")
    with serving(folder, CONFIGURATION.format(secret=folder / "secret")) as broker:
        yield broker


class Login(WebServer):
    """Where a page fetches its tokens. `next` makes one; None for nobody who is logged in, who gets 403."""

    def __init__(self):
        super().__init__(self._log_in)
        self.count = 0
        self.next = lambda: token(**RIGHTS)

    def _log_in(self, path):
        self.count += 1
        text = self.next()
        return Answer((text or "").encode(), 200 if text else 403, fields={"Access-Control-Allow-Origin": "*"})


@pytest.fixture
def login():
    with Login() as login:
        yield login


@pytest.fixture
def script(browser, guarded, login):
    script = Script(browser, guarded.url("/health/live"))
    script.run(
        """
        window.token = async () => {
            const answer = await fetch(arguments[0]);
            if (!answer.ok) throw Object.assign(new Error("log in first"), { name: "UnauthorizedError" });
            return answer.text();
        };
        """.replace("arguments[0]", json.dumps(login.url()))
    )
    yield script
    browser.get("about:blank")


TRANSPORTS = ["websocket", "eventsource", "long-polling"]

# The page renews its tokens four seconds earlier than it should, so that one that comes late does no harm.
AHEAD = "const now = Date.now; Date.now = () => now() + 4_000;"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_token_opens_what_is_closed(script, transport):
    result = script.run(
        """
        const transports = [arguments[0]];
        const stranger = connect({ transports });
        const refused = await stranger.subscribe("/closed/a", note).catch(({ category, code }) => [category, code]);
        await stranger.disconnect();
        await start({ transports, token }).subscribe("/closed/a", note);
        await fanfare.publish("/closed/a", "let in");
        await until(() => got.length === 1);
        await fanfare.disconnect();
        return [refused, got];
        """,
        transport,
    )
    assert result == [["denied", 403], ["let in"]]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_session_outlives_its_tokens(script, login, transport):
    """Tokens of six seconds: each is replaced in time, in the same session, and no message is late or missing."""
    login.next = lambda: token(seconds=6, **RIGHTS)
    script.run(AHEAD + "await start({ transports: [arguments[0]], token }).subscribe('/closed/long', note)", transport)
    client = script.run("return fanfare.clientId")
    number = 0
    # The first two have expired by then.
    while login.count < 6:
        script.run("await fanfare.publish('/closed/long', arguments[0])", number)
        number += 1
        script.wait(f"got.length === {number}")
    assert script.run("return [got, states.length, fanfare.clientId, errors]") == [list(range(number)), 1, client, []]
    script.run("await fanfare.disconnect()")


def test_renewal_comes_when_most_of_the_life_is_over(script, login):
    login.next = lambda: token(seconds=8, **RIGHTS)
    script.run(AHEAD + "window.begun = performance.now(); await start({ token }).subscribe('/closed/renewal', note)")
    assert login.count == 1
    while login.count < 2:
        script.run("await fanfare.publish('/closed/renewal', 1)")
    # 80 to 95 % of the 4 s that it knows of.
    assert script.run("return performance.now() - begun") >= 3200
    script.run("await fanfare.publish('/closed/renewal', 2)")
    assert script.run("return [states.length, errors]") == [1, []]


def test_refused_token_is_replaced(script, login):
    """One that has expired already, and one of another key: the next one is asked for, and does."""
    bad = [token(seconds=-100, **RIGHTS), token(**RIGHTS)[:-4] + "AAAA"]
    login.next = lambda: bad.pop() if bad else token(**RIGHTS)
    script.run("await start({ token }).subscribe('/closed/again', note)")
    assert login.count == 3
    assert [state for state, _ in script.run("return states")].count("connected") == 1


def test_nobody_is_logged_in_any_more(script, login, guarded):
    """The page throws an `UnauthorizedError`: it is over, and nobody asks again."""
    login.next = lambda: token(seconds=2, **RIGHTS)
    script.run("await start({ token }).subscribe('/closed/end', note)")
    login.next = lambda: None
    script.wait("fanfare.state === 'closed'")
    assert script.run("return states.at(-1)") == ["closed", "unauthorized"]
    asked = login.count
    error = script.run("return fanfare.publish('/closed/end', 1).catch(({ category }) => category)")
    assert (error, login.count) == ("closed", asked)


def test_revoked_token(script, login, guarded):
    """Taken back by the operator: the page is asked for another one, and has none."""
    login.next = lambda: token("mallory", **RIGHTS)
    script.run("await start({ token }).subscribe('/closed/revoked', note)")
    login.next = lambda: None
    revoke = [PROGRAMS / "broker-server", "revoke", "--subject", "mallory", "--database", guarded.database]
    ended = subprocess.run(revoke, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stderr
    script.wait("fanfare.state === 'closed'")


def test_ticket_for_a_bare_event_source(script, guarded):
    """It cannot show a token; a ticket stands for one, once."""
    result = script.run(
        """
        const headers = { Authorization: `Bearer ${await token()}` };
        const { ticket } = await (await fetch("/tickets", { method: "POST", headers })).json();
        const open = (query) => new Promise((resolve) => {
            const source = new EventSource(`/channels/closed/ticket${query}`);
            source.onopen = () => resolve(source);
            source.onerror = () => (source.close(), resolve(undefined));
        });
        const stranger = await open("");
        const source = await open(`?ticket=${ticket}`);
        const again = await open(`?ticket=${ticket}`);
        const message = new Promise((resolve) => (source.onmessage = ({ data }) => resolve(JSON.parse(data).data)));
        await start({ token }).publish("/closed/ticket", "by ticket");
        const data = await message;
        source.close();
        await fanfare.disconnect();
        return [stranger ?? null, again ?? null, data];
        """
    )
    assert result == [None, None, "by ticket"]


def test_swift_client_outlives_its_tokens(guarded, tmp_path):
    """The same for programs: the guide's program runs for longer than its token is good for, until there is none."""
    file = tmp_path / "token"
    stop = threading.Event()

    def renew():
        while not stop.is_set():
            (tmp_path / "next").write_text(token(seconds=10, **RIGHTS))
            (tmp_path / "next").rename(file)
            stop.wait(0.2)

    file.write_text(token(seconds=10, **RIGHTS))
    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        with Process([PROGRAMS / "client-guide", guarded.url("/bayeux"), file]) as program:
            # A tick is 200 ms.
            assert [program.lines.next() for _ in range(60)] == [f"tick {number}\n" for number in range(60)]
            stop.set()
            renewing.join()
            file.write_text("")
            while (line := program.lines.next()).startswith("tick"):
                pass
            # It hears of it by reading or by publishing, whichever it is at.
            assert line in ("over: log in first\n", "over: the client is closed\n")
            assert program.wait() == 0
    finally:
        stop.set()
        renewing.join()
