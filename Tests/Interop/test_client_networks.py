"""fanfare.js over bad networks and restarts of the broker: nothing is missed, nothing comes twice."""

import threading

import pytest

from broker import Broker, serving
from proxy import Network
from script import Script

# Publishes 0, 1, 2, … as fast as they are acknowledged, until `stop` is set; what the page got is in `got`.
PUBLISH = """
    const [channel] = arguments;
    window.published = 0;
    window.acknowledged = [];
    window.stop = false;
    window.publishing = (async () => {
        while (!stop) acknowledged.push((await fanfare.publish(channel, published++)).id);
    })();
"""
FINISH = "stop = true; await publishing; await until(() => got.length >= published); return [got, published]"


@pytest.fixture
def keeper(tmp_path):
    """A broker of this test that keeps a history below /kept."""
    with serving(tmp_path, "channels:\n  /kept/**: { history: 100000 }\n") as broker:
        yield broker


def finish(script):
    got, published = script.run(FINISH)
    assert got == list(range(published))
    assert script.run("return gaps") == []


@pytest.mark.parametrize("transport", [None, "websocket", "eventsource", "long-polling"])
def test_broker_is_killed_while_messages_flow(script, keeper, transport):
    """Three times. The page publishes and is subscribed; what it publishes while the broker is away waits."""
    options = {"transports": [transport]} if transport else {}
    script.run("await start(arguments[0]).subscribe('/kept/flow', note)", options)
    script.run(PUBLISH, "/kept/flow")
    for _ in range(3):
        before = script.run("return got.length")
        script.wait(f"got.length > {before} + 50")
        keeper.kill()
        script.wait("fanfare.state !== 'connected'")
        keeper.start()
        script.wait("fanfare.state === 'connected'")
    finish(script)
    assert transport in (None, script.run("return fanfare.transport"))


@pytest.mark.parametrize("transport", ["websocket", "eventsource", "long-polling"])
def test_network_is_cut_while_messages_flow(script, network, transport):
    script.run("await start({ transports: [arguments[0]] }).subscribe('/kept/cut', note)", transport)
    script.run(PUBLISH, "/kept/cut")
    client = script.run("return fanfare.clientId")
    for _ in range(3):
        before = script.run("return got.length")
        script.wait(f"got.length > {before} + 50")
        network.cut()
        script.wait("fanfare.state !== 'connected'")
        network.mend()
        script.wait("fanfare.state === 'connected'")
    finish(script)
    # The same session all the time.
    assert script.run("return fanfare.clientId") == client


def test_messages_of_others_while_the_network_is_cut(script, network, keeper):
    """Unstored ones, too, for the session goes on; and in the order of their publication."""
    script.run("await start().subscribe('/kept/others', note); await fanfare.subscribe('/live', note)")
    network.cut()
    script.wait("fanfare.state !== 'connected'")
    # What is written to a connection that has ended is lost, if it is not stored.
    keeper.wait_until_none('fanfare_connections{transport="websocket"}')
    for number in range(20):
        keeper.publish("/kept/others" if number % 2 else "/live", number)
    network.mend()
    script.wait("got.length >= 20")
    assert script.run("return got.toSorted((a, b) => a - b)") == list(range(20))


