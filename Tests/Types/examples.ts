// What may be written with fanfare.d.ts, and what may not: a line with `@ts-expect-error` must not compile.
import { connect, Fanfare, FanfareError, matches } from "../../web/fanfare.js";
import type { ErrorCategory, GapDetail, Message, Reason, Receipt, State, Subscription } from "../../web/fanfare.js";

interface Chat {
    text: string;
}

const fanfare: Fanfare = connect("/bayeux", {
    token: async () => (await fetch("/token")).text(),
    transports: ["websocket", "long-polling"],
    heartbeat: 20_000,
    resume: "chat",
});
connect({ url: new URL("wss://example.com/bayeux"), share: true, ext: { app: 1 } });
connect();

export async function publishing(): Promise<void> {
    const receipt: Receipt = await fanfare.publish("/chat/a", { text: "hello" }, { receipt: true, ttl: 60 });
    const matched: number = receipt.matched;
    const seq: number | undefined = receipt.seq;
    const { successful, id } = await fanfare.publish("/chat/a", null, { retain: true, noEcho: true, id: "mine" });
    const yes: true = successful;
    console.log(matched, seq, yes, id.length);
    // @ts-expect-error: without a receipt nobody knows how many it went to.
    const unknown: number = (await fanfare.publish("/chat/a", 1)).matched;
    // @ts-expect-error: there is no such option.
    await fanfare.publish("/chat/a", 1, { retained: true });
    // @ts-expect-error: a channel is a text.
    await fanfare.publish(1, 1);
    console.log(unknown);
}

export async function subscribing(): Promise<void> {
    const subscription: Subscription<Chat> = await fanfare.subscribe<Chat>(
        "/chat/*",
        ({ text }, { channel, ext }) => console.log(text.length, channel.length, ext?.seq?.toFixed(), ext?.retained),
        { since: "start", retained: false },
    );
    await subscription.unsubscribe();
    for await (const message of fanfare.subscribe<number>("/prices/**", { since: 41, buffer: 10 })) {
        const { data }: Message<number> = message;
        console.log(data.toFixed(2));
        // @ts-expect-error: the data is a number.
        message.data.trim();
    }
    // @ts-expect-error: since is a number or "start".
    fanfare.subscribe("/a", { since: "end" });
    // @ts-expect-error: the callback takes the data first, then the message.
    fanfare.subscribe<Chat>("/a", (message: Message<Chat>) => message.data.text);
}

fanfare.addEventListener("state", ({ detail: { state, old, code, reason, error, recovered } }) => {
    const states: State[] = [state, old];
    const why: Reason | undefined = reason;
    console.log(states, code.toFixed(), why, error?.length, recovered === true);
    // @ts-expect-error: no such state.
    if (state === "disconnected") return;
});
fanfare.addEventListener("gap", ({ detail }) => {
    const { channel, from, to, count, isReset }: GapDetail = detail;
    console.log(channel, from, to, count, isReset);
});
fanfare.addEventListener("error", ({ detail }) => {
    const category: ErrorCategory = detail.category;
    console.log(category, detail.code?.toFixed(), detail.message, detail instanceof FanfareError, detail instanceof Error);
});

console.log(matches("/a/*", "/a/b"), fanfare.transport, fanfare.clientId?.length);
// @ts-expect-error: the state is read only.
fanfare.state = "connected";
// @ts-expect-error: no such transport.
connect({ transports: ["carrier-pigeon"] });
// @ts-expect-error: a token is a text.
connect({ token: () => 1 });
