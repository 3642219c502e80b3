"""Python's websockets as a compressing client of the weft server.

    python spec/interop/python_deflate_client.py URL WINDOWS

WINDOWS is what deflate_server.lua was started with.
"""

import asyncio
import itertools
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

import check as checks
from check import report, same

BASE, WINDOWS = sys.argv[1:]
SLIDING = WINDOWS != "shared"
MOST = {"shared": 15, "sliding": 12}.get(WINDOWS) or int(WINDOWS)  # bits of its windows
SIZES = [0, 1, 125, 126, 127, 511, 512, 65535, 65536, 1024 * 1024]


def check(name):
    """Runs the coroutine function it decorates, at once."""
    def run(body):
        checks.check(name)(lambda: asyncio.run(asyncio.wait_for(body(), 20)))
    return run


def noises(x=1):
    """What does not compress, the same each time."""
    while True:
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        yield x >> 24


NOISE = bytes(itertools.islice(noises(), max(SIZES)))
# and what compresses well
PROSE = "".join(f'{{"id":{i},"name":"member {i * 7919 % 1000}","tags":["blue","{i % 17}"]}},'
                for i in range(max(SIZES) // 40))


def noise(size):
    return NOISE[:size]


def prose(size):
    return PROSE[:size]


def echoes(distance, size):
    """Noise that comes again at the distance."""
    return (noise(distance) * (size // distance + 1))[:size]


def open_at(path, **parameters):
    return connect(BASE + path, proxy=None, compression=None, max_size=4 * 1024 * 1024,
                   extensions=[ClientPerMessageDeflateFactory(**parameters)])


def agreed(ws):
    """What the server has agreed on, by name."""
    name, *parameters = ws.response.headers["Sec-WebSocket-Extensions"].split("; ")
    same("permessage-deflate", name)
    pairs = (parameter.partition("=") for parameter in parameters)
    return {key: int(value) if value else True for key, _, value in pairs}


def verify(ws, asked):
    """That the answer is one to what the client has asked for."""
    got = agreed(ws)
    same(not SLIDING or "server_no_context_takeover" in asked, "server_no_context_takeover" in got)
    same(min(MOST, asked.get("server_max_window_bits", 15)), got.get("server_max_window_bits", 15))
    limit = MOST if asked.get("client_max_window_bits", True) else 15
    if got.get("client_max_window_bits", 15) > limit:
        raise AssertionError(got)


async def ask(ws, message, fragments=None):
    await ws.send(fragments or message)
    if ws.request.path == "/chunks" and isinstance(message, str):
        message = message.encode()
    same(message, await ws.recv())


def cut(message, size):
    return [message[at:at + size] for at in range(0, len(message), size)]


async def talk(path, **parameters):
    async with open_at(path, **parameters) as ws:
        verify(ws, parameters)
        for size in SIZES:
            await ask(ws, prose(size))
            await ask(ws, noise(size))
        await ask(ws, "")
        await ask(ws, "")
        for distance in [200, 250, 251, 256, 500, 4000, 5000, 32000, 33000]:
            await ask(ws, echoes(distance, 100000))
        await ask(ws, prose(100000), cut(prose(100000), 997))
        await ask(ws, noise(100000), [b"", *cut(noise(100000), 9973), b""])
        await ask(ws, "", ["", "", ""])


OFFERS = [
    ("what websockets offers by itself", {}),
    ("no word of the client's window", {"client_max_window_bits": None}),
    ("no takeover of the server's", {"server_no_context_takeover": True}),
    ("no takeover of the client's", {"client_no_context_takeover": True}),
    ("no takeover", {"server_no_context_takeover": True, "client_no_context_takeover": True}),
]
for bits in range(8, 16):
    OFFERS.append((f"the server's window of {bits} bits", {"server_max_window_bits": bits}))
# websockets leaves its window to zlib, which has none of 8 bits
for bits in range(9, 16):
    OFFERS.append((f"the client's window of {bits} bits", {"client_max_window_bits": bits}))
    OFFERS.append((f"windows of {bits} bits without takeover", {
        "server_max_window_bits": bits,
        "client_max_window_bits": bits,
        "server_no_context_takeover": True,
        "client_no_context_takeover": True,
    }))

for name, parameters in OFFERS:
    @check(f"{name}: messages of every size come back")
    async def offered():
        await talk("/echo", **parameters)

for path in ["/fragments", "/chunks", "/mixed"]:
    @check(f"{path[1:]}: messages of every size come back")
    async def differently():
        await talk(path)


@check("both ends tell the same of what was agreed on")
async def told():
    async with open_at("/extensions") as ws:
        await ws.send("well?")
        same(ws.response.headers["Sec-WebSocket-Extensions"], await ws.recv())


@check("a message past max_message once inflated is refused with 1009")
async def too_big():
    async with open_at("/echo") as ws:
        try:
            await ws.send([bytes(1024 * 1024)] * 3)
            await ws.recv()
        except ConnectionClosed as end:
            same(1009, end.rcvd.code)
        else:
            raise AssertionError("it was not refused")


@check("twenty connections talk at once")
async def crowd():
    async def one(i):
        async with open_at("/echo") as ws:
            for turn in range(20):
                await ask(ws, f"{i} {turn} {prose(100 * i)}")

    await asyncio.gather(*(one(i) for i in range(20)))


report()
