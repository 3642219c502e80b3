"""An echo server on Python's websockets, as its documentation writes one, on
the event loop that it recommends for speed: messages up to 16 MiB, no
compression.

    python websockets_server.py PORT     on 127.0.0.1, until a signal comes

With CERT and KEY in the environment, names of PEM files: over TLS.  With
MODE=broadcast: what a member says goes to all, itself included.
"""

import os
import ssl
import sys

import uvloop
from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

members = set()


async def echo(websocket):
    try:
        async for message in websocket:
            await websocket.send(message)
    except ConnectionClosed:
        pass


async def member(websocket):
    members.add(websocket)
    try:
        async for message in websocket:
            broadcast(members, message)
    except ConnectionClosed:
        pass
    finally:
        members.discard(websocket)


def tls():
    if "CERT" not in os.environ:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    return context


async def main():
    handler = member if os.environ.get("MODE") == "broadcast" else echo
    server = await serve(
        handler,
        "127.0.0.1",
        int(sys.argv[-1]),
        ssl=tls(),
        compression=None,
        max_size=16 * 1024 * 1024,
    )
    await server.serve_forever()


uvloop.run(main())
