/**
 * Fanfare's browser client: publish and subscribe over a connection that mends itself.
 *
 *     import { connect } from "/fanfare.js";
 *     const fanfare = connect();
 *     await fanfare.subscribe("/chat/*", (data, message) => console.log(message.channel, data));
 *     await fanfare.publish("/chat/room-1", { text: "hello" });
 */

/** Connect to a broker. Returns at once; `state` events tell what becomes of it. */
export function connect(options?: ConnectOptions): Fanfare;
/** Connect to the broker at `url`: relative to the page, `/bayeux` by default. */
export function connect(url: string | URL, options?: ConnectOptions): Fanfare;

/** Whether a subscription's pattern takes in a channel: `/a/*` one more segment, `/a/**` one or more. */
export function matches(pattern: string, channel: string): boolean;

export interface ConnectOptions {
    /** The broker's endpoint, relative to the page; `/bayeux` by default. */
    url?: string | URL;
    /** Fields of the handshake's `ext`. */
    ext?: Record<string, unknown>;
    /**
     * Who the caller is: a token, or a function that fetches one. It is called for the first connection, when the
     * broker refuses the token, and when 80 to 95 % of the life of a JSON Web Token are over; again after 5 to 10 s
     * when it fails, and never again after an error whose name is `UnauthorizedError`.
     */
    token?: string | (() => string | Promise<string>);
    /** Requests that may wait for an answer, also while offline; 10,000 by default. One more is rejected. */
    queueLimit?: number;
    /**
     * Go on with the session after a reload of the page: what waits to be published is kept, and a subscription made
     * again within 10 s goes on behind what the page had. It does not get again what it had, retained messages
     * included: for pages that keep what they show. A name tells several clients of a page apart; `true` stands for
     * its path.
     */
    resume?: boolean | string;
    /** Have one connection for all tabs that ask for it, in browsers that can (secure pages with Web Locks). */
    share?: boolean;
    /** What is tried, in this order; by default all three. */
    transports?: Transport[];
    /** Milliseconds that the broker may be silent before it is asked whether it lives; 25,000 by default. */
    heartbeat?: number;
    /** Milliseconds for an answer of the broker, before the connection is given up; 10,000 by default. */
    timeout?: number;
}

export type Transport = "websocket" | "eventsource" | "long-polling";

/** `waiting`: for the next attempt to connect, or for the network; `closed`: for good. */
export type State = "connecting" | "connected" | "waiting" | "closed";

/**
 * Why a state was entered. With the code that it has when neither the socket nor the broker gave one:
 * `disconnect` (1): we went; `network` (2): the connection was lost, or not made; `timeout` (3): an answer was overdue;
 * `offline` (4): the browser has no network, no attempts are made until it has; `hidden` (5): the page is put aside;
 * `session` (6): the broker has forgotten the session; `refused` (7): it does not want us; `unauthorized` (8): the page
 * has no token for us; `too-large` (9): a message was, and is rejected; `restart` (10): the broker stops to come back;
 * `upgrade` (11): a better transport is there.
 */
export type Reason =
    | "disconnect" | "network" | "timeout" | "offline" | "hidden" | "session" | "refused" | "unauthorized"
    | "too-large" | "restart" | "upgrade";

export interface StateDetail {
    state: State;
    /** The state before. */
    old: State;
    /**
     * 0 when things go well; else 1 to 11, see `Reason`; 400 to 499, Bayeux's number in the broker's refusal; or the
     * close code of the socket. From 4000 on the broker wants nobody back: the state is `closed`, and stays so.
     */
    code: number;
    /** None when things go well. */
    reason?: Reason;
    /** The broker's words, `code:arguments:text`, or those of its close frame. */
    error?: string;
    /**
     * With `connected`: whether the session from before goes on, with all that was published meanwhile. If not,
     * subscriptions go on behind their last number, and what is not stored is lost.
     */
    recovered?: boolean;
}

/** Messages that this session did not get. */
export interface GapDetail {
    /** The channel, or the pattern of the subscription. */
    channel: string;
    /** The first and the last sequence number, if they were stored. */
    from?: number;
    to?: number;
    /** How many, if that is known. */
    count?: number;
    /** The broker's log began anew: what lay between is not known, and numbers are lower than before. */
    isReset?: boolean;
}

/** A delivered message. */
export interface Message<Data = any> {
    channel: string;
    data: Data;
    ext?: {
        /** Its sequence number, and the log that it belongs to, if it is stored. */
        seq?: number;
        epoch?: string;
        /** It was retained, not live. */
        retained?: boolean;
        [field: string]: unknown;
    };
}

