/**
 * Fanfare's browser client: publish and subscribe over a WebSocket that mends itself. It speaks Bayeux 1.0.
 *
 *     import { connect } from "/fanfare.js";
 *     const fanfare = connect();
 *     const subscription = await fanfare.subscribe("/chat/*", (data, message) => console.log(message.channel, data));
 *     await fanfare.publish("/chat/room-1", { text: "hello" });
 *     await subscription.unsubscribe();
 *
 * The session's rules. One socket at a time; every event of an older one is ignored. A socket opens with
 * /meta/handshake, or, when a client id is held, with /meta/connect for it: the broker then still has the
 * subscriptions. Its answer to the first /meta/connect of a socket makes the state "connected"; further ones are held by
 * the broker and repeated for ever, as its advice says. Subscribing, unsubscribing and publishing are requests: they
 * wait while there is no connection, and each is sent again, with its id, on every new socket until it is answered. A
 * new session (the broker forgot the old one) subscribes again to everything.
 *
 * @typedef {"connecting" | "connected" | "waiting" | "closed"} State  "waiting": for the next attempt to connect.
 * @typedef {{ reconnect: string, interval: number, timeout: number }} Advice  Bayeux's, in milliseconds.
 * @typedef {{ channel: string, data?: any, ext?: any, [field: string]: any }} Message  One Bayeux message.
 * @typedef {(data: any, message: Message) => void} Callback
 * @typedef {{ pattern: string, unsubscribe: () => Promise<void> }} Subscription
 * @typedef {{ promise: Promise<any>, resolve: (value?: any) => void, reject: (error: Error) => void }} Deferred
 * @typedef {{ fields: Message, data?: string, answer: Deferred, socket?: Socket, sentAt: number }} Request
 * @typedef {{ callbacks: Set<Callback>, subscribed: Deferred, confirmed: boolean }} Entry  What is wanted of a pattern.
 * @typedef {{ send: (text: string) => void, close: () => void }} Socket
 * @typedef {{ open: () => void, receive: (text: string) => void, close: (code: number) => void }} SocketEvents
 * @typedef {{ ext?: object, queueLimit?: number }} Options  `ext` goes with the handshake (a token, for example);
 *   `queueLimit` bounds the requests that wait for an answer, 10,000 by default.
 */

const defaultAdvice = { reconnect: "retry", interval: 0, timeout: 60_000 };
/** How long the broker may take for an answer, and a socket to open, before the socket is given up: milliseconds. */
const answerTimeout = 10_000;
/** How long a connection must last before a loss counts as the first one again: milliseconds. */
const stableAfter = 10_000;
const firstRetry = 500;
const longestRetry = 20_000;
const messageTooBig = 1009;
const sessionEnded = "The broker ended the session.";

/** What the broker refused, or why a request came to nothing; `code` is Bayeux's number (401, 403, …), if any. */
export class FanfareError extends Error {
    /** @param {string} text  An error of Bayeux, `code:arguments:text`, or a plain sentence. */
    constructor(text) {
        super(text);
        this.name = "FanfareError";
        const code = /^(\d{3}):/.exec(text);
        /** @type {number | undefined} */
        this.code = code ? Number(code[1]) : undefined;
    }
}

/**
 * Connect to a broker. Returns at once; `state` events tell what becomes of it.
 * @param {string | URL} [url]  The endpoint, relative to the page; http and https mean ws and wss.
 * @param {Options} [options]
 */
export function connect(url = "/bayeux", options = {}) {
    const endpoint = new URL(url, globalThis.location?.href);
    endpoint.protocol = endpoint.protocol.replace("http", "ws");
    return new Fanfare((events) => openWebSocket(endpoint, events), options);
}

/**
 * Whether a subscription's pattern takes in a channel: `/a/*` one more segment, `/a/**` one or more.
 * @param {string} pattern
 * @param {string} channel
 */
export function matches(pattern, channel) {
    if (pattern.endsWith("/**")) return channel.startsWith(pattern.slice(0, -2));
    if (!pattern.endsWith("/*")) return pattern === channel;
    const parent = pattern.slice(0, -1);
    return channel.startsWith(parent) && !channel.includes("/", parent.length);
}

/**
 * A session with a broker. Events: `state` (detail `{ state, error? }`), `gap` (detail `{ channel, from, to }`: the
 * sequence numbers that this session did not get), `error` (detail an `Error`: a subscription that a new session lost).
 */
