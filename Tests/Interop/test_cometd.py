"""A CometD client (aiocometd, in the edition that runs on today's Python), over each of its transports."""

import asyncio

import pytest
from aiocometd_noloop import Client, ConnectionType
from aiocometd_noloop.exceptions import ServerError

from broker import PATIENCE

TYPES = [ConnectionType.WEBSOCKET, ConnectionType.LONG_POLLING]


def run(session):
    asyncio.run(asyncio.wait_for(session, PATIENCE))


def client_of(broker, connection_type):
    return Client(broker.url("/bayeux"), connection_type)


@pytest.mark.parametrize("connection_type", TYPES, ids=lambda value: value.value)
def test_session(broker, connection_type):
    """It subscribes to a pattern, hears itself and others, unsubscribes, and leaves."""

    async def session():
        own, other = f"/stock/{connection_type.value}", f"/stock/other-{connection_type.value}"
        async with client_of(broker, connection_type) as client:
            assert client.connection_type == connection_type
            await client.subscribe("/stock/*")
            acknowledgement = await client.publish(own, {"price": 42.5})
            assert acknowledgement["successful"] is True
            assert await client.receive() == {"channel": own, "data": {"price": 42.5}}
            await asyncio.to_thread(broker.publish, other, {"price": None})
            assert await client.receive() == {"channel": other, "data": {"price": None}}
            await client.unsubscribe("/stock/*")
            await client.publish(own, "nobody hears this")
            await client.subscribe(own)
            await client.publish(own, "the last")
            assert (await client.receive())["data"] == "the last"
        assert client.closed

    run(session())


@pytest.mark.parametrize("connection_type", TYPES, ids=lambda value: value.value)
def test_two_clients(broker, connection_type):
    """Many messages from one to another arrive, each once, in order."""
    count = 200

    async def session():
        channel = f"/orders/{connection_type.value}"
        async with client_of(broker, connection_type) as reader, client_of(broker, connection_type) as writer:
            await reader.subscribe(channel)
            publishing = asyncio.ensure_future(publish_all(writer, channel))
            assert [(await reader.receive())["data"] for _ in range(count)] == list(range(count))
            await publishing

    async def publish_all(writer, channel):
        for number in range(count):
            await writer.publish(channel, number)

    run(session())


@pytest.mark.parametrize("connection_type", TYPES, ids=lambda value: value.value)
def test_refusal(broker, connection_type):
    async def session():
        async with client_of(broker, connection_type) as client:
            with pytest.raises(ServerError) as refused:
                await client.subscribe("/meta/**")
            assert refused.value.error == "403:/meta/**:Forbidden channel"

    run(session())
