"""Python's websockets as a compressing server for the weft client.

    python spec/interop/python_deflate_server.py

Prints where it listens.  The path's query says what it is to ask for, as RFC
7692 names the parameters: /echo?server_max_window_bits=9&client_no_context_takeover=true
"""

import asyncio
import json
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def fragments(ws):
    """Three fragments, the middle one empty, with a ping between them."""
    async for message in ws:
        half = len(message) // 2

        async def pieces():
            yield message[:half]
            await ws.ping(b"between")
            yield message[:0]
            yield message[half:]

        await ws.send(pieces())


async def zeros(ws):
    """As many as asked for."""
    async for count in ws:
        await ws.send(bytes(int(count)))


async def extensions(ws):
    await ws.send(ws.response.headers["Sec-WebSocket-Extensions"])


# websockets compresses all or nothing: to /mixed it is another echo
PATHS = {
    "/echo": echo,
    "/fragments": fragments,
    "/mixed": echo,
    "/zeros": zeros,
    "/extensions": extensions,
}


def choose(ws, request):
    """The parameters are a connection's own; serve() has only one set."""
    asked = {name: json.loads(value) for name, value in parse_qsl(urlsplit(request.path).query)}
    ws.protocol.available_extensions = [ServerPerMessageDeflateFactory(**asked)]


async def handle(ws):
    try:
        await PATHS[urlsplit(ws.request.path).path](ws)
    except ConnectionClosed:
        pass


async def main():
    server = await serve(handle, "127.0.0.1", 0, process_request=choose,
                         max_size=4 * 1024 * 1024)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on ws://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


asyncio.run(main())