/** The broker's answer to a publication. */
export interface Acknowledgement {
    channel: string;
    successful: true;
    id: string;
    /** With `receipt`: its sequence number, if it is stored. */
    seq?: number;
    /** With `receipt`: how many subscriptions it went to. */
    matched?: number;
    [field: string]: unknown;
}

/** The answer to a publication with `receipt`. */
export interface Receipt extends Acknowledgement {
    matched: number;
}

export type Callback<Data = any> = (data: Data, message: Message<Data>) => void;

export interface SubscribeOptions {
    /** What is wanted of the past: `"start"` for all there is, or everything behind a sequence number. */
    since?: number | "start";
    /** The same as the wire has it: −1 nothing, −2 all there is, N everything behind N. It wins over `since`. */
    replay?: number;
    /** `false`: no retained messages. */
    retained?: boolean;
    /** How many messages may wait for an iteration, 10,000 by default; with more it ends with an error. */
    buffer?: number;
}

/** A subscription, at which one can iterate: `for await (const message of fanfare.subscribe("/a/*"))`. */
export interface Subscription<Data = any> extends AsyncIterable<Message<Data>> {
    readonly pattern: string;
    /** End it: no callback is called any more, iterations end. Resolves when the broker has agreed. */
    unsubscribe(): Promise<void>;
}

/** Resolves when the broker has agreed; rejects with a `FanfareError` when it refuses. */
export type PendingSubscription<Data = any> = Promise<Subscription<Data>> & Subscription<Data>;

export interface PublishOptions {
    /** Keep it as the channel's retained message; with `null` as data, clear that. */
    retain?: boolean;
    /** Drop the stored message after so many seconds. */
    ttl?: number;
    /** Do not deliver it to this session. */
    noEcho?: boolean;
    /** Ask for `seq` and `matched` in the answer. */
    receipt?: boolean;
    /** Further fields of the message's `ext`. */
    ext?: Record<string, unknown>;
    /** An id of one's own; sent again with the same channel and data within a session it is stored once. */
    id?: string;
}

export interface FanfareEvents {
    state: CustomEvent<StateDetail>;
    gap: CustomEvent<GapDetail>;
    /**
     * A subscription that a new session has lost or the broker has taken away, a publication refused after a reload, a
     * token not to be fetched.
     */
    error: CustomEvent<FanfareError>;
}

/** A session with a broker. */
export class Fanfare extends EventTarget {
    readonly state: State;
    /** The session's name with the broker, once there is one. */
    readonly clientId: string | undefined;
    /** What is used, or tried. */
    readonly transport: Transport | "shared";

    /** Have `callback` called for every message on the channels of a pattern, each once, those of a channel in order. */
    subscribe<Data = any>(
        pattern: string, callback: Callback<Data>, options?: SubscribeOptions,
    ): PendingSubscription<Data>;
    /** Without a callback, to iterate. */
    subscribe<Data = any>(pattern: string, options?: SubscribeOptions): PendingSubscription<Data>;

    /**
     * Publish anything that JSON can say; it is copied now. Waits while there is no connection, and is sent again with
     * the same id until it is answered. Resolves to the broker's answer; rejects with a `FanfareError` when it refuses.
     */
    publish(channel: string, data: unknown, options: PublishOptions & { receipt: true }): Promise<Receipt>;
    publish(channel: string, data: unknown, options?: PublishOptions): Promise<Acknowledgement>;

    /** End the session. What was sent before is still answered; what is unanswered then is rejected. */
    disconnect(): Promise<void>;

    addEventListener<Name extends keyof FanfareEvents>(
        name: Name, listener: (event: FanfareEvents[Name]) => void, options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener(
        name: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions,
    ): void;
    removeEventListener<Name extends keyof FanfareEvents>(
        name: Name, listener: (event: FanfareEvents[Name]) => void, options?: boolean | EventListenerOptions,
    ): void;
    removeEventListener(
        name: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions,
    ): void;
}

/**
 * Whose matter an error is. `denied`: who we are does not do (401, 403); `refused`: what we asked for does not do;
 * `unauthorized`: the page has no token for us; `token`: one could not be fetched, for now; `closed`: the session is
 * over; `full`: too much waits; `too-large`: a message is; `slow`: an iteration fell behind.
 */
export type ErrorCategory =
    | "denied" | "refused" | "unauthorized" | "token" | "closed" | "full" | "too-large" | "slow";

/** What the broker refused, or why a request came to nothing. */
export class FanfareError extends Error {
    constructor(text: string, category?: ErrorCategory, cause?: unknown);
    /** Bayeux's number (401, 403, …), if there is one. */
    readonly code: number | undefined;
    readonly category: ErrorCategory;
    /** What the page threw, when a token could not be fetched. */
    readonly cause?: unknown;
}
