"""openssl s_server as the server of `weft connect`.

    python spec/interop/s_server.py DIRECTORY WEFT...

DIRECTORY holds the certificates; WEFT is the command to be tested.
"""

import base64
import contextlib
import hashlib
import os
import re
import socket
import subprocess
import sys
import threading

from check import check, report, same

DIRECTORY, *WEFT = sys.argv[1:]
CA = DIRECTORY + "/ca.pem"
OLD = ["-cipher", "DEFAULT@SECLEVEL=0"]


def pair(name):
    return ["-cert", f"{DIRECTORY}/{name}.pem", "-cert_chain", f"{DIRECTORY}/{name}.pem",
            "-key", f"{DIRECTORY}/{name}.key"]


def has(text, *patterns):
    for pattern in patterns:
        if not re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            raise AssertionError(f"nothing like {pattern!r} in\n{text}")


class Server:
    """An s_server that plays one connection after another; what it receives
    and what it says of it is in `said`."""

    def __init__(self, *options):
        # a socket that keeps what is written apart: s_server takes a K alone
        # for "new keys on both sides"
        self.input, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", *options],
            stdin=its, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        its.close()
        self.said = b""
        self.more = threading.Condition()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        self.port = int(self.wait_for(rb"ACCEPT 127\.0\.0\.1:(\d+)")[1])
        self.url = f"wss://localhost:{self.port}"

    def read(self):
        while piece := os.read(self.process.stdout.fileno(), 65536):
            with self.more:
                self.said += piece
                self.more.notify_all()
        with self.more:
            self.reader = None
            self.more.notify_all()

    def wait_for(self, pattern):
        with self.more:
            found = lambda: re.search(pattern, self.said, re.DOTALL)
            self.more.wait_for(lambda: found() or not self.reader, 15)
            if not found():
                raise AssertionError(f"s_server did not say {pattern!r} but {self.said!r}")
            return found()

    def send(self, piece):
        self.input.send(piece)

    def end(self):
        reader = self.reader
        self.process.kill()
        self.process.wait()
        if reader:
            reader.join()
        self.process.stdout.close()
        self.input.close()


@contextlib.contextmanager
def serving(*options):
    server = Server(*options)
    try:
        yield server
    finally:
        server.end()


