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
}

export type Transport = "websocket" | "eventsource" | "long-polling";

/** `waiting`: for the next attempt to connect. */
export type State = "connecting" | "connected" | "waiting" | "closed";

/**
 * Why a state was entered. `network`: the connection was lost; `timeout`: an answer was overdue; `too-large`: a
 * message was, and is rejected; `restart`: the broker stops to come back; `offline`: the browser has no network;
 * `hidden`: the page is put aside; `session`: the broker has forgotten the session; `refused`: it does not want us;
 * `upgrade`: a better transport is there; `disconnect`: we went.
 */
export type Reason =
    | "network" | "timeout" | "too-large" | "restart" | "offline" | "hidden" | "session" | "refused" | "upgrade"
    | "disconnect";

export interface StateDetail {
    state: State;
    /** None when things go well. */
    reason?: Reason;
    /** The broker's words, `code:arguments:text`. */
    error?: string;
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
    [field: string]: unknown;
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
    /** Further fields of the message's `ext`. */
    ext?: Record<string, unknown>;
    /** An id of one's own; sent again with the same channel and data within a session it is stored once. */
    id?: string;
}

export interface FanfareEvents {
    state: CustomEvent<StateDetail>;
    gap: CustomEvent<GapDetail>;
    /** A subscription that a new session has lost, or a token that could not be fetched. */
    error: CustomEvent<Error>;
}

/** A session with a broker. */
export class Fanfare extends EventTarget {
    readonly state: State;
    /** The session's name with the broker, once there is one. */
    readonly clientId: string | undefined;
    /** What is used, or tried. */
    readonly transport: Transport | "shared";

    /** Have `callback` called for every message on the channels of a pattern, in order, each once. */
    subscribe<Data = any>(
        pattern: string, callback: Callback<Data>, options?: SubscribeOptions,
    ): PendingSubscription<Data>;
    /** Without a callback, to iterate. */
    subscribe<Data = any>(pattern: string, options?: SubscribeOptions): PendingSubscription<Data>;

    /**
     * Publish anything that JSON can say; it is copied now. Waits while there is no connection, and is sent again with
     * the same id until it is answered. Resolves to the broker's answer; rejects with a `FanfareError` when it refuses.
     */
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

/** What the broker refused, or why a request came to nothing. */
export class FanfareError extends Error {
    constructor(text: string);
    /** Bayeux's number (401, 403, …), if there is one. */
    readonly code: number | undefined;
}