def test_session_is_lost(browser, tmp_path):
    """A broker that has forgotten the session, not the log: the page goes on behind what it had."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("channels:\n  /kept/**: { history: 100000 }\ntimeouts: { connect: 2 }\n")
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "broker.log", "--config", settings).start()
    try:
        with Network(broker) as network:
            script = Script(browser, network.url("/health/live"))
            script.run(
                """
                window.all = [];
                await start().subscribe("/kept/a", note);
                await fanfare.subscribe("/kept/*", (data) => all.push(data));
                """
            )
            broker.publish("/kept/a", 0)
            script.wait("got.length === 1")
            client = script.run("return fanfare.clientId")
            network.cut()
            script.wait("fanfare.state !== 'connected'")
            # Older than what the other subscription will be given first.
            broker.publish("/kept/b", "b")
            # Until the session has expired nobody else is subscribed.
            number = 1
            while broker.publish("/kept/a", number)["matched"]:
                number += 1
            network.mend()
            script.wait(f"got.length > {number} && all.length > {number + 1}")
            assert script.run("return got") == list(range(number + 1))
            assert script.run("return all.filter((data) => data !== 'b')") == list(range(number + 1))
            assert script.run("return all.length") == number + 2
            assert script.run("return fanfare.clientId") != client
            assert ["waiting", "session"] in script.run("return states")
            browser.get("about:blank")
    finally:
        broker.kill()


def test_log_begins_anew(browser, tmp_path):
    """A broker with an empty database: lower numbers are not taken for repetitions, and the page is told."""
    broker = Broker(":memory:", tmp_path / "broker.log").start()
    try:
        script = Script(browser, broker.url("/health/live"))
        script.run("await start().subscribe('/new', note)")
        for number in range(3):
            script.run("await fanfare.publish('/new', arguments[0], { retain: true })", number)
        broker.kill()
        broker.start()
        script.run("await fanfare.publish('/new', 3, { retain: true })")
        script.wait("got.length === 4")
        assert script.run("return [got, gaps]") == [[0, 1, 2, 3], [{"channel": "/new", "isReset": True}]]
    finally:
        broker.kill()


BLOCKED = [
    (["websocket"], "eventsource"),
    (["websocket", "eventsource"], "long-polling"),
]


@pytest.mark.parametrize(("blocked", "transport"), BLOCKED, ids=[row[1] for row in BLOCKED])
def test_falls_back(script, network, keeper, blocked, transport):
    """Another transport is found, works as well, and is the first one that the next page tries."""
    network.block(*blocked)
    script.run("await start().subscribe('/kept/back/*', note); await until(() => fanfare.state === 'connected')")
    assert script.run("return fanfare.transport") == transport
    for number in range(10):
        keeper.publish("/kept/back/a", number)
    script.run("await Promise.all([10, 11, 12].map((n) => fanfare.publish('/kept/back/b', n)))")
    script.wait("got.length === 13")
    assert script.run("return got") == list(range(13))
    script.reload()
    script.run("await start().publish('/kept/back/a', 1); await until(() => fanfare.state === 'connected')")
    assert script.run("return [fanfare.transport, states]") == [transport, [["connected", None]]]


def test_answer_is_swallowed_after_a_fall_back(script, network, keeper):
    """A session that began on a WebSocket polls; the answer that takes a message along is lost, the message is not."""
    script.run("Math.random = () => 0; await start().subscribe('/live/swallowed', note)")
    client = script.run("return fanfare.clientId")
    network.block("websocket", "eventsource")
    network.cut()
    network.mend()
    script.wait("fanfare.transport === 'long-polling' && fanfare.state === 'connected'")
    keeper.publish("/live/swallowed", 0)
    script.wait("got.length === 1")
    network.swallow()
    keeper.publish("/live/swallowed", 1)
    network.wait_until_swallowed(b'"data":1')
    network.cut()
    script.wait("fanfare.state !== 'connected'")
    network.mend()
    script.wait("got.length >= 2")
    keeper.publish("/live/swallowed", 2)
    script.wait("got.length >= 3")
    assert script.run("return [got, fanfare.clientId]") == [[0, 1, 2], client]


def test_goes_back_to_the_websocket(script, network):
    """What is blocked for a while only does not keep the page from it for ever."""
    network.block("websocket")
    script.run(
        """
        const later = setTimeout;
        window.setTimeout = (step, delay) => (delay === 30_000 ? void (window.probe = step) : later(step, delay));
        await start().subscribe("/kept/up", note);
        """
    )
    assert script.run("return fanfare.transport") == "eventsource"
    network.block()
    script.run("probe(); await until(() => fanfare.transport === 'websocket' && fanfare.state === 'connected')")
    script.run("await fanfare.publish('/kept/up', 1); await until(() => got.length === 1)")
    assert script.run("return [states.find(([, reason]) => reason === 'upgrade'), localStorage.length]") == [
        ["waiting", "upgrade"],
        0,
    ]


def test_browser_is_offline_and_back(script, network):
    """The event that the network is back ends the wait at once."""
    script.run(
        """
        await start().subscribe("/kept/offline", note);
        Math.random = () => 0.999;
        window.attempts = 0;
        window.WebSocket = class extends WebSocket {
            constructor(url) { super(url); attempts++; }
        };
        """
    )
    network.cut()
    # The wait after the fourth loss is some seconds.
    script.wait("attempts >= 3 && fanfare.state === 'waiting'")
    network.mend()
    script.run("dispatchEvent(new Event('online')); await fanfare.publish('/kept/offline', 1)")
    script.wait("got.length === 1")


def test_connection_died_in_its_sleep(script, network, keeper):
    """Nobody has closed it. When the page is seen again, or the network is back, it is tried and given up."""
    script.run("await start().subscribe('/kept/sleep', note); await fanfare.publish('/kept/sleep', 0)")
    script.wait("got.length === 1")
    network.freeze()
    # Written to the connection that is dead, which the broker does not know.
    keeper.publish("/kept/sleep", 1)
    script.run("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    script.wait("states.length === 4 && fanfare.state === 'connected'")
    script.wait("got.length === 2")
    assert script.run("return [got, states[1]]") == [[0, 1], ["waiting", "timeout"]]


def test_two_thousand_messages_over_a_flaky_network(script, network, keeper):
    """The network is cut again and again while somebody else publishes."""
    script.run("await start().subscribe('/kept/flaky', note)")
    publisher = threading.Thread(target=lambda: [keeper.publish("/kept/flaky", n) for n in range(2000)])
    publisher.start()
    for cut in range(1, 8):
        script.wait(f"got.length > {200 * cut}")
        network.cut()
        network.mend()
    publisher.join()
    script.wait("got.length >= 2000")
    assert script.run("return got") == list(range(2000))
