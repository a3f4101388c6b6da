"""fanfare.js, the browser's client, in a real browser: against the broker, and against a scripted transport."""

import pytest


def run(page, body):
    """Run a piece of JavaScript with `connect` at hand; what it returns, or the error that it throws."""
    script = """
        const [done] = [...arguments].slice(-1);
        import("/fanfare.js").then(async ({ connect, matches, Fanfare }) => { BODY })
            .then((value) => done({ value }), (error) => done({ error: `${error.name}: ${error.message}` }));
    """
    return page.browser.execute_async_script(script.replace("BODY", body))


CLIENT = [
    (
        "several subscriptions, one message each",
        """
        const fanfare = connect();
        const got = [];
        const first = new Promise((resolve) => { fanfare.subscribe("/js/last", resolve); });
        for (const pattern of ["/js/*", "/js/**", "/js/a"]) {
            await fanfare.subscribe(pattern, (data, { channel }) => got.push([pattern, channel, data]));
        }
        const again = await fanfare.subscribe("/js/a", () => got.push("removed"));
        await again.unsubscribe();
        fanfare.publish("/js/a", { n: 1 });
        fanfare.publish("/js/b/c", null);
        fanfare.publish("/js/last", "end");
        await first;
        await fanfare.disconnect();
        return [got.filter(([, channel]) => channel !== "/js/last"), fanfare.state];
        """,
        {
            "value": [
                [
                    ["/js/*", "/js/a", {"n": 1}],
                    ["/js/**", "/js/a", {"n": 1}],
                    ["/js/a", "/js/a", {"n": 1}],
                    ["/js/**", "/js/b/c", None],
                ],
                "closed",
            ]
        },
    ),
    (
        "the acknowledgement",
        """
        const fanfare = connect();
        const { successful, channel } = await fanfare.publish("/js/a", 1);
        await fanfare.disconnect();
        return { successful, channel };
        """,
        {"value": {"successful": True, "channel": "/js/a"}},
    ),
    (
        "a refused publication",
        'await connect().publish("/js.a", 1);',
        {"error": "FanfareError: 405:/js.a:Invalid channel"},
    ),
    (
        "a refused subscription",
        'await connect().subscribe("/service/a", () => {});',
        {"error": "FanfareError: 403:/service/a:Forbidden channel"},
    ),
    (
        "data without a JSON form",
        'await connect().publish("/js/a", undefined);',
        {"error": "TypeError: What is published must have a JSON form."},
    ),
    (
        "after the end",
        'const fanfare = connect(); await fanfare.disconnect(); await fanfare.publish("/js/a", 1);',
        {"error": "FanfareError: The session is closed."},
    ),
    (
        "a message that is too large is given up, the session goes on",
        """
        const fanfare = connect();
        const large = fanfare.publish("/js/a", "x".repeat(1 << 20)).catch((error) => error.message);
        const small = fanfare.publish("/js/a", "small");
        const result = [await large, (await small).successful];
        await fanfare.disconnect();
        return result;
        """,
        {"value": ["The message is larger than the broker allows.", True]},
    ),
    (
        "patterns",
        """
        return [["/a", "/a"], ["/a", "/a/b"], ["/*", "/a"], ["/*", "/a/b"], ["/**", "/a/b"], ["/a/*", "/a"],
            ["/a/*", "/a/b"], ["/a/*", "/ab/c"], ["/a/*", "/a/b/c"], ["/a/**", "/a"],
            ["/a/**", "/a/b/c"], ["/a/**", "/ab"]]
            .map(([pattern, channel]) => matches(pattern, channel));
        """,
        {"value": [True, False, True, False, True, False, True, False, False, False, True, False]},
    ),
]


@pytest.mark.parametrize(("body", "result"), [row[1:] for row in CLIENT], ids=[row[0] for row in CLIENT])
def test_client(page, body, result):
    assert run(page, body) == result


