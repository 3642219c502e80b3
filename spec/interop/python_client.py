"""Python's websockets as a client of the weft server.

    python spec/interop/python_client.py URL

Of a wss URL the certificate is verified against the file that SSL_CERT_FILE
names.
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import check as checks
from check import report, same

BASE = sys.argv[1]
SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024]


def check(name):
    """Runs the coroutine function it decorates, at once."""
    def run(body):
        checks.check(name)(lambda: asyncio.run(asyncio.wait_for(body(), 20)))
    return run


def open_at(path, **options):
    options.setdefault("compression", None)
    options.setdefault("max_size", 4 * 1024 * 1024)
    return connect(BASE + path, proxy=None, **options)


async def ask(ws, message):
    await ws.send(message)
    return await ws.recv()


async def closed(ws):
    """The code and reason with which the other side closed."""
    try:
        while True:
            await ws.recv()
    except ConnectionClosed as end:
        return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")


async def refused(path, **options):
    try:
        async with open_at(path, **options):
            pass
    except InvalidStatus as refusal:
        return refusal.response
    raise AssertionError("the handshake was not refused")


for size in SIZES:
    @check(f"text of {size} bytes comes back")
    async def text():
        async with open_at("/echo") as ws:
            same("w" * size, await ask(ws, "w" * size))

    @check(f"{size} bytes of binary come back")
    async def binary():
        message = (bytes(range(251)) * (size // 251 + 1))[:size]
        async with open_at("/echo") as ws:
            same(message, await ask(ws, message))

    @check(f"{size} bytes sent by weft in fragments arrive whole")
    async def fragmented():
        async with open_at("/fragments") as ws:
            same("e" * size, await ask(ws, "e" * size))

    @check(f"{size} bytes sent in fragments come back whole")
    async def fragments():
        message = "f" * size
        async with open_at("/echo") as ws:
            await ws.send([message[at:at + 9973] for at in range(0, size, 9973)] or [""])
            same(message, await ws.recv())


@check("weft's fragments are fragments")
async def pieces():
    async with open_at("/fragments") as ws:
        await ws.send(b"p" * 2500)
        got = [len(piece) async for piece in ws.recv_streaming()]
        same(2500, sum(got))
        if len(got) < 3:
            raise AssertionError(f"pieces of {got}")


@check("text beyond ASCII comes back")
async def unicode():
    async with open_at("/echo") as ws:
        same("grüß \U0001F9F5 \0 ende", await ask(ws, "grüß \U0001F9F5 \0 ende"))


@check("a ping is answered")
async def ping():
    async with open_at("/echo") as ws:
        await (await ws.ping(b"hello"))


@check("weft's ping is answered")
async def pinged():
    async with open_at("/ping") as ws:
        same("answered", await ws.recv())


@check("the client's close code and reason arrive, and the code is echoed")
async def client_closes():
    async with open_at("/echo") as ws:
        await ws.close(4001, "bye")
        same(4001, ws.protocol.close_rcvd.code)
    async with open_at("/last") as ws:
        same("4001 bye peer", await ws.recv())


@check("weft's close code and reason arrive")
async def server_closes():
    async with open_at("/close/4002") as ws:
        same((4002, "because"), await closed(ws))


@check("a handler that returns closes with 1000")
async def returns():
    async with open_at("/last") as ws:
        same((1000, ""), await closed(ws))


@check("a message past max_message is refused with 1009")
async def too_big():
    async with open_at("/echo") as ws:
        try:
            await ws.send([bytes(2 * 1024 * 1024), b"x"])
        except ConnectionClosed:
            pass
        same(1009, (await closed(ws))[0])


@check("the server's favourite of the offered subprotocols is spoken")
async def subprotocol():
    async with open_at("/echo", subprotocols=["other", "chat.v1", "chat.v2"]) as ws:
        same("chat.v2", ws.subprotocol)


@check("no subprotocol is claimed where none was offered")
async def no_subprotocol():
    async with open_at("/echo") as ws:
        same(None, ws.subprotocol)


@check("no subprotocol is claimed where none is shared")
async def foreign_subprotocol():
    async with open_at("/echo", subprotocols=["other"]) as ws:
        same(None, ws.subprotocol)


@check("compression that was offered is not forced")
async def compression():
    async with open_at("/echo", compression="deflate") as ws:
        same("plain", await ask(ws, "plain"))


@check("a refusal by upgrade is a 401 with its header and message")
async def unauthorized():
    response = await refused("/secret")
    same(401, response.status_code)
    same('Basic realm="weft"', response.headers["WWW-Authenticate"])
    if b"who are you?" not in response.body:
        raise AssertionError(response.body)


@check("the right password gets in")
async def authorized():
    async with open_at("/secret", additional_headers={
            "Authorization": "Basic YW5hOnNlc2FtZQ=="}) as ws:
        same("in", await ask(ws, "in"))


@check("a foreign origin gets 403 with a body that names the option")
async def origin():
    response = await refused("/echo", origin="http://evil.example")
    same(403, response.status_code)
    if b"origins" not in response.body:
        raise AssertionError(response.body)


@check("an unknown path gets 404")
async def unknown():
    same(404, (await refused("/nowhere")).status_code)


@check("twenty connections talk at once")
async def crowd():
    async def talk(i):
        async with open_at("/echo") as ws:
            for turn in range(20):
                same(f"{i} {turn}", await ask(ws, f"{i} {turn}"))

    await asyncio.gather(*(talk(i) for i in range(20)))


report()
