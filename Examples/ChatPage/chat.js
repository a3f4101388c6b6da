/**
 * A chat room in one page, for a broker that keeps its last messages:
 *
 *     channels:
 *       /chat/*: { history: 100 }
 *
 * Serve this folder from anywhere: `python3 -m http.server 8080`, and open http://127.0.0.1:8080/. `?broker=` names the
 * broker, `?room=` the room.
 */
const query = new URLSearchParams(location.search);
const broker = query.get("broker") ?? "http://127.0.0.1:8000";
const channel = `/chat/${query.get("room") ?? "lobby"}`;
const [state, messages, form, name, text] = ["state", "messages", "form", "name", "text"]
    .map((id) => document.getElementById(id));

// The client comes from the broker, so the two always fit.
const { connect } = await import(`${broker}/fanfare.js`);
const fanfare = connect(`${broker}/bayeux`);

fanfare.addEventListener("state", ({ detail }) => {
    state.textContent = detail.reason ? `${detail.state}: ${detail.reason}` : detail.state;
});
fanfare.addEventListener("gap", ({ detail: { count } }) => add(undefined, `${count ?? "Some"} messages are missing here.`));

function add(who, what) {
    const line = document.createElement("li");
    // Never as HTML: it comes from strangers.
    if (who) line.append(Object.assign(document.createElement("b"), { textContent: who }), what);
    else Object.assign(line, { className: "gap", textContent: what });
    messages.append(line);
    line.scrollIntoView();
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = text.value;
    text.value = "";
    text.focus();
    try {
        // Waits while there is no connection, and is said once.
        await fanfare.publish(channel, { name: name.value, text: said });
    } catch (error) {
        add(undefined, `“${said}” was not sent: ${error.message}`);
    }
});

// What was said before, and what is said from now on.
await fanfare.subscribe(channel, ({ name, text }) => add(name, text), { since: "start" });