# A broker in a few lines: `answers` maps a channel to what is received after a message is sent on it; `sent` has one
# list per socket; `sockets` lets the test close one.
SCRIPTED = """
    const sent = [], sockets = [], states = [];
    const openSocket = (events) => {
        const log = [];
        sent.push(log);
        sockets.push(events);
        setTimeout(events.open);
        return { close() {}, send(text) {
            const [message] = JSON.parse(text);
            log.push(message);
            const answer = (answers[message.channel] ?? (() => undefined))(message, sent.length, log);
            if (answer) setTimeout(() => events.receive(JSON.stringify(answer)));
        } };
    };
    const ok = ({ id, channel }, more) => [{ id, channel, successful: true, ...more }];
    const isHeld = ({ advice }) => advice.timeout > 0;
    const no = ({ id, channel }, error, more) => [{ id, channel, successful: false, error, ...more }];
    const answers = {
        "/meta/handshake": (message, socket) => ok(message, { clientId: `client${socket}` }),
        "/meta/connect": (message) => (isHeld(message) ? undefined : ok(message)),
        "/meta/subscribe": ok, "/meta/unsubscribe": ok, "/meta/disconnect": ok,
    };
    const start = (options = {}) => {
        const fanfare = new Fanfare(openSocket, options);
        fanfare.addEventListener("state", ({ detail: { state, error } }) => {
            states.push(error ? [state, error] : state);
        });
        return fanfare;
    };
    const recordDelays = () => {
        const delays = [], later = setTimeout;
        globalThis.setTimeout = (step, delay) => {
            delays.push(delay);
            return later(step);
        };
        return delays;
    };
    const state = (fanfare, wanted) => new Promise((resolve) => {
        fanfare.addEventListener("state", ({ detail }) => detail.state === wanted && resolve());
    });
    const brief = (log) => log.map(({ channel, clientId, data }) => [channel, clientId, data].join(" ").trim());
"""

