"""fanfare.js when its page sleeps, is hidden or put aside, when there is no network, and when its peer falls silent."""

import pytest

from broker import Broker, serving
from page import ELSEWHERE
from script import Script


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    """A broker that keeps a history below /kept, and answers to a name that is not this machine's own."""
    settings = f"allow-host: [{ELSEWHERE}]\nchannels:\n  /kept/**: {{ history: 1000 }}\n"
    with serving(tmp_path_factory.mktemp("life"), settings) as broker:
        yield broker


# Not over event streams: Chromium tries its idle connections first, which are dead as well, one after the other.
@pytest.mark.parametrize("transport", ["websocket", "long-polling"])
def test_silent_peer_is_noticed(script, network, keeper, transport):
    """Nobody closes the connection, nothing comes any more: after `heartbeat` and `timeout` there is another one."""
    script.run(
        """
        window.connects = 0;
        const { send } = WebSocket.prototype, fetched = fetch;
        WebSocket.prototype.send = function (text) {
            connects += text.includes("/meta/connect");
            send.call(this, text);
        };
        window.fetch = (url, options) => {
            connects += Boolean(options?.body?.includes("/meta/connect"));
            return fetched(url, options);
        };
        const options = { transports: [arguments[0]], heartbeat: 300, timeout: 5_000 };
        await start(options).subscribe("/kept/silent", note);
        """,
        transport,
    )
    keeper.publish("/kept/silent", 0)
    script.wait("got.length === 1")
    # An idle connection is not given up: the broker answers every 300 ms.
    connects = script.run("return connects")
    script.wait(f"connects > {connects} + 5")
    assert script.run("return states.length") == 1
    network.freeze()
    frozen = script.run("return performance.now()")
    keeper.publish("/kept/silent", 1)
    script.wait("got.length === 2 && fanfare.state === 'connected'")
    # 300 ms and 5 s, a look every second, and the time to connect; far from the 70 s of a connect that is held on.
    assert script.run("return performance.now()") - frozen < 30_000
    assert script.run("return [got, states[1]]") == [[0, 1], ["waiting", "timeout"]]
    script.run("return fanfare.disconnect()")


# A hidden page whose own timers come late, if at all. (`late` counts those that were asked for.)
HIDE = """
    window.late = 0;
    Object.defineProperty(document, "visibilityState", { get: () => "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    window.setTimeout = window.setInterval = () => late++;
"""

COUNT_WORKERS = """
    window.workers = 0;
    const { terminate } = Worker.prototype;
    Worker.prototype.terminate = function () { workers--; terminate.call(this); };
    window.Worker = class extends Worker { constructor(...all) { super(...all); workers++; } };
"""


def cut_and_mend(script, network):
    network.cut()
    script.wait("fanfare.state === 'waiting'")
    network.mend()


def test_event_stream_that_is_lost_after_a_while(script, network):
    """Signs of life beside it have an interval of their own, which is no time to stay away."""
    script.run(
        """
        const fetched = fetch;
        window.beats = 0;
        window.fetch = (url, options) => {
            beats += Boolean(options?.body?.includes("/meta/connect"));
            return fetched(url, options);
        };
        start({ transports: ["eventsource"], heartbeat: 200 });
        """
    )
    script.wait("beats > 4")
    cut_and_mend(script, network)
    script.wait("fanfare.state === 'connected'")
    assert script.run("return states[1]") == ["waiting", "network"]
    script.run("await fanfare.disconnect()")


@pytest.mark.parametrize("origin", ["own", "another"])
def test_timers_of_a_hidden_page(script, network, keeper, origin):
    """A Worker tells the time, also when the client's files come from another origin than the page."""
    if origin == "another":
        script.run("Object.assign(window, await import(arguments[0]))", keeper.url("/fanfare.js"))
    script.run("await start({ heartbeat: 300, timeout: 700 }).subscribe('/kept/hidden', note)")
    script.run(COUNT_WORKERS + HIDE)
    script.wait("workers === 1")
    cut_and_mend(script, network)
    script.wait("fanfare.state === 'connected'")
    # A connection that died is noticed, too.
    network.freeze()
    keeper.publish("/kept/hidden", 1)
    script.wait("got.length === 1 && fanfare.state === 'connected'")
    assert script.run("return [late > 0, states.some(([, reason]) => reason === 'timeout')]") == [True, True]
    script.run("await fanfare.disconnect()")


