/**
 * A session that outlives a reload of its page, for fanfare.js, which loads this module when it is asked to `resume`.
 *
 * What is kept lies in the tab's sessionStorage while no page has it. A page takes it up before it sends anything; the
 * subscriptions that it has made by then, and those that it makes later, go on where the page before had been.
 */

/** How long a subscription from before the reload waits to be claimed: milliseconds. */
const claimTimeout = 10_000;

/** Take up what a page before this one left, if anything, once; `kept` gets a function that keeps it for the next. */
export function restore({ key, resume }, kept) {
    if (kept.save) return;
    const name = `${key}:${resume === true ? location.pathname : resume}`;
    kept.save = () => save(name, kept);
    kept.claim = (pattern) => claim(pattern, kept);
    const saved = read(name);
    if (saved) take(saved, kept);
}

function save(name, { place, subscribers, requests }) {
    const waiting = [...requests].flatMap(([id, { fields, data }]) => (data ? [[id, fields, data]] : []));
    const confirmed = [...subscribers].filter((subscriber) => subscriber.confirmed)
        .map(({ pattern, last, from }) => ({ pattern, last, from }));
    try {
        sessionStorage.setItem(name, JSON.stringify({ place, subscribers: confirmed, requests: waiting }));
    } catch {
        // There is nobody left to be told.
    }
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

/** It is taken out at once, so that a copy of the tab does not claim the same session. */
function read(name) {
    try {
        const saved = JSON.parse(sessionStorage.getItem(name));
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
        requests.set(id, { fields, data, answer, sentAt: 0 });
    }
    const asked = [...subscribers];
    for (const known of saved.subscribers) {
        const index = asked.findIndex(({ pattern }) => pattern === known.pattern);
        let subscriber = { retained: true, orphan: true, backlog: [], subscribed: deferred() };
        if (index >= 0) {
            [subscriber] = asked.splice(index, 1);
            fresh.splice(fresh.findIndex(([, { fields }]) => fields.subscription === known.pattern), 1);
        }
        subscribers.add(Object.assign(subscriber, known, { active: true, confirmed: true }));
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
