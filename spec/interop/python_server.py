"""Python's websockets as a server for the weft client.

    python spec/interop/python_server.py [DIRECTORY]

With the DIRECTORY of the certificates it speaks TLS.  Prints where it listens.
"""

import asyncio
import http
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

last = "none"  # how the last connection to /echo ended


async def echo(ws):
    global last
    try:
        async for message in ws:
            await ws.send(message)
    except ConnectionClosed:
        pass
    last = f"{ws.close_code} {ws.close_reason}"


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


async def ping(ws):
    await (await ws.ping(b"are you there?"))
    await ws.send("pong are you there?")


async def close(ws):
    await ws.close(4002, "because")


async def drop(ws):
    ws.transport.abort()


async def tell_last(ws):
    await ws.send(last)


PATHS = {
    "/echo": echo,
    "/fragments": fragments,
    "/ping": ping,
    "/close": close,
    "/drop": drop,
    "/last": tell_last,
}


def admit(ws, request):
    if request.path == "/secret":
        response = ws.respond(http.HTTPStatus.UNAUTHORIZED, "who are you?")
        response.headers["WWW-Authenticate"] = 'Basic realm="websockets"'
        return response
    if request.path not in PATHS:
        return ws.respond(http.HTTPStatus.NOT_FOUND, "not here")
    return None


async def handle(ws):
    try:
        await PATHS[ws.request.path](ws)
    except ConnectionClosed:
        pass


def choose(ws, offered):
    return "chat.v2" if "chat.v2" in offered else None


def context():
    if len(sys.argv) == 1:
        return None
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(f"{sys.argv[1]}/rsa.pem", f"{sys.argv[1]}/rsa.key")
    return made


async def main():
    secure = context()
    server = await serve(handle, "127.0.0.1", 0, process_request=admit,
                         select_subprotocol=choose, compression=None,
                         max_size=4 * 1024 * 1024, ssl=secure)
    port = server.sockets[0].getsockname()[1]
    scheme = "wss" if secure else "ws"
    print(f"listening on {scheme}://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


asyncio.run(main())