def test_hidden_without_a_network(script, network):
    """What tells the time to a hidden page could not be loaded then, and is once there is a connection."""
    script.run(COUNT_WORKERS)
    script.run("start()")
    script.wait("fanfare.state === 'connected'")
    network.cut()
    script.run(
        """
        Object.defineProperty(document, "visibilityState", { get: () => "hidden", configurable: true });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
        """
    )
    script.wait("fanfare.state === 'waiting'")
    network.mend()
    script.wait("fanfare.state === 'connected' && workers === 1")
    script.run("await fanfare.disconnect()")


def test_hidden_from_the_beginning_and_shown(script, network):
    """The Worker goes when the page is seen; a page that is opened behind others has one at once."""
    script.run(COUNT_WORKERS)
    script.run(HIDE + "start()")
    script.wait("workers === 1 && fanfare.state === 'connected'")
    cut_and_mend(script, network)
    script.wait("fanfare.state === 'connected'")
    show = """
        Object.defineProperty(document, "visibilityState", { get: () => "visible", configurable: true });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    """
    script.run(show)
    assert script.run("return workers") == 0
    script.run(HIDE)
    assert script.run("return workers") == 1
    script.run("await fanfare.disconnect()")
    script.wait("workers === 0")


def test_policy_forbids_workers(script, network):
    """The page's own timers do, then; nothing else is disturbed."""
    script.run(
        """
        const policy = { httpEquiv: "Content-Security-Policy", content: "worker-src 'none'" };
        document.head.append(Object.assign(document.createElement("meta"), policy));
        window.faults = [];
        window.violations = 0;
        addEventListener("error", ({ message }) => faults.push(message));
        addEventListener("unhandledrejection", ({ reason }) => faults.push(String(reason)));
        document.addEventListener("securitypolicyviolation", () => violations++);
        Object.defineProperty(document, "visibilityState", { get: () => "hidden", configurable: true });
        await start().subscribe("/kept/forbidden", note);
        """
    )
    script.wait("violations > 0")
    cut_and_mend(script, network)
    script.run("await fanfare.publish('/kept/forbidden', 1); await until(() => got.length === 1)")
    assert script.run("return faults") == []


@pytest.fixture
def kept_page(browser, keeper):
    """A page that the browser keeps when it is left, which it does not with `no-store`; and another one."""
    yield Script(browser, keeper.url("/fanfare.js")), keeper.url("/fanfare-tabs.js")
    browser.get("about:blank")


def test_back_to_a_page(browser, kept_page):
    """It goes on with its session. What it left for the next page is gone: nobody else may claim that any more."""
    script, elsewhere = kept_page
    script.run("await start({ resume: 'mine' }).subscribe('/kept/back', note)")
    client = script.run("return fanfare.clientId")
    browser.get(elsewhere)
    assert browser.execute_script("return sessionStorage.length") == 1
    browser.back()
    script.wait("fanfare.state === 'connected'")
    assert script.run("return [fanfare.clientId, sessionStorage.length]") == [client, 0]
    script.run("dispatchEvent(new PageTransitionEvent('pagehide')); await fanfare.disconnect()")
    assert script.run("return sessionStorage.length") == 0


# What waits to be published when the page goes.
LEAVE = """
    dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    window.publishing = fanfare.publish("/kept/followed", arguments[0]).catch(({ category }) => category);
"""


def test_back_to_a_page_whose_session_another_has(browser, keeper, kept_page):
    """It gets what the other one got, in a session of its own; what waits to be published is sent by one of them."""
    script, elsewhere = kept_page
    subscribe = "await start({ resume: 'mine' }).subscribe('/kept/followed', note)"
    script.run(subscribe)
    keeper.publish("/kept/followed", 0)
    script.wait("got.length === 1")
    client = script.run("return fanfare.clientId")
    script.run(LEAVE, "of the first")
    script.open(elsewhere)
    script.run(subscribe)
    script.wait("got.length === 1")
    assert script.run("return [got, fanfare.clientId]") == [["of the first"], client]
    script.run(LEAVE, "of the second")
    browser.back()
    assert script.run("return publishing") == "closed"
    script.wait("got.length >= 2 && fanfare.state === 'connected'")
    assert script.run("return fanfare.clientId") != client
    # Browsers show the one before, or after, they hide the other: either may be the one that publishes.
    browser.forward()
    script.run("await publishing")
    keeper.publish("/kept/followed", 1)
    script.wait("got.includes(1)")
    assert script.run("return got") == ["of the first", "of the second", 1]
    browser.back()
    script.wait("got.includes(1)")
    assert script.run("return got") == [0, "of the first", "of the second", 1]