@contextlib.contextmanager
def connecting(url, *options):
    """`weft connect`, with no proxy and no certificates but those it is told."""
    clean = {name: value for name, value in os.environ.items()
             if not name.lower().endswith("_proxy") and name != "SSL_CERT_FILE"}
    client = subprocess.Popen([*WEFT, "connect", *options, url], env=clean,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    try:
        yield client
    finally:
        client.kill()
        client.wait()
        for stream in (client.stdin, client.stdout, client.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def connect(url, *options):
    """What it printed on stderr, once it has ended by itself, and its status."""
    with connecting(url, *options) as client:
        _, errors = client.communicate(b"", timeout=20)
        return errors.decode(), client.returncode


def refused(server, *patterns, options=("--ca", CA)):
    errors, status = connect(server.url, *options)
    same(1, status)
    has(errors, *patterns)


PAGE = ["-www"]  # what a refused handshake is refused with
REACHED = "handshake refused: 200"

for flag in ["-tls1_2", "-tls1_3"]:
    @check(f"s_server {flag}: the server name chooses the certificate, which is verified")
    def handshake():
        with serving(*PAGE, flag, *pair("other"), "-servername", "localhost",
                     "-cert2", DIRECTORY + "/rsa.pem", "-key2", DIRECTORY + "/rsa.key") as server:
            refused(server, REACHED)


@check("s_server: a chain with an intermediate is verified")
def chain():
    with serving(*PAGE, *pair("server")) as server:
        refused(server, REACHED)


@check("s_server: ALPN offers http/1.1 alone")
def alpn():
    with serving("-alpn", "http/1.1", *pair("rsa")) as server:
        with connecting(server.url, "--ca", CA):
            server.wait_for(rb"ALPN protocols advertised by the client: http/1\.1\r?\n")
            server.wait_for(rb"ALPN protocols selected: http/1\.1\r?\n")


@check("s_server: a CA that nobody told is a clear error")
def untrusted():
    with serving(*PAGE, *pair("rsa")) as server:
        refused(server, "certificate.*weft ca", "--ca", options=())


@check("s_server: a self-signed certificate is a clear error")
def self_signed():
    with serving(*PAGE, *pair("alone")) as server:
        refused(server, "self-signed certificate", "--ca")


@check("s_server: an expired certificate is told with its date")
def expired():
    with serving(*PAGE, *pair("expired")) as server:
        refused(server, r"certificate has expired \(\d{4}-\d\d-\d\d\)")


@check("s_server: a certificate for another host is told with both names")
def mismatch():
    with serving(*PAGE, *pair("other")) as server:
        refused(server, "host ?name mismatch: .*other\\.example.*localhost")


@check("s_server: --insecure takes any certificate")
def insecure():
    for name in ["alone", "expired", "other"]:
        with serving(*PAGE, *pair(name)) as server:
            refused(server, REACHED, options=["--insecure"])


@check("s_server: TLS 1.1 is refused")
def old():
    for flag in ["-tls1", "-tls1_1"]:
        with serving(*PAGE, flag, *OLD, *pair("rsa")) as server:
            refused(server, "TLS version")


@check("s_server: a client certificate is sent where one is required")
def client_certificate():
    required = ["-Verify", "1", "-verify_return_error", "-CAfile", CA]
    client = ["--ca", CA, "--cert", DIRECTORY + "/client.pem", "--key", DIRECTORY + "/client.key"]
    for flag in ["-tls1_2", "-tls1_3"]:
        with serving(*PAGE, flag, *required, *pair("rsa")) as server:
            refused(server, REACHED, options=client)
            refused(server, "client certificate")


def head(server):
    """Reads the request and answers it by 101."""
    key = server.wait_for(rb"GET / HTTP/1\.1\r\n.*?sec-websocket-key: ([^\r]*)\r\n.*?\r\n\r\n"
                          .replace(b"sec-websocket-key", b"(?i:sec-websocket-key)"))[1]
    accept = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    server.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                + base64.b64encode(accept) + b"\r\n\r\n")


def wait_for_frame(server, first, payload):
    """A masked frame that came after the request."""
    with server.more:
        def found():
            after = server.said.rfind(b"\r\n\r\n") + 4
            pattern = re.escape(bytes([first, 0x80 | len(payload)])) + b"(.{4})" \
                + b"(.{%d})" % len(payload)
            return any(bytes(c ^ match[1][i % 4] for i, c in enumerate(match[2])) == payload
                       for match in re.finditer(pattern, server.said[after:], re.DOTALL))
        if not server.more.wait_for(found, 15):
            raise AssertionError(f"no frame with {payload!r} in {server.said!r}")


@check("s_server: -v tells what was negotiated")
def verbose():
    for flag, version in [("-tls1_2", "TLSv1\\.2"), ("-tls1_3", "TLSv1\\.3")]:
        with serving(flag, "-alpn", "http/1.1", *pair("rsa")) as server, \
                connecting(server.url, "--ca", CA, "-v") as client:
            head(server)
            server.send(b"\x81\x03one")
            same(b"one\n", client.stdout.readline())
            server.send(b"\x88\x02\x03\xe8")
            wait_for_frame(server, 0x88, b"\x03\xe8")
            server.send(b"Q\n")  # the end of its process
            errors = client.stderr.read().decode()
            same(0, client.wait(20))
            has(errors, version + ", ", "http/1\\.1", "CN = weft rsa", "localhost")


@check("s_server: a WebSocket lives through key updates in both directions, and closes")
def conversation():
    with serving("-tls1_3", *pair("rsa")) as server, \
            connecting(server.url, "--ca", CA) as client:
        head(server)
        for command, text in [(b"k\n", b"one"), (b"K\n", b"two"), (b"K\n", b"six")]:
            server.send(command)
            server.send(bytes([0x81, len(text)]) + text)
            same(text + b"\n", client.stdout.readline())
            client.stdin.write(text + b"\n")
            client.stdin.flush()
            wait_for_frame(server, 0x81, text)
        server.send(b"\x88\x02\x03\xe8")
        wait_for_frame(server, 0x88, b"\x03\xe8")
        server.send(b"Q\n")  # the end of its process
        errors = client.stderr.read().decode()
        same(0, client.wait(20))
        has(errors, "closed with 1000, cause: peer")


@check("s_server: a stream that is cut off is 1006, cause \"tls\"")
def cut_off():
    with serving("-tls1_3", *pair("rsa")) as server, \
            connecting(server.url, "--ca", CA) as client:
        head(server)
        server.send(b"\x81\x03one")
        same(b"one\n", client.stdout.readline())
        server.process.kill()
        errors = client.stderr.read().decode()
        same(1, client.wait(20))
        has(errors, "closed with 1006, cause: tls", "cut off")


@check("a server without TLS is told as one")
def without_tls():
    with socket.create_server(("127.0.0.1", 0)) as plain:
        def answer():
            connection, _ = plain.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        thread = threading.Thread(target=answer)
        thread.start()
        errors, status = connect(f"wss://localhost:{plain.getsockname()[1]}", "--ca", CA)
        thread.join(20)
        same(1, status)
        has(errors, "TLS")


report()
