/**
 * A session that outlives a reload of its page, for fanfare.js, which loads this module when it is asked to `resume`.
 *
 * What is kept lies in the tab's sessionStorage while no page has it. A page takes it up before it sends anything; the
 * subscriptions that it has made by then, and those that it makes later, go on where the page before had been.
 */
import { FanfareError } from "./fanfare.js";

/** How long a subscription from before the reload waits to be claimed: milliseconds. */
const claimTimeout = 10_000;

/**
 * Before each socket: take up what a page before this one left, if anything, once; later what this page itself left
 * when it was put aside. `kept` gets functions that keep it for the next page, and that take that back.
 */
export function restore({ key, resume }, kept) {
    if (kept.name) return goOn(kept);
    const name = `${key}:${resume === true ? location.pathname : resume}`;
    kept.name = name;
    kept.save = () => save(kept);
    kept.forget = () => kept.saved && read(name, kept.saved.mark);
    kept.claim = (pattern) => claim(pattern, kept);
    const saved = read(name);
    if (saved) take(saved, kept);
}

function save(kept) {
    const { name, place, subscribers, requests } = kept;
    const waiting = [...requests].flatMap(([id, { fields, data }]) => (data ? [[id, fields, data]] : []));
    const confirmed = [...subscribers].filter((subscriber) => subscriber.confirmed)
        .map(({ pattern, replay, from, seen }) => ({ pattern, replay, from, seen: [...seen] }));
    // What another page left here, to be published, is not lost; the mark tells one page from the other.
    const theirs = (read(name)?.requests ?? []).filter(([id]) => !requests.has(id));
    const saved = { mark: Math.random(), place, subscribers: confirmed, requests: [...theirs, ...waiting] };
    try {
        sessionStorage.setItem(name, JSON.stringify(saved));
        kept.saved = saved;
    } catch {
        // There is nobody left to be told.
    }
}

/**
 * The page was put aside, and is shown again. If another one has had the session meanwhile, this one begins anew,
 * behind its last numbers, and publishes nothing of which the other one took charge.
 */
function goOn(kept) {
    const { name, saved, place, requests } = kept;
    if (!saved) return;
    kept.saved = undefined;
    const left = read(name) ?? { requests: [] };
    if (left.mark !== saved.mark) {
        place.clientId = undefined;
        const ids = new Set(left.requests.map(([id]) => id));
        for (const [id] of saved.requests.filter(([id]) => !ids.has(id))) {
            requests.get(id)?.answer.reject(new FanfareError("Another page has gone on with the session.", "closed"));
            requests.delete(id);
        }
    }
    take({ requests: left.requests, subscribers: [] }, kept);
}

/** The subscription of the page before that a new one goes on with; what came meanwhile is handed over soon. */
function claim(pattern, { subscribers, hand }) {
    const subscriber = [...subscribers].find((one) => one.orphan && one.pattern === pattern);
    if (!subscriber) return undefined;
    subscriber.orphan = false;
    queueMicrotask(() => {
        if (!subscriber.callback) return;
        for (const message of subscriber.backlog.splice(0)) hand(subscriber, message);
    });
    return subscriber;
}

/** It is taken out at once, so that a copy of the tab does not claim the same session; unless it has another `mark`. */
function read(name, mark) {
    try {
        const saved = JSON.parse(sessionStorage.getItem(name));
        if (mark && saved.mark !== mark) return undefined;
        sessionStorage.removeItem(name);
        return saved;
    } catch {
        return undefined;
    }
}

function take(saved, { place, subscribers, requests, failed, unsubscribe }) {
    Object.assign(place, saved.place);
    const fresh = [...requests];
    requests.clear();
    for (const [id, fields, data] of saved.requests) {
        const answer = deferred();
        answer.promise.catch(failed);
        requests.set(id, { id, fields, data, answer, sentAt: 0 });
    }
    const asked = [...subscribers];
    for (const { pattern, replay, from, seen } of saved.subscribers) {
        const index = asked.findIndex((one) => one.pattern === pattern);
        let subscriber = { retained: true, orphan: true, buffer: Infinity, backlog: [], subscribed: deferred() };
        if (index >= 0) {
            [subscriber] = asked.splice(index, 1);
            fresh.splice(fresh.findIndex(([, { fields }]) => fields.subscription === pattern), 1);
        }
        // Where the page before was counts, not where this one wanted to begin.
        Object.assign(subscriber, { pattern, replay, from, seen: new Map(seen), active: true, confirmed: true });
        subscribers.add(subscriber);
        subscriber.subscribed.resolve();
    }
    for (const [id, request] of fresh) requests.set(id, request);
    setTimeout(() => {
        for (const subscriber of subscribers) if (subscriber.orphan) unsubscribe(subscriber);
    }, claimTimeout);
}

function deferred() {
    const result = {};
    result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
    return result;
}
