"""What the broker promised to keep is there after it was stopped and started on the same database."""

from bayeux import CONNECTION, Peer


def restart(broker):
    broker.stop()
    broker.start()


def test_retained_message(own_broker):
    with Peer(own_broker) as publisher:
        publisher.publish("/kept/a", {"version": 1}, ext={"retain": True})
        publisher.publish("/kept/a", {"version": 2}, ext={"retain": True})
        publisher.publish("/kept/a", {"version": 3})
        publisher.publish("/kept/cleared", 1, ext={"retain": True})
        publisher.publish("/kept/cleared", None, ext={"retain": True})
    restart(own_broker)
    with Peer(own_broker) as listener:
        listener.listen("/kept/*")
        message = listener.next_message()
        assert (message["channel"], message["data"]) == ("/kept/a", {"version": 2})
        assert message["ext"]["retained"] is True
        listener.publish("/kept/live", "live")
        assert listener.next_message()["data"] == "live", "a cleared message must not come back"


def test_session(own_broker):
    """The same client id connects again, without a handshake, and its subscriptions are as it left them."""
    with Peer(own_broker) as peer:
        peer.listen("/room/*", "/left")
        assert peer.ask("/meta/unsubscribe", clientId=peer.client_id, subscription="/left")["successful"]
        client_id = peer.client_id
        restart(own_broker)
    with Peer(own_broker) as peer:
        peer.client_id = client_id
        reply = peer.connect()
        assert reply["clientId"] == client_id
        peer.publish("/left", 1)
        peer.publish("/room/a", 2)
        assert peer.next_message()["channel"] == "/room/a"
        peer.subscribe("/more")
        peer.publish("/more", 3)
        assert peer.next_message()["channel"] == "/more"


def test_session_that_ended(own_broker):
    """A session that said good-bye does not come back."""
    with Peer(own_broker) as peer:
        peer.listen("/room/*")
        client_id = peer.client_id
        assert peer.ask("/meta/disconnect", clientId=client_id)["successful"]
    restart(own_broker)
    with Peer(own_broker) as peer:
        reply = peer.ask("/meta/connect", clientId=client_id, **CONNECTION)
        assert reply["error"] == f"401:{client_id}:Unknown client"
        assert reply["advice"]["reconnect"] == "handshake"
