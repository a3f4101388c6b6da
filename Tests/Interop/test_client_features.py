"""What fanfare.js can do, against a real broker."""

import gzip
import json
import urllib.request

import pytest

from broker import PATIENCE, serving
from script import Script

# Compressed, as it is served.
CORE_BYTES = 8000


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    """A broker that keeps a history below /kept."""
    with serving(tmp_path_factory.mktemp("keeper"), "channels:\n  /kept/**: { history: 1000 }\n") as broker:
        yield broker


@pytest.fixture
def script(browser, keeper):
    script = Script(browser, keeper.url("/health/live"))
    yield script
    browser.execute_async_script("(window.fanfare?.disconnect() ?? Promise.resolve()).then(arguments[0])")


def get(broker, path, **fields):
    request = urllib.request.Request(broker.url(path), headers=fields)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return response.headers, response.read()


def test_files(keeper):
    """The core is small; everything has its type and may be cached only if it is asked for again."""
    for name, kind in {
        "fanfare.js": "text/javascript",
        "fanfare-fallback.js": "text/javascript",
        "fanfare-resume.js": "text/javascript",
        "fanfare-ticker.js": "text/javascript",
        "fanfare-tabs.js": "text/javascript",
        "fanfare-token.js": "text/javascript",
        "fanfare.d.ts": "text/plain",
    }.items():
        headers, body = get(keeper, f"/{name}")
        assert headers["Content-Type"] == f"{kind}; charset=utf-8", name
        assert headers["Cache-Control"] == "no-cache", name
        assert headers["X-Content-Type-Options"] == "nosniff", name
        headers, packed = get(keeper, f"/{name}", **{"Accept-Encoding": "gzip, deflate"})
        assert headers["Content-Encoding"] == "gzip", name
        assert gzip.decompress(packed) == body, name
        if name == "fanfare.js":
            assert len(packed) < CORE_BYTES


def test_types_name_all_that_is_exported(script):
    """fanfare.d.ts has every export and every public member, and nothing besides."""
    declared = script.run("return (await fetch('/fanfare.d.ts')).text()")
    exports, members = script.run(
        "return [Object.keys(await import('/fanfare.js')), Object.getOwnPropertyNames(Fanfare.prototype)]"
    )
    for name in exports:
        assert f"export function {name}(" in declared or f"export class {name} " in declared, name
    for name in set(members) - {"constructor", "deliver"}:
        assert f"    {name}(" in declared or f"    {name}<" in declared or f"readonly {name}:" in declared, name


