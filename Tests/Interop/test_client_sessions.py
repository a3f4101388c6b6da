"""How sessions of fanfare.js are lost, come back and end, against a scripted broker."""

import pytest

from scripted import run_scripted

# The timers of 5 s and more, which run when a test says so.
TIMERS = """
    const later = setTimeout, timers = [];
    globalThis.setTimeout = (step, delay) => (delay >= 5_000 ? timers.push(step) : later(step, delay));
    const turn = () => new Promise((resolve) => later(resolve));
    const until = async (condition) => { while (!condition()) await turn(); };
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
        "nobody comes back before the interval that a broker advises which restarts (1012); other losses do not wait",
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
        "a client that is closed stays so, whatever comes of a token that it has asked for",
        TIMERS
        + """
        const jwt = `e30.${btoa(JSON.stringify({ exp: Date.now() / 1000 + 1000 }))}.x`;
        const outcome = async (close, settle) => {
            let pending;
            const token = () => new Promise((resolve, reject) => (pending = { resolve, reject }));
            const fanfare = start({ token });
            fanfare.addEventListener("error", ({ detail }) => states.push(detail.message));
            await until(() => pending);
            close(fanfare);
            settle(pending);
            await turn();
            return [states.splice(0), timers.splice(0).length];
        };
        const leave = (fanfare) => fanfare.disconnect();
        const refuse = () => sockets.at(-1).close(4403, "No");
        return [
            await outcome(leave, ({ resolve }) => resolve(jwt)),
            await outcome(refuse, ({ resolve }) => resolve(jwt)),
            await outcome(leave, ({ reject }) => reject(new Error("no network"))),
            await outcome(refuse, ({ reject }) => reject(new Error("no network"))),
        ];
        """,
        [[["closed"], 0], [[["closed", "No"]], 0]] * 2,
    ),
    (
        "a client that is closed while its token is waited for asks no more",
        TIMERS
        + """
        let asked = 0;
        const fanfare = start({ token: async () => {
            asked++;
            throw new Error("no network");
        } });
        await until(() => timers.length);
        fanfare.disconnect();
        timers[0]();
        await turn();
        return [asked, states];
        """,
        [1, ["closed"]],
    ),
    (
        "subscriptions that overlap: what comes for one of them is no reason to drop what another has not had",
        """
        const fanfare = start(), got = [];
        await fanfare.subscribe("/config/theme", (data) => got.push(["theme", data]));
        await fanfare.subscribe("/config/**", (data) => got.push(["all", data]));
        const message = (channel, seq) => ({ channel, data: seq, ext: { seq, epoch: "log", retained: true } });
        const receive = (...messages) => sockets[0].receive(JSON.stringify(messages));
        receive(message("/config/theme", 90));
        receive(message("/config/a", 10), message("/config/theme", 90));
        answers["/meta/connect"] = (message) => message.clientId === "client1"
            ? no(message, "401:client1:Unknown client", { advice: { reconnect: "handshake" } })
            : isHeld(message) ? undefined : ok(message);
        sockets[0].close(1006);
        await state(fanfare, "connected");
        const asked = sent[1].filter(({ channel }) => channel === "/meta/subscribe").map(({ ext }) => ext.replay);
        return [got, asked];
        """,
        [[["theme", 90], ["all", 90], ["all", 10]], [{"/config/theme": 90}, {"/config/**": 90}]],
    ),
    (
        "who wants nothing of the past gets none that is replayed for others",
        """
        const fanfare = start(), got = [];
        const receive = (channel, seq) =>
            sockets[0].receive(JSON.stringify([{ channel, data: seq, ext: { seq, epoch: "log" } }]));
        await fanfare.subscribe("/a", () => {});
        receive("/a", 5);
        await fanfare.subscribe("/*", (data) => got.push(["new", data]), { replay: -1 });
        await fanfare.subscribe("/b", (data) => got.push(["all", data]), { since: "start" });
        for (const seq of [3, 4, 6]) receive("/b", seq);
        return got;
        """,
        [["all", 3], ["all", 4], ["new", 6], ["all", 6]],
    ),
    (
        "a token function that answers nothing is asked again later, not at once",
        TIMERS
        + """
        let asked = 0;
        start({ token: async () => void asked++ });
        await until(() => timers.length);
        for (let turns = 0; turns < 20; turns++) await turn();
        return asked;
        """,
        1,
    ),
    (
        "a subscription remembers what it has had of 2000 channels, and forgets the one that was silent for longest",
        """
        const fanfare = start(), got = [];
        await fanfare.subscribe("/many/*", (data) => got.push(data));
        const receive = (seq) => {
            const message = { channel: `/many/${seq}`, data: seq, ext: { seq, epoch: "log" } };
            sockets[0].receive(JSON.stringify([message]));
        };
        for (let seq = 1; seq <= 2001; seq++) receive(seq);
        for (const seq of [2, 2001, 1]) receive(seq);
        return [got.length, got.at(-1)];
        """,
        [2002, 1],
    ),
    (
        "a token that is stale after lost connections is replaced",
        """
        let tokens = 0, refusals = 0;
        Math.random = () => 0;
        const fanfare = start({ token: async () => `token ${++tokens}` });
        await state(fanfare, "connected");
        answers["/meta/connect"] = (message, socket) => {
            if (socket === 2) sockets[1].close(1006);
            else if (message.clientId === "client1") {
                return no(message, "401:client1:Unknown client", { advice: { reconnect: "handshake" } });
            } else if (!isHeld(message)) return ok(message);
        };
        answers["/meta/handshake"] = (message) => refusals++
            ? ok(message, { clientId: "new" }) : no(message, "401::Token expired", { advice: { reconnect: "none" } });
        const end = Promise.race([state(fanfare, "connected"), state(fanfare, "closed")]);
        sockets[0].close(1006);
        await end;
        return [fanfare.state, tokens, sent.length];
        """,
        ["connected", 2, 3],
    ),
    (
        "a publication whose id is waiting already is the same one",
        """
        const fanfare = start();
        const publications = [1, 2].map(() => fanfare.publish("/a", 1, { id: "mine" }));
        answers["/a"] = ok;
        const ids = (await Promise.all(publications)).map(({ id }) => id);
        return [ids, sent[0].filter(({ channel }) => channel === "/a").length];
        """,
        [["mine", "mine"], 1],
    ),
    (
        "as long as there is no token, one after the other is asked for, however often the connection is lost",
        TIMERS
        + """
        let asked = 0;
        const fanfare = start({ token: async () => {
            if (++asked === 1) throw new Error("no network");
            return "token";
        } });
        await until(() => timers.length);
        sockets[0].close(1006);
        await until(() => sockets.length === 2);
        // The socket opens, and wants a token.
        await turn();
        const before = asked;
        const connected = state(fanfare, "connected");
        timers.shift()();
        await connected;
        return [before, asked, sent.map((log) => log.filter(({ channel }) => channel === "/meta/handshake").length)];
        """,
        [1, 2, [0, 1]],
    ),
]


@pytest.mark.parametrize(("body", "result"), [row[1:] for row in SCRIPTS], ids=[row[0] for row in SCRIPTS])
def test_script(page, body, result):
    assert run_scripted(page, body) == {"value": result}
