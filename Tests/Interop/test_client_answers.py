"""What fanfare.js makes of silence and of each answer, against a scripted broker."""

import pytest

from scripted import run_scripted

SCRIPTS = [
    (
        "a silent peer is asked after 25 s, and given up 10 s later",
        """
        const begun = performance.now(), every = setInterval;
        let skew = 0, checks = 0;
        performance.now = () => begun + skew;
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
    assert run_scripted(page, body) == {"value": result}