SCRIPTS = [
    (
        "a lost socket: the same session goes on, and what was not acknowledged is sent again with its id",
        """
        const fanfare = start();
        await fanfare.subscribe("/a", () => {});
        answers["/a"] = (message, socket) => (socket === 1 ? undefined : ok(message));
        const acknowledged = fanfare.publish("/a", 1);
        setTimeout(() => sockets[0].close(1006));
        await acknowledged;
        const [first, second] = sent.map((log) => log.find(({ channel }) => channel === "/a").id);
        return [first === second, brief(sent[1]).slice(0, 2), states];
        """,
        [
            True,
            ["/meta/connect client1", "/a client1 1"],
            ["connected", "waiting", "connecting", "connected"],
        ],
    ),
    (
        "a lost session: handshake, then subscriptions, then what waits to be published",
        """
        const fanfare = start();
        await fanfare.subscribe("/a", () => {});
        const gone = await fanfare.subscribe("/gone", () => {});
        sockets[0].close(1012);
        const publishing = fanfare.publish("/a", 1);
        gone.unsubscribe();
        answers["/a"] = ok;
        answers["/meta/connect"] = (message) => message.clientId === "client1"
            ? no(message, "401:client1:Unknown client", { advice: { reconnect: "handshake" } })
            : isHeld(message) ? undefined : ok(message);
        await publishing;
        return [brief(sent[1]).slice(0, 5), states];
        """,
        [
            [
                "/meta/connect client1",
                "/meta/handshake",
                "/meta/connect client2",
                "/meta/subscribe client2",
                "/a client2 1",
            ],
            [
                "connected",
                "waiting",
                "connecting",
                ["waiting", "401:client1:Unknown client"],
                "connecting",
                "connected",
            ],
        ],
    ),
    (
        "a new session that may not subscribe any more: an event says so, as no promise waits",
        """
        const fanfare = start();
        const events = [];
        const told = new Promise((resolve) => fanfare.addEventListener("error", ({ detail }) => {
            events.push(detail.message);
            resolve();
        }));
        await fanfare.subscribe("/a", () => {});
        answers["/meta/subscribe"] = (message) => no(message, `403:${message.subscription}:Forbidden channel`);
        const refused = await fanfare.subscribe("/b", () => {}).catch((error) => error.message);
        answers["/meta/connect"] = (message) => message.clientId === "client1"
            ? no(message, "401:client1:Unknown client", { advice: { reconnect: "handshake" } })
            : isHeld(message) ? undefined : ok(message);
        sockets[0].close(1006);
        await told;
        return [refused, events];
        """,
        ["403:/b:Forbidden channel", ["403:/a:Forbidden channel"]],
    ),
    (
        "advice none: the end",
        """
        answers["/meta/handshake"] = (message) => no(message, "403::Forbidden", { advice: { reconnect: "none" } });
        const fanfare = start({ ext: { token: "t" } });
        const error = await fanfare.subscribe("/a", () => {}).catch((error) => [error.message, error.code]);
        return [error, states, sent.length, sent[0].map(({ ext }) => ext)];
        """,
        [["403::Forbidden", 403], [["closed", "403::Forbidden"]], 1, [{"token": "t"}]],
    ),
    (
        "the interval advised lies between two connects",
        """
        const delays = recordDelays();
        const done = new Promise((resolve) => {
            let connects = 0;
            answers["/meta/connect"] = (message) => {
                connects += 1;
                if (connects === 3) resolve();
                return connects < 3 ? ok(message, { advice: { interval: 61 + connects } }) : undefined;
            };
        });
        start();
        await done;
        return [delays.filter((delay) => delay === 62 || delay === 63), sent[0].map(({ advice }) => advice ?? null)];
        """,
        [[62, 63], [None, {"timeout": 0}, {"timeout": 25_000}, {"timeout": 25_000}]],
    ),
    (
        "attempts to connect are spread: a random part of a bound that doubles up to 20 s",
        """
        const delays = recordDelays();
        Math.random = () => 0.5;
        const fanfare = new Fanfare((events) => {
            setTimeout(() => events.close(1006), 1);
            return { close() {} };
        }, {});
        while (delays.filter((delay) => delay > 1).length < 8) await state(fanfare, "waiting");
        fanfare.disconnect();
        return delays.filter((delay) => delay > 1);
        """,
        [250, 500, 1000, 2000, 4000, 8000, 10000, 10000],
    ),
    (
        "nobody comes back before the interval advised by a broker that restarts (1012); other losses do not wait for it",
        """
        const delays = recordDelays();
        Math.random = () => 0.5;
        answers["/meta/connect"] = (message) => ok(message, { advice: { interval: 7000 } });
        const waits = [];
        for (const code of [1012, 1006]) {
            const fanfare = start();
            await state(fanfare, "connected");
            sockets.at(-1).close(code);
            waits.push(delays.at(-1));
            fanfare.disconnect();
        }
        return waits;
        """,
        [7000, 250],
    ),
    (
        "a silent peer is asked after 25 s, and given up 10 s later",
        """
        const clock = performance.now.bind(performance), every = setInterval;
        let skew = 0, checks = 0;
        performance.now = () => clock() + skew;
        globalThis.setInterval = (step) => every(() => (step(), checks++), 1);
        const fanfare = start();
        await state(fanfare, "connected");
        const [, first, held] = sent[0];
        const wait = async () => {
            for (const before = checks; checks < before + 3; ) await new Promise((resolve) => setTimeout(resolve, 1));
            return [states.length, sent.length];
        };
        skew = 34_000;
        const before = await wait();
        skew = 35_001;
        const lost = state(fanfare, "waiting");
        await Promise.all([lost, state(fanfare, "connected")]);
        return [first.advice, held.advice, before, states];
        """,
        [
            {"timeout": 0},
            {"timeout": 25_000},
            [1, 1],
            ["connected", "waiting", "connecting", "connected"],
        ],
    ),
    (
        "a broker that holds connects for less than that is asked to do so no longer",
        """
        answers["/meta/handshake"] = (message) => ok(message, { clientId: "a", advice: { timeout: 4_000 } });
        const fanfare = start();
        await state(fanfare, "connected");
        const impatient = new Fanfare(openSocket, { heartbeat: 300 });
        await state(impatient, "connected");
        return sent.map((log) => log.at(-1).advice.timeout);
        """,
        [4_000, 300],
    ),
    (
        "a close code from 4000 on is the end, whenever it comes; others are not",
        """
        const details = [];
        const outcome = async (code, reason) => {
            const fanfare = start();
            fanfare.addEventListener("state", ({ detail }) => details.push(detail));
            await state(fanfare, "connected");
            const publishing = fanfare.publish("/unanswered", 1).catch(({ message, category }) => [message, category]);
            sockets.at(-1).close(code, reason);
            const after = [fanfare.state, details.at(-1)];
            if (fanfare.state !== "closed") fanfare.disconnect();
            return [...after, await publishing];
        };
        const ended = await outcome(4403, "Come back never");
        const attempts = sent.length;
        const again = [await outcome(4000), await outcome(4999), await outcome(3999)].map(([state]) => state);
        // One that is still shaking hands.
        answers["/meta/handshake"] = () => undefined;
        const early = start();
        await new Promise((resolve) => setTimeout(resolve, 20));
        sockets.at(-1).close(4401, "");
        return [ended, attempts, again, early.state];
        """,
        [
            [
                "closed",
                {"old": "connected", "state": "closed", "code": 4403, "reason": "refused", "error": "Come back never"},
                ["Come back never", "refused"],
            ],
            1,
            ["closed", "closed", "waiting"],
            "closed",
        ],
    ),
    (
        "every state has a code and a reason, and names the one before",
        """
        const steps = [];
        const follow = (fanfare) => {
            fanfare.addEventListener("state", ({ detail: { old, state, code, reason = "", recovered } }) => {
                steps.push([old, state, code, reason, ...(recovered === undefined ? [] : [recovered])].join(" "));
            });
            return fanfare;
        };
        const fanfare = follow(start());
        await state(fanfare, "connected");
        sockets[0].close(1006);
        await state(fanfare, "connected");
        answers["/meta/connect"] = (message) => message.clientId === "client1"
            ? no(message, "401:client1:Unknown client", { advice: { reconnect: "handshake" } })
            : isHeld(message) ? undefined : ok(message);
        sockets[1].close(1012);
        await state(fanfare, "connected");
        sockets[2].close();
        await state(fanfare, "connected");
        await fanfare.disconnect();
        return steps;
        """,
        [
            "connecting connected 0  false",
            "connected waiting 1006 network",
            "waiting connecting 0 ",
            "connecting connected 0  true",
            "connected waiting 1012 restart",
            "waiting connecting 0 ",
            "connecting waiting 401 session",
            "waiting connecting 0 ",
            "connecting connected 0  false",
            "connected waiting 2 network",
            "waiting connecting 0 ",
            "connecting connected 0  true",
            "connected closed 1 disconnect",
        ],
    ),
    (
        "errors have categories",
        """
        const category = (promise) => promise.then(() => "none", ({ category, code }) => [category, code ?? null]);
        answers["/denied"] = (message) => no(message, "403:/denied:Denied");
        answers["/odd"] = (message) => no(message, "407:/odd:Failed to publish");
        const fanfare = start({ queueLimit: 2 });
        const seen = [await category(fanfare.publish("/denied", 1)), await category(fanfare.publish("/odd", 1))];
        for (const _ of [1, 2]) seen.push(category(fanfare.publish("/unanswered", 1)));
        seen.push(await category(fanfare.publish("/a", 1)));
        sockets[0].close(1009);
        await state(fanfare, "connected");
        fanfare.disconnect();
        seen.push(category(fanfare.publish("/a", 1)));
        const refusal = Object.assign(new Error("log in"), { name: "UnauthorizedError" });
        seen.push(category(start({ token: () => Promise.reject(refusal) }).publish("/a", 1)));
        return Promise.all(seen);
        """,
        [
            ["denied", 403],
            ["refused", 407],
            ["too-large", None],
            ["closed", None],
            ["full", None],
            ["closed", None],
            ["unauthorized", None],
        ],
    ),
    (
        "a connect that is answered with the advice none ends the session",
        """
        const advice = (message) => ({ reconnect: isHeld(message) ? "none" : "retry" });
        answers["/meta/connect"] = (message) => ok(message, { advice: advice(message) });
        const fanfare = start();
        let detail;
        fanfare.addEventListener("state", (event) => (detail = event.detail));
        await state(fanfare, "closed");
        return [detail, sent.length];
        """,
        [
            {
                "old": "connected",
                "state": "closed",
                "code": 7,
                "reason": "refused",
                "error": "The broker ended the session.",
            },
            1,
        ],
    ),
    (
        "offline no attempts are made, and the state says so; online is tried at once",
        """
        const { prototype } = Navigator;
        const online = Object.getOwnPropertyDescriptor(prototype, "onLine");
        const set = (isOnline) => {
            Object.defineProperty(prototype, "onLine", { get: () => isOnline, configurable: true });
            dispatchEvent(new Event(isOnline ? "online" : "offline"));
        };
        const delays = recordDelays(), reasons = [];
        const fanfare = start();
        fanfare.addEventListener("state", ({ detail: { state, code, reason } }) => reasons.push([state, code, reason]));
        await state(fanfare, "connected");
        set(false);
        const first = [fanfare.state, sent.length];
        delays.length = 0;
        set(true);
        await state(fanfare, "connected");
        // While an attempt is waited for, too.
        sockets[1].close(1006);
        delays.length = 0;
        set(false);
        const waiting = [...delays];
        set(true);
        await state(fanfare, "connected");
        Object.defineProperty(prototype, "onLine", online);
        return [first, waiting, reasons.map((reason) => reason.join(" ").trim())];
        """,
        [
            ["waiting", 1],
            [],
            [
                "connected 0",
                "waiting 4 offline",
                "connecting 0",
                "connected 0",
                "waiting 1006 network",
                "waiting 4 offline",
                "connecting 0",
                "connected 0",
            ],
        ],
    ),
    (
        "a socket on which an answer is overdue is given up",
        """
        const clock = performance.now.bind(performance), every = setInterval;
        let skew = 0;
        performance.now = () => clock() + skew;
        globalThis.setInterval = (step) => every(step, 1);
        const fanfare = start();
        await state(fanfare, "connected");
        answers["/a"] = (message, socket) => {
            skew = 10_001;
            return socket === 1 ? undefined : ok(message);
        };
        const { successful } = await fanfare.publish("/a", 1);
        return [successful, sent.length, states];
        """,
        [True, 2, ["connected", "waiting", "connecting", "connected"]],
    ),
    (
        "the session ends while the last connect is held",
        """
        const fanfare = start();
        await fanfare.subscribe("/a", () => {});
        let held;
        answers["/meta/disconnect"] = (message) => [...ok(held, { advice: { reconnect: "none" } }), ...ok(message)];
        held = sent[0].findLast(({ channel }) => channel === "/meta/connect");
        await fanfare.disconnect();
        return [states, sent[0].at(-1).channel];
        """,
        [["connected", "closed"], "/meta/disconnect"],
    ),
    (
        "a gap is told, and no callback called for it",
        """
        const fanfare = start();
        let called = 0;
        await fanfare.subscribe("/a", () => called++);
        const gap = new Promise((resolve) => fanfare.addEventListener("gap", ({ detail }) => resolve(detail)));
        sockets[0].receive('[{"channel":"/a","ext":{"gap":{"from":3,"to":7}}}]');
        return [await gap, called];
        """,
        [{"channel": "/a", "from": 3, "to": 7}, 0],
    ),
    (
        "the queue has a bound, and copies what it keeps",
        """
        const fanfare = start({ queueLimit: 2 });
        const data = { n: 1 };
        answers["/a"] = ok;
        const first = fanfare.publish("/a", data);
        data.n = 2;
        const second = fanfare.publish("/a", data);
        const third = await fanfare.publish("/a", 3).catch((error) => error.message);
        await Promise.all([first, second]);
        return [third, sent[0].filter(({ channel }) => channel === "/a").map(({ data }) => data.n)];
        """,
        ["Too many requests are waiting for the broker's answer.", [1, 2]],
    ),
    (
        "a callback that throws keeps nothing from the others",
        """
        const fanfare = start();
        let called = 0;
        const reported = new Promise((resolve) => addEventListener("error", (event) => {
            event.preventDefault();
            resolve(event.type);
        }));
        await fanfare.subscribe("/a", () => { throw new Error("mine"); });
        await fanfare.subscribe("/*", () => called++);
        sockets[0].receive('[{"channel":"/a","data":1}]');
        return [await reported, called];
        """,
        ["error", 1],
    ),
]


@pytest.mark.parametrize(("body", "result"), [row[1:] for row in SCRIPTS], ids=[row[0] for row in SCRIPTS])
def test_script(page, body, result):
    assert run(page, SCRIPTED + body) == {"value": result}
