"""Python's websockets as a client of the weft server.

    python spec/interop/python_client.py ws://127.0.0.1:PORT
"""

import sys
import threading
import traceback

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

BASE = sys.argv[1]
SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024]
passed = failed = 0


def check(name):
    """Runs the function it decorates, at once."""
    def run(body):
        global passed, failed
        try:
            body()
        except Exception:
            failed += 1
            print(f"FAILED  {name}: {traceback.format_exc()}", flush=True)
        else:
            passed += 1
            print(f"ok      {name}", flush=True)
    return run


def open_at(path, **options):
    options.setdefault("compression", None)
    options.setdefault("max_size", 4 * 1024 * 1024)
    return connect(BASE + path, proxy=None, **options)


def ask(ws, message):
    ws.send(message)
    return ws.recv(timeout=20)


def same(expected, got):
    if expected != got:
        raise AssertionError(f"expected {expected!r:.80}, got {got!r:.80}")


def closed(ws):
    """The code and reason with which the other side closed."""
    try:
        while True:
            ws.recv(timeout=20)
    except ConnectionClosed as end:
        return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")


def refused(path, **options):
    try:
        open_at(path, **options).close()
    except InvalidStatus as refusal:
        return refusal.response
    raise AssertionError("the handshake was not refused")


for size in SIZES:
    @check(f"text of {size} bytes comes back")
    def text():
        with open_at("/echo") as ws:
            same("w" * size, ask(ws, "w" * size))

    @check(f"{size} bytes of binary come back")
    def binary():
        message = (bytes(range(251)) * (size // 251 + 1))[:size]
        with open_at("/echo") as ws:
            same(message, ask(ws, message))

    @check(f"{size} bytes sent by weft in fragments arrive whole")
    def fragmented():
        with open_at("/fragments") as ws:
            same("e" * size, ask(ws, "e" * size))

    @check(f"{size} bytes sent in fragments come back whole")
    def fragments():
        message = "f" * size
        with open_at("/echo") as ws:
            ws.send([message[at:at + 9973] for at in range(0, size, 9973)] or [""])
            same(message, ws.recv(timeout=20))


@check("weft's fragments are fragments")
def pieces():
    with open_at("/fragments") as ws:
        ws.send(b"p" * 2500)
        got = [len(piece) for piece in ws.recv_streaming()]
        same(2500, sum(got))
        if len(got) < 3:
            raise AssertionError(f"pieces of {got}")


@check("text beyond ASCII comes back")
def unicode():
    with open_at("/echo") as ws:
        same("grüß \U0001F9F5 \0 ende", ask(ws, "grüß \U0001F9F5 \0 ende"))


@check("a ping is answered")
def ping():
    with open_at("/echo") as ws:
        if not ws.ping(b"hello").wait(20):
            raise AssertionError("no pong")


@check("weft's ping is answered")
def pinged():
    with open_at("/ping") as ws:
        same("answered", ws.recv(timeout=20))


@check("the client's close code and reason arrive, and the code is echoed")
def client_closes():
    with open_at("/echo") as ws:
        ws.close(4001, "bye")
        same(4001, ws.protocol.close_rcvd.code)
    with open_at("/last") as ws:
        same("4001 bye peer", ws.recv(timeout=20))


@check("weft's close code and reason arrive")
def server_closes():
    with open_at("/close/4002") as ws:
        same((4002, "because"), closed(ws))


@check("a handler that returns closes with 1000")
def returns():
    with open_at("/last") as ws:
        same((1000, ""), closed(ws))


@check("a message past max_message is refused with 1009")
def too_big():
    with open_at("/echo") as ws:
        try:
            ws.send([bytes(2 * 1024 * 1024), b"x"])
        except ConnectionClosed:
            pass
        same(1009, closed(ws)[0])


@check("the server's favourite of the offered subprotocols is spoken")
def subprotocol():
    with open_at("/echo", subprotocols=["other", "chat.v1", "chat.v2"]) as ws:
        same("chat.v2", ws.subprotocol)


@check("no subprotocol is claimed where none was offered")
def no_subprotocol():
    with open_at("/echo") as ws:
        same(None, ws.subprotocol)


@check("no subprotocol is claimed where none is shared")
def foreign_subprotocol():
    with open_at("/echo", subprotocols=["other"]) as ws:
        same(None, ws.subprotocol)


@check("compression that was offered is not forced")
def compression():
    with open_at("/echo", compression="deflate") as ws:
        same("plain", ask(ws, "plain"))


@check("a refusal by upgrade is a 401 with its header and message")
def unauthorized():
    response = refused("/secret")
    same(401, response.status_code)
    same('Basic realm="weft"', response.headers["WWW-Authenticate"])
    if b"who are you?" not in response.body:
        raise AssertionError(response.body)


@check("the right password gets in")
def authorized():
    with open_at("/secret", additional_headers={
            "Authorization": "Basic YW5hOnNlc2FtZQ=="}) as ws:
        same("in", ask(ws, "in"))


@check("a foreign origin gets 403 with a body that names the option")
def origin():
    response = refused("/echo", origin="http://evil.example")
    same(403, response.status_code)
    if b"origins" not in response.body:
        raise AssertionError(response.body)


@check("an unknown path gets 404")
def unknown():
    same(404, refused("/nowhere").status_code)


@check("twenty threads talk at once")
def threads():
    wrong = []

    def talk(i):
        try:
            with open_at("/echo") as ws:
                for turn in range(20):
                    same(f"{i} {turn}", ask(ws, f"{i} {turn}"))
        except Exception as error:
            wrong.append(error)

    running = [threading.Thread(target=talk, args=(i,)) for i in range(20)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(30)
    same([], wrong)


print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0 or passed == 0)
