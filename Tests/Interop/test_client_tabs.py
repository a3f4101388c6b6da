"""fanfare.js in several tabs that share one connection."""

import json
import urllib.request

import pytest

from broker import serving
from kept_connection import ask
from script import Script


@pytest.fixture
def keeper(tmp_path):
    with serving(tmp_path, "channels:\n  /kept/**: { history: 100000 }\n") as broker:
        yield broker


class Tabs:
    """Tabs of one browser, each with a client that shares."""

    def __init__(self, browser, broker):
        self.browser = browser
        self.url = broker.url("/health/live")
        self.first = browser.current_window_handle
        self.script = Script(browser, self.url)
        self.handles = [self.first]

    def open(self):
        self.browser.switch_to.new_window("tab")
        self.handles.append(self.browser.current_window_handle)
        self.script.open(self.url)

    def go(self, index):
        self.browser.switch_to.window(self.handles[index])
        return self.script

    def close(self, index):
        """Close one as a person does; another has to be looked at then."""
        self.go(index)
        self.browser.close()
        del self.handles[index]
        self.go(0)


@pytest.fixture
def tabs(browser, keeper):
    tabs = Tabs(browser, keeper)
    try:
        yield tabs
    finally:
        while len(tabs.handles) > 1:
            tabs.close(-1)
        browser.switch_to.window(tabs.handles[0])
        browser.get("about:blank")


START = "await start({ share: true }).subscribe(arguments[0], note); return fanfare.transport"
COUNT_SOCKETS = """
    window.sockets = 0;
    window.WebSocket = class extends WebSocket { constructor(url) { super(url); sockets++; } };
"""


def test_one_connection_for_all(tabs, keeper):
    """Each tab gets what it is subscribed to, once, and its own retained messages; one of them has the socket."""
    keeper.publish("/kept/a?retain", "retained")
    for _ in range(2):
        tabs.open()
    for index, pattern in enumerate(["/kept/*", "/kept/a", "/live"]):
        tabs.go(index).run(COUNT_SOCKETS)
        assert tabs.script.run(START, pattern) == "shared"
    tabs.script.run("await fanfare.publish('/kept/a', 1); await fanfare.publish('/live', 2)")
    expected = [["retained", 1], ["retained", 1], [2]]
    for index, messages in enumerate(expected):
        tabs.go(index).wait(f"got.length >= {len(messages)}")
        assert tabs.script.run("return got") == messages
    assert sum(tabs.go(index).run("return sockets") for index in range(3)) == 1


def test_two_clients_of_a_page(tabs):
    """Each is a tab of its own, also when both are given the same options."""
    got = tabs.script.run(
        """
        const options = { share: true };
        const first = start(options);
        await first.subscribe("/live/first", note);
        await start(options).subscribe("/live/second", note);
        for (const client of [first, fanfare]) await client.publish("/live/first", 1);
        await fanfare.publish("/live/second", 2);
        await until(() => got.length === 3);
        return got.sort();
        """
    )
    assert got == [1, 1, 2]


def test_refusals_reach_the_tab(tabs):
    assert tabs.script.run(START, "/meta/x") == {"error": "FanfareError: 403:/meta/x:Forbidden channel"}
    error = tabs.script.run("return fanfare.publish('/a.b', 1).catch(({ code }) => code)")
    assert error == 405


# The broker wants nobody back.
REFUSE = """
    window.isWanted = false;
    window.WebSocket = class extends WebSocket {
        constructor(url) {
            super(url);
            if (!isWanted) setTimeout(() => this.onclose({ code: 4403, reason: "Log in first" }));
        }
    };
    start({ share: true });
"""


def test_refusal_is_not_for_ever(tabs):
    """Another tab that comes, or another client of a page, has the broker asked again."""
    tabs.script.run(REFUSE)
    tabs.script.wait("fanfare.state === 'closed'")
    tabs.script.run("start({ share: true })")
    tabs.script.wait("fanfare.state === 'closed'")
    tabs.script.run("isWanted = true")
    tabs.open()
    assert tabs.script.run(START, "/live/again") == "shared"
    assert tabs.go(0).run(START, "/live/again") == "shared"
    tabs.script.run("await fanfare.publish('/live/again', 1)")
    for index in range(2):
        tabs.go(index).wait("got.length === 1")


def test_end_of_the_session_reaches_the_tabs(tabs, keeper):
    """The administrator ends it: both tabs are told, not only the one that has the connection."""
    tabs.script.run(START, "/live/ended")
    tabs.open()
    assert tabs.script.run(START, "/live/ended") == "shared"
    with urllib.request.urlopen(keeper.url("/admin/sessions")) as answer:
        (session,) = json.load(answer)["sessions"]
    keeper.run_cli("sessions", "kick", session["id"])
    for index in range(2):
        tabs.go(index).wait("fanfare.state === 'closed'")