FEATURES = [
    (
        "options alone",
        "await start({ url: '/bayeux' }).publish('/f/a', 1); return fanfare.transport",
        "websocket",
    ),
    (
        "a subscription is iterated, in order, and ends with the loop",
        """
        const fanfare = start();
        const subscription = fanfare.subscribe("/f/iterated/*");
        await subscription;
        for (const n of [1, 2, 3]) fanfare.publish("/f/iterated/a", n);
        const seen = [];
        for await (const { channel, data } of subscription) {
            seen.push([channel, data]);
            if (data === 3) break;
        }
        const { successful } = await fanfare.publish("/f/iterated/a", 4);
        return [seen, successful];
        """,
        [[["/f/iterated/a", 1], ["/f/iterated/a", 2], ["/f/iterated/a", 3]], True],
    ),
    (
        "an iteration ends when it is unsubscribed elsewhere",
        """
        const subscription = await start().subscribe("/f/ended");
        setTimeout(() => subscription.unsubscribe());
        for await (const _ of subscription) return "a message";
        return "ended";
        """,
        "ended",
    ),
    (
        "an iteration that falls behind ends with an error",
        """
        const subscription = await start().subscribe("/f/slow", { buffer: 2 });
        await fanfare.subscribe("/f/slow", note);
        for (const n of [1, 2, 3]) fanfare.publish("/f/slow", n);
        await until(() => got.length === 3);
        const seen = [];
        try {
            for await (const { data } of subscription) seen.push(data);
        } catch (error) {
            return [seen, error.message];
        }
        """,
        [[1, 2], "The iteration fell behind; messages were lost."],
    ),
    (
        "an iteration over what may not be subscribed to",
        "for await (const _ of start().subscribe('/meta/x')) return 1",
        {"error": "FanfareError: 403:/meta/x:Forbidden channel"},
    ),
    (
        "retained: for every subscription, also a second one of the same pattern; or not at all",
        """
        const fanfare = start();
        await fanfare.publish("/f/retained", "kept", { retain: true });
        await fanfare.subscribe("/f/retained", (data, { ext }) => got.push(["first", data, ext.retained ?? false]));
        await until(() => got.length === 1);
        await fanfare.subscribe("/f/retained", (data, { ext }) => got.push(["second", data, ext.retained ?? false]));
        await until(() => got.length === 2);
        await fanfare.subscribe("/f/retained", (data) => got.push(["third", data]), { retained: false });
        await fanfare.publish("/f/retained", null, { retain: true });
        await until(() => got.length === 5);
        return got;
        """,
        [
            ["first", "kept", True],
            ["second", "kept", True],
            ["first", None, False],
            ["second", None, False],
            ["third", None],
        ],
    ),
    (
        "since: the start, or a sequence number",
        """
        const fanfare = start();
        for (const n of [1, 2, 3]) await fanfare.publish("/kept/since", n);
        const seqs = [];
        await fanfare.subscribe("/kept/since", (data, { ext }) => seqs.push([data, ext.seq]), { since: "start" });
        await until(() => seqs.length === 3);
        await fanfare.subscribe("/kept/since", note, { since: seqs[0][1] });
        await until(() => got.length === 2);
        const replayed = [];
        await fanfare.subscribe("/kept/*", (data) => replayed.push(data), { replay: -1 });
        await fanfare.publish("/kept/since", 4);
        await until(() => replayed.length === 1 && got.length === 3 && seqs.length === 4);
        return [seqs.map(([data]) => data), got, replayed];
        """,
        [[1, 2, 3, 4], [2, 3, 4], [4]],
    ),
    (
        "noEcho, and an id of one's own that is stored once",
        """
        const fanfare = start();
        await fanfare.subscribe("/kept/own", note);
        await fanfare.publish("/kept/own", "unheard", { noEcho: true });
        for (const _ of [1, 2]) await fanfare.publish("/kept/own", "once", { id: "mine" });
        await fanfare.publish("/kept/own", "end");
        await until(() => got.includes("end"));
        return got;
        """,
        ["once", "end"],
    ),
    (
        "a receipt: the number in the log, and how many it went to",
        """
        const fanfare = start();
        await fanfare.subscribe("/kept/receipt", note);
        await fanfare.subscribe("/f/receipt", note);
        const stored = await fanfare.publish("/kept/receipt", 1, { receipt: true });
        await fanfare.publish("/kept/receipt", 2);
        const next = await fanfare.publish("/kept/receipt", 3, { receipt: true });
        const live = await fanfare.publish("/f/receipt", 4, { receipt: true });
        const unheard = await fanfare.publish("/f/unheard", 5, { receipt: true });
        const plain = await fanfare.publish("/kept/receipt", 6);
        return [next.seq - stored.seq, stored.matched, live.seq ?? null, live.matched, unheard.matched,
            plain.seq ?? null, plain.matched ?? null];
        """,
        [2, 1, None, 1, 0, None, None],
    ),
    (
        "states with their reasons",
        "await start().publish('/f/a', 1); await fanfare.disconnect(); return states",
        [["connected", None], ["closed", "disconnect"]],
    ),
    (
        "a page that is put aside has no socket, and one when it is shown again",
        """
        const fanfare = start();
        await fanfare.subscribe("/f/aside", note);
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
        const hidden = fanfare.state;
        const waiting = fanfare.publish("/f/aside", 1);
        dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        await waiting;
        await until(() => got.length === 1);
        return [hidden, states];
        """,
        ["waiting", [["connected", None], ["waiting", "hidden"], ["connecting", None], ["connected", None]]],
    ),
]


@pytest.mark.parametrize(("body", "result"), [row[1:] for row in FEATURES], ids=[row[0] for row in FEATURES])
def test_feature(script, body, result):
    assert script.run(body) == result