def test_two_pages_leave_the_same(script, keeper):
    """Each has a session of its own afterwards, and what waits to be published is sent by the first to be shown."""
    answers = script.run(
        """
        const clients = [connect({ resume: "same" }), start({ resume: "same" })];
        await fanfare.subscribe("/kept/same", note);
        await Promise.all(clients.map((client, index) => client.publish("/kept/same", index)));
        await until(() => got.length === 2);
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
        const answers = clients.map((client, index) => client.publish("/kept/same", index + 2));
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
        dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        return (await Promise.allSettled(answers)).map(({ status, reason }) => reason?.category ?? status);
        """
    )
    assert answers == ["fulfilled", "closed"]
    keeper.publish("/kept/same", "end")
    script.wait("got.includes('end')")
    assert script.run("return [got.sort(), sessionStorage.length]") == [[0, 1, 2, 3, "end"], 0]


def test_browser_without_network(browser, network):
    """No attempts while the browser says that it is offline; one at once when it is online."""
    script = Script(browser, network.url("/health/live").replace("127.0.0.1", ELSEWHERE))
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    script.run("await start().subscribe('/kept/offline', note)")
    script.run(
        """
        window.attempts = 0;
        window.WebSocket = class extends WebSocket { constructor(url) { super(url); attempts++; } };
        // What would be tried again would be tried at once.
        Math.random = () => 0;
        """
    )
    browser.execute_cdp_cmd("Network.enable", {})
    try:
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **conditions})
        script.wait("states.at(-1)[1] === 'offline'")
        # Another tab's timers would have come by now.
        script.run("await new Promise((resolve) => requestIdleCallback(() => setTimeout(resolve, 50)))")
        assert script.run("return [attempts, fanfare.state]") == [0, "waiting"]
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **conditions})
        script.wait("fanfare.state === 'connected'")
        assert script.run("return attempts") == 1
    finally:
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **conditions})
        browser.execute_cdp_cmd("Network.disable", {})
        browser.get("about:blank")


@pytest.mark.parametrize("transport", ["websocket", "eventsource", "long-polling"])
def test_broker_that_stops_says_when_to_come_back(browser, tmp_path, transport):
    """Nobody comes back before that, over any transport."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("timeouts: { drain-spread: 3 }\n")
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "broker.log", "--config", settings).start()
    try:
        script = Script(browser, broker.url("/health/live"))
        script.run(
            """
            const [transport] = arguments;
            window.intervals = [];
            window.attempts = [];
            const read = (text) => {
                for (const { channel, advice } of [JSON.parse(text)].flat()) {
                    // A heartbeat beside an event stream has one, too, and no timeout.
                    const isStopping = channel === "/meta/connect" && advice?.interval && advice.timeout;
                    if (isStopping) intervals.push([advice.interval, performance.now()]);
                }
            };
            const { text } = Response.prototype;
            Response.prototype.text = async function () {
                const result = await text.call(this);
                if (result.startsWith("[")) read(result);
                return result;
            };
            window.EventSource = class extends EventSource {
                constructor(url) {
                    super(url);
                    this.addEventListener("message", ({ data }) => read(data));
                }
            };
            const fetched = fetch;
            window.fetch = (...all) => {
                if (intervals.length) attempts.push(performance.now());
                return fetched(...all);
            };
            window.WebSocket = class extends WebSocket {
                constructor(url) {
                    super(url);
                    if (intervals.length) attempts.push(performance.now());
                    this.addEventListener("message", ({ data }) => read(data));
                }
            };
            Math.random = () => 0;
            await start({ transports: [transport] }).subscribe("/drain", note);
            """,
            transport,
        )
        # The answer to its first connect could come behind the last word.
        script.wait("fanfare.state === 'connected'")
        # Who is between two polls is told nothing.
        broker.wait_for_sample('fanfare_sessions{state="connected"}', 1)
        broker.stop()
        script.wait("attempts.length > 0")
        interval, told, attempt = script.run("return [...intervals[0], attempts[0]]")
        # The timers of browsers are exact to a millisecond.
        assert attempt - told >= interval - 1
        assert interval > 0
        broker.start()
        script.run("await fanfare.publish('/drain', 1); await until(() => got.length === 1)")
    finally:
        broker.kill()
        browser.get("about:blank")
