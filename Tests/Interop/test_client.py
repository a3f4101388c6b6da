"""fanfare.js, the browser's client, in a real browser, against the broker."""

import pytest

from scripted import run

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