def test_tokens_are_fetched_when_they_are_needed(script):
    """For the handshake; when a renewal is due, and then sent with a connect. A failure is told, and tried again."""
    result = script.run(
        """
        const sent = [];
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
            const [{ channel, ext }] = JSON.parse(text);
            if (ext?.token) sent.push([channel, ext.token]);
            return send.call(this, text);
        };
        const timers = [], later = setTimeout;
        window.setTimeout = (step, delay) => {
            if (delay < 5_000) return later(step, delay);
            timers.push([delay, step]);
        };
        const jwt = (seconds) => `e30.${btoa(JSON.stringify({ exp: Date.now() / 1000 + seconds }))}.x`;
        const tokens = [() => { throw new Error("no network"); }, () => jwt(1000), () => "second"];
        start({ token: async () => tokens.shift()() });
        await until(() => timers.some(([delay]) => delay < 10_001));
        timers.splice(timers.findIndex(([delay]) => delay < 10_001), 1)[0][1]();
        await fanfare.publish("/f/a", 1);
        const [delay, renew] = timers.find(([delay]) => delay > 700_000);
        renew();
        await until(() => sent.length === 2);
        window.setTimeout = later;
        WebSocket.prototype.send = send;
        return [errors, delay < 960_000, sent.map(([channel, token]) => [channel, token.slice(0, 6)])];
        """
    )
    assert result == [["no network"], True, [["/meta/handshake", "e30.ey"], ["/meta/connect", "second"]]]


def test_no_token_to_be_had(script):
    result = script.run(
        """
        const refusal = Object.assign(new Error("log in first"), { name: "UnauthorizedError" });
        const fanfare = start({ token: () => Promise.reject(refusal) });
        const error = await fanfare.publish("/f/a", 1).catch((error) => error.message);
        return [error, states];
        """
    )
    assert result == ["log in first", [["closed", "unauthorized"]]]


def test_reload_resumes(script, keeper):
    """The session, its subscriptions, what came meanwhile and what waited to be published outlive a reload."""
    script.run("await start({ resume: true }).subscribe('/kept/reload/*', note); await fanfare.subscribe('/f/x', note)")
    keeper.publish("/kept/reload/a", 1)
    script.wait("got.length === 1")
    client = script.run("return fanfare.clientId")
    script.run("dispatchEvent(new PageTransitionEvent('pagehide')); fanfare.publish('/kept/reload/b', 'queued')")
    script.run("dispatchEvent(new PageTransitionEvent('pagehide'))")
    keeper.publish("/kept/reload/a", 2)
    script.reload()
    keeper.publish("/kept/reload/a", 3)
    script.run("start({ resume: true }); await until(() => fanfare.state === 'connected')")
    assert script.run("return [fanfare.clientId, sessionStorage.length]") == [client, 0]
    keeper.publish("/kept/reload/a", 4)
    script.run("await fanfare.subscribe('/kept/reload/*', note)")
    script.wait("got.length >= 4")
    assert sorted(map(str, script.run("return got"))) == ["2", "3", "4", "queued"]


def test_reload_after_the_session_was_lost(script, keeper):
    """The broker has forgotten the session: the page goes on from the last sequence number all the same."""
    script.run("await start({ resume: 'mine' }).subscribe('/kept/lost', note)")
    keeper.publish("/kept/lost", 1)
    script.wait("got.length === 1")
    client = script.run("return fanfare.clientId")
    script.run("dispatchEvent(new PageTransitionEvent('pagehide'))")
    goodbye = json.dumps([{"channel": "/meta/disconnect", "clientId": client}]).encode()
    request = urllib.request.Request(keeper.url("/bayeux"), goodbye, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=PATIENCE).close()
    keeper.publish("/kept/lost", 2)
    script.reload()
    script.run("await start({ resume: 'mine' }).subscribe('/kept/lost', note)")
    keeper.publish("/kept/lost", 3)
    script.wait("got.length === 2")
    assert script.run("return got") == [2, 3]
    assert script.run("return fanfare.clientId") != client


def test_ten_thousand_messages_leave_nothing_behind(script, keeper):
    """After a warm-up the heap does not grow with the number of messages published and delivered."""
    script.run(
        """
        window.count = 0;
        await start().subscribe("/kept/heap", () => count++);
        window.rounds = async (rounds) => {
            for (let round = 0; round < rounds; round++) {
                const text = "x".repeat(100);
                const all = Array.from({ length: 500 }, (_, n) => fanfare.publish("/kept/heap", { round, n, text }));
                await Promise.all(all);
            }
        };
        await rounds(2);
        """
    )

    def heap():
        script.browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        return script.browser.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]

    script.wait("count === 1000")
    before = heap()
    for _ in range(10):
        script.run("await rounds(2)")
    script.wait("count === 11000")
    # 10,000 messages of more than 100 bytes would be more than a megabyte.
    assert heap() - before < 400_000