export class Fanfare extends EventTarget {
    /** @type {State} */
    state = "connecting";
    /** @type {string | undefined} */
    clientId;
    /** @type {Map<string, Entry>} */
    #entries = new Map();
    /** @type {Map<string, Request>} by id, in the order they were made */
    #requests = new Map();
    /** @type {Socket | undefined} */
    #socket;
    #opened = false;
    /** @type {Advice} */
    #advice = defaultAdvice;
    /** @type {{ id: string, due: number } | undefined} the handshake or connect under way */
    #meta;
    /** @type {Deferred | undefined} while the broker is being told good-bye */
    #leaving;
    #attempts = 0;
    #lastId = 0;
    #lastReceived = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} the next step, when it has to wait */
    #next;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #stable;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    #watch;
    #openSocket;
    #options;
    #online = () => {
        if (this.state === "waiting" && !this.#socket) this.#open();
    };

    /**
     * @param {(events: SocketEvents) => Socket} openSocket
     * @param {Options} options
     */
    constructor(openSocket, options) {
        super();
        this.#openSocket = openSocket;
        this.#options = options;
        globalThis.addEventListener?.("online", this.#online);
        this.#open();
    }

    /**
     * Have `callback` called for every message on the channels of a pattern, in order, until unsubscribed.
     * @param {string} pattern  A channel, or a pattern that ends in `/*` or `/**`.
     * @param {Callback} callback
     * @returns {Promise<Subscription>}  when the broker has agreed; rejects with a `FanfareError` when it refuses.
     */
    async subscribe(pattern, callback) {
        this.#assertOpen();
        let entry = this.#entries.get(pattern);
        if (!entry) {
            entry = { callbacks: new Set(), subscribed: deferred(), confirmed: false };
            this.#entries.set(pattern, entry);
            this.#requestSubscription(pattern, entry);
        }
        // A function of its own: the same callback may subscribe twice.
        const own = /** @type {Callback} */ ((data, message) => callback(data, message));
        entry.callbacks.add(own);
        await entry.subscribed.promise;
        return { pattern, unsubscribe: () => this.#unsubscribe(pattern, entry, own) };
    }

    /**
     * Publish to a channel. The data is copied now; what becomes of the object later does not matter.
     * @param {string} channel
     * @param {any} data  Anything that JSON can say.
     * @param {{ ext?: object }} [options]  `ext`, such as `{ retain: true }`.
     * @returns {Promise<Message>}  the broker's acknowledgement; rejects with a `FanfareError` when it refuses.
     */
    async publish(channel, data, { ext } = {}) {
        this.#assertOpen();
        const text = JSON.stringify(data);
        if (text === undefined) throw new TypeError("What is published must have a JSON form.");
        return this.#request(ext ? { channel, ext } : { channel }, text);
    }

    /** End the session. What was sent before is still answered; what is unanswered then is rejected. */
    async disconnect() {
        if (this.state === "closed") return;
        if (!this.clientId || this.state !== "connected") return this.#finish();
        if (!this.#leaving) {
            this.#leaving = deferred();
            this.#send({ channel: "/meta/disconnect", clientId: this.clientId, id: this.#newId() });
            clearTimeout(this.#next);
            this.#next = setTimeout(() => this.#finish(), answerTimeout);
        }
        return this.#leaving.promise;
    }

    // The socket's life

    #open() {
        clearTimeout(this.#next);
        this.#setState("connecting");
        const socket = this.#openSocket({
            open: () => {
                if (socket !== this.#socket) return;
                this.#opened = true;
                this.clientId ? this.#connect(0) : this.#handshake();
            },
            receive: (text) => {
                if (socket === this.#socket) this.#receive(text);
            },
            close: (code) => {
                if (socket === this.#socket) this.#lost(code);
            },
        });
        this.#socket = socket;
        this.#meta = { id: "", due: performance.now() + answerTimeout };
        this.#watch = setInterval(() => this.#checkAnswers(), answerTimeout / 4);
    }

    #dropSocket() {
        const socket = this.#socket;
        this.#socket = this.#meta = undefined;
        this.#opened = false;
        clearInterval(this.#watch);
        clearTimeout(this.#stable);
        clearTimeout(this.#next);
        socket?.close();
    }

    /** @param {number} [code]  the WebSocket's close code */
    #lost(code) {
        if (code === messageTooBig) this.#rejectLargest();
        this.#dropSocket();
        if (this.#leaving) return this.#finish();
        this.#setState("waiting");
        this.#next = setTimeout(() => this.#open(), this.#backoff());
    }

    /** Full jitter: a random part of a bound that doubles, so that clients of a broker that restarts come back spread. */
    #backoff() {
        return Math.random() * Math.min(longestRetry, firstRetry * 2 ** this.#attempts++);
    }

    /** Give a socket up on which an answer is overdue; a half-open connection shows itself in no other way. */
    #checkAnswers() {
        const now = performance.now();
        const quietSince = (/** @type {Request} */ request) => Math.max(request.sentAt, this.#lastReceived);
        const overdue = [...this.#requests.values()].some(
            (request) => request.socket === this.#socket && now > quietSince(request) + answerTimeout,
        );
        if (overdue || (this.#meta && now > this.#meta.due)) this.#lost();
    }

    /** The broker closes a socket over a message beyond its limit: never send that one again. */
    #rejectLargest() {
        const sent = [...this.#requests].filter(([, { socket, data }]) => socket === this.#socket && data);
        const size = (/** @type {Request} */ request) => request.data?.length ?? 0;
        const largest = sent.sort(([, a], [, b]) => size(b) - size(a))[0];
        if (!largest) return;
        this.#requests.delete(largest[0]);
        largest[1].answer.reject(new FanfareError("The message is larger than the broker allows."));
    }

    /** @param {string} [cause]  what the broker did, or nothing when the page itself is leaving */
    #finish(cause) {
        if (this.state === "closed") return;
        const error = this.#leaving ? undefined : cause;
        this.#dropSocket();
        globalThis.removeEventListener?.("online", this.#online);
        this.clientId = undefined;
        const reason = new FanfareError(error ?? "The session was ended before the broker answered.");
        this.#entries.clear();
        for (const { fields, answer } of this.#requests.values()) {
            fields.channel === "/meta/unsubscribe" ? answer.resolve() : answer.reject(reason);
        }
        this.#requests.clear();
        this.#setState("closed", error);
        this.#leaving?.resolve();
    }

    // The session's life

    #handshake() {
        const fields = { channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: ["websocket"] };
        this.#sendMeta(this.#options.ext ? { ...fields, ext: this.#options.ext } : fields, answerTimeout);
    }

    /** @param {number} [timeout]  how long the broker may hold it; 0 on a new socket, to hear that all is well */
    #connect(timeout) {
        const fields = { channel: "/meta/connect", clientId: this.clientId, connectionType: "websocket" };
        const held = timeout ?? this.#advice.timeout;
        this.#sendMeta(timeout === undefined ? fields : { ...fields, advice: { timeout } }, held + answerTimeout);
    }

    /** @param {Message} reply */
    #receiveHandshake(reply) {
        if (!reply.successful) return this.#refused(reply);
        this.clientId = reply.clientId;
        this.#advice = { ...defaultAdvice, ...reply.advice };
        this.#connect(0);
        // The new session starts without subscriptions: ask for all of them, before what waits to be published.
        const waiting = [...this.#requests];
        this.#requests.clear();
        for (const [pattern, entry] of this.#entries) this.#requestSubscription(pattern, entry);
        for (const [id, request] of waiting) {
            if (request.fields.channel === "/meta/unsubscribe") request.answer.resolve();
            else if (request.fields.channel !== "/meta/subscribe") this.#requests.set(id, request);
        }
        this.#flush();
    }

    /** @param {Message} reply */
    #receiveConnect(reply) {
        if (!reply.successful) return this.#refused(reply);
        this.#advice = { ...this.#advice, reconnect: "retry", ...reply.advice };
        if (this.#advice.reconnect === "none") return this.#finish(sessionEnded);
        if (this.#leaving) return;
        if (this.state !== "connected") {
            this.#stable = setTimeout(() => (this.#attempts = 0), stableAfter);
            this.#setState("connected");
            this.#flush();
        }
        this.#next = setTimeout(() => this.#connect(), this.#advice.interval);
    }

    /**
     * A handshake or connect failed: do as advised, and never in a tight loop.
     * @param {Message} reply
     */
    #refused(reply) {
        const { reconnect = "handshake", interval = 0 } = reply.advice ?? {};
        if (reconnect === "none") return this.#finish(reply.error ?? "The broker refused the session.");
        if (reconnect === "handshake") this.clientId = undefined;
        clearTimeout(this.#stable);
        clearTimeout(this.#next);
        this.#setState("waiting", reply.error);
        this.#next = setTimeout(
            () => {
                this.#setState("connecting");
                this.clientId ? this.#connect(0) : this.#handshake();
            },
            Math.max(interval, this.#backoff()),
        );
    }

    // Requests and deliveries

    /**
     * @param {string} pattern
     * @param {Entry} entry
     */
    #requestSubscription(pattern, entry) {
        this.#request({ channel: "/meta/subscribe", subscription: pattern }).then(
            () => {
                entry.confirmed = true;
                entry.subscribed.resolve();
            },
            (error) => {
                entry.subscribed.reject(error);
                if (this.#entries.get(pattern) !== entry) return;
                this.#entries.delete(pattern);
                if (entry.confirmed) this.dispatchEvent(new CustomEvent("error", { detail: error }));
            },
        );
    }

    /**
     * @param {string} pattern
     * @param {Entry} entry
     * @param {Callback} callback
     */
    async #unsubscribe(pattern, entry, callback) {
        entry.callbacks.delete(callback);
        if (entry.callbacks.size > 0 || this.#entries.get(pattern) !== entry) return;
        this.#entries.delete(pattern);
        await this.#request({ channel: "/meta/unsubscribe", subscription: pattern });
    }

    /**
     * @param {Message} fields
     * @param {string} [data]  JSON text
     */
    #request(fields, data) {
        if (this.#requests.size >= (this.#options.queueLimit ?? 10_000)) {
            return Promise.reject(new FanfareError("Too many requests are waiting for the broker's answer."));
        }
        const request = { fields, data, answer: deferred(), sentAt: 0 };
        this.#requests.set(this.#newId(), request);
        if (this.state === "connected") this.#flush();
        return request.answer.promise;
    }

    /** Send every request that this socket has not carried yet. */
    #flush() {
        for (const [id, request] of this.#requests) {
            if (request.socket === this.#socket) continue;
            request.socket = this.#socket;
            request.sentAt = performance.now();
            this.#send({ ...request.fields, id, clientId: this.clientId }, request.data);
        }
    }

    /**
     * @param {Message} fields
     * @param {number} patience  milliseconds until the answer is overdue
     */
    #sendMeta(fields, patience) {
        const id = this.#newId();
        this.#meta = { id, due: performance.now() + patience };
        this.#send({ ...fields, id });
    }

    /**
     * @param {Message} fields
     * @param {string} [data]
     */
    #send(fields, data) {
        const text = JSON.stringify(fields);
        const message = data === undefined ? text : `${text.slice(0, -1)},"data":${data}}`;
        if (this.#opened) this.#socket?.send(`[${message}]`);
    }

    /** @param {string} text  a JSON array of messages */
    #receive(text) {
        this.#lastReceived = performance.now();
        const socket = this.#socket;
        for (const message of [JSON.parse(text)].flat()) {
            if (socket !== this.#socket) return;
            if (message.channel === "/meta/disconnect") this.#finish(sessionEnded);
            else if (this.#meta && message.id === this.#meta.id) this.#receiveMeta(message);
            else if ("successful" in message) this.#receiveReply(message);
            else this.#deliver(message);
        }
    }

    /** @param {Message} reply */
    #receiveMeta(reply) {
        this.#meta = undefined;
        if (reply.channel === "/meta/handshake") this.#receiveHandshake(reply);
        else this.#receiveConnect(reply);
    }

    /** @param {Message} reply */
    #receiveReply(reply) {
        const request = this.#requests.get(reply.id);
        if (!request || request.fields.channel !== reply.channel) return;
        const error = new FanfareError(reply.error ?? "The broker refused without a reason.");
        // The session is gone; the handshake that follows, on the advice of the next connect, asks again.
        if (error.code === 401 && reply.channel.startsWith("/meta/") && !reply.successful) return;
        this.#requests.delete(reply.id);
        reply.successful ? request.answer.resolve(reply) : request.answer.reject(error);
    }

    /** @param {Message} message */
    #deliver(message) {
        const gap = message.ext?.gap;
        if (gap) this.dispatchEvent(new CustomEvent("gap", { detail: { channel: message.channel, ...gap } }));
        if (!("data" in message)) return;
        for (const [pattern, entry] of this.#entries) {
            if (!matches(pattern, message.channel)) continue;
            for (const callback of entry.callbacks) callSafely(callback, message);
        }
    }

    #newId() {
        return (++this.#lastId).toString(36);
    }

    #assertOpen() {
        if (this.state === "closed" || this.#leaving) throw new FanfareError("The session is closed.");
    }

    /**
     * @param {State} state
     * @param {string} [error]
     */
    #setState(state, error) {
        if (state === this.state && !error) return;
        this.state = state;
        this.dispatchEvent(new CustomEvent("state", { detail: { state, error } }));
    }
}

/**
 * The transport: text out, text in, one close. After `close()` no event is to be expected, nor would one be heard.
 * @param {URL} url
 * @param {SocketEvents} events
 * @returns {Socket}
 */
function openWebSocket(url, events) {
    const socket = new WebSocket(url);
    socket.onopen = events.open;
    socket.onmessage = (event) => events.receive(event.data);
    socket.onclose = (event) => events.close(event.code);
    return { send: (text) => socket.send(text), close: () => socket.close() };
}

/**
 * A fault in one callback is reported and does not keep a message from the others.
 * @param {Callback} callback
 * @param {Message} message
 */
function callSafely(callback, message) {
    try {
        callback(message.data, message);
    } catch (error) {
        (globalThis.reportError ?? console.error)(error);
    }
}

/** @returns {Deferred} */
function deferred() {
    const result = /** @type {Deferred} */ ({});
    result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
    return result;
}