def test_tab_with_the_connection_is_closed(tabs, keeper):
    """While messages flow: another one takes over; nothing is missed, nothing comes twice or is stored twice."""
    tabs.script.run(START, "/kept/flow")
    tabs.open()
    tabs.script.run(START, "/kept/flow")
    tabs.script.run(
        """
        window.published = 0;
        window.stop = false;
        window.publishing = (async () => { while (!stop) await fanfare.publish("/kept/flow", published++); })();
        """
    )
    tabs.script.wait("got.length > 50")
    tabs.close(0)
    seen = tabs.script.run("return got.length")
    tabs.script.wait(f"got.length > {seen} + 50")
    got, published = tabs.script.run(
        "stop = true; await publishing; await until(() => got.length >= published); return [got, published]"
    )
    assert got == list(range(published))
    _, kept = ask(keeper, "GET", "/channels/kept/flow?since=0&limit=10000")
    assert [message["data"] for message in json.loads(kept)] == list(range(published))


def test_what_comes_for_a_tab_between_two_of_its_sockets(tabs):
    """It waits with the tab that has the connection, also what the broker does not keep."""
    tabs.script.run(START, "/live/between")
    tabs.open()
    tabs.script.run(START, "/live/between")
    tabs.script.run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    assert tabs.script.run("return fanfare.state") == "waiting"
    tabs.go(0).run("for (const n of [1, 2, 3]) await fanfare.publish('/live/between', n)")
    tabs.script.wait("got.length === 3")
    tabs.go(1).run("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    tabs.script.wait("got.length === 3")
    tabs.go(0).run("await fanfare.publish('/live/between', 4)")
    tabs.go(1).wait("got.length === 4")
    assert tabs.script.run("return got") == [1, 2, 3, 4]


def test_broker_is_killed_under_tabs(tabs, keeper):
    tabs.script.run(START, "/kept/b")
    tabs.open()
    tabs.script.run(START, "/kept/b")
    keeper.kill()
    tabs.script.wait("fanfare.state !== 'connected'")
    tabs.script.run("void (window.waiting = fanfare.publish('/kept/b', 'while it was away'))")
    keeper.start()
    tabs.script.run("await waiting")
    for index in range(2):
        tabs.go(index).wait("got.length === 1")
        assert tabs.script.run("return got") == ["while it was away"]


def test_last_tab_ends_the_session(tabs, keeper):
    """A tab that leaves ends its subscriptions; when all have left, the broker's session ends."""
    tabs.script.run(START, "/live/a")
    tabs.open()
    tabs.script.run(START, "/live/b")
    tabs.script.run("await fanfare.disconnect()")
    tabs.script.wait("fanfare.state === 'closed'")
    keeper.wait_until_unsubscribed("/live/b")
    assert keeper.publish("/live/a", 1)["matched"] == 1
    tabs.go(0).run("await fanfare.disconnect()")
    keeper.wait_until_unsubscribed("/live/a")


# The broker hears no good-bye, so it is waited for until `timeout`; a handshake with the hub can be `held`.
SLOW_GOOD_BYE = """
    window.goodbyes = 0;
    const { send } = WebSocket.prototype, { postMessage } = BroadcastChannel.prototype;
    WebSocket.prototype.send = function (text) {
        text.includes("/meta/disconnect") ? goodbyes++ : send.call(this, text);
    };
    BroadcastChannel.prototype.postMessage = function (message) {
        const post = () => postMessage.call(this, message);
        window.isHolding && message.text?.includes("/meta/handshake") ? (window.held = post) : post();
    };
    window.options = { share: true, timeout: 2000 };
    await start(options).subscribe("/live/a", note);
"""


@pytest.mark.parametrize(
    ("leave", "has_waited"),
    [
        ("await fanfare.disconnect(); start(options)", False),
        (
            """
            const first = fanfare;
            window.isHolding = true;
            start(options);
            await until(() => window.held);
            window.isHolding = false;
            await first.disconnect();
            await until(() => goodbyes);
            held();
            """,
            True,
        ),
    ],
    ids=["comes after it", "has come already"],
)
def test_last_tab_leaves_and_another_comes(tabs, leave, has_waited):
    """The session of the one is being ended; the other gets a new one."""
    tabs.script.run(SLOW_GOOD_BYE)
    tabs.script.run(leave)
    got = tabs.script.run(
        """
        await fanfare.subscribe("/live/a", note);
        await fanfare.publish("/live/a", 1);
        await until(() => got.length);
        return [got, goodbyes, states.some(([state]) => state === "waiting")];
        """
    )
    assert got == [[1], 1, has_waited]
