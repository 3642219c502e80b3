"""openssl s_client and curl as clients of the weft server.

    python spec/interop/commands.py DIRECTORY USUAL STRICT SELF_SIGNED PLAIN

DIRECTORY holds the certificates; the rest are URLs, of server.lua's kinds and
of one without TLS.
"""

import contextlib
import re
import socket
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

from check import check, report, same

DIRECTORY, USUAL, STRICT, SELF_SIGNED, PLAIN = sys.argv[1:]
CA = DIRECTORY + "/ca.pem"
CLIENT = ["-cert", DIRECTORY + "/client.pem", "-key", DIRECTORY + "/client.key"]
IMPOSTOR = ["-cert", DIRECTORY + "/impostor.pem", "-key", DIRECTORY + "/impostor.key"]
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
UPGRADE = (b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def port(url):
    return urlsplit(url).port


def run(*command, data=b""):
    """What it printed on both outputs, and its status."""
    done = subprocess.run(command, input=data, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode(errors="replace"), done.returncode


def s_client(url, *options, ca=CA, name="localhost"):
    """Asks for the page; what s_client says of all that."""
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port(url)}", "-CAfile", ca,
               "-servername", name, "-verify_hostname", name, "-ign_eof", *options,
               data=ASK)[0]


def curl(*arguments):
    return run("curl", "--silent", "--show-error", "--include", "--noproxy", "*",
               "--max-time", "15", *arguments)


def has(text, *patterns):
    for pattern in patterns:
        if not re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            short = re.sub("-----BEGIN.*?END CERTIFICATE-----\n", "", text, flags=re.DOTALL)
            raise AssertionError(f"nothing like {pattern!r} in\n{short:.4000}")


VERIFIED = r"Verify return code: 0 \(ok\)"
PAGE = r"<title>weft</title>"

for flag, version in [("-tls1_2", r"TLSv1\.2"), ("-tls1_3", r"TLSv1\.3")]:
    @check(f"s_client {flag}: the chain is verified, the page comes")
    def handshake():
        has(s_client(USUAL, flag), rf"New, {version}, Cipher is", VERIFIED, "HTTP/1.1 200 OK", PAGE)

    @check(f"s_client {flag}: the second connection resumes the session")
    def resumption():
        session = DIRECTORY + "/session"
        has(s_client(USUAL, flag, "-sess_out", session), rf"New, {version}")
        has(s_client(USUAL, flag, "-sess_in", session), rf"Reused, {version}", PAGE)

    @check(f"s_client {flag}: ALPN is http/1.1 where h2 is offered too")
    def alpn():
        has(s_client(USUAL, flag, "-alpn", "h2,http/1.1"), "ALPN protocol: http/1.1", PAGE)

    @check(f"s_client {flag}: nothing is negotiated where nothing is offered")
    def no_alpn():
        has(s_client(USUAL, flag), "No ALPN negotiated", PAGE)

for flag in ["-tls1", "-tls1_1"]:
    @check(f"s_client {flag} is refused by an alert")
    def old():
        has(s_client(USUAL, flag, "-cipher", "DEFAULT@SECLEVEL=0"), "alert protocol version")


@check("s_client: min_version = \"1.3\" refuses TLS 1.2 by an alert")
def min_version():
    has(s_client(STRICT, "-tls1_2", *CLIENT), "alert protocol version")


@check("s_client: the server name chooses the certificate")
def server_name():
    has(s_client(USUAL, name="other.example"), "subject=CN = weft other", VERIFIED, PAGE)


@check("s_client: an unknown server name gets the default certificate")
def unknown_name():
    has(s_client(USUAL, "-verify_hostname", "localhost", name="third.example"),
        "subject=CN = weft server")


@check("s_client: the client certificate is asked for by its CA's name, and gets in")
def client_certificate():
    has(s_client(STRICT, *CLIENT), "Acceptable client certificate CA names\nCN = weft ca",
        VERIFIED, PAGE)


@check("s_client: a missing client certificate is refused by an alert")
def no_client_certificate():
    has(s_client(STRICT), "alert certificate required")


@check("s_client: a stranger's client certificate is refused by an alert")
def impostor():
    has(s_client(STRICT, *IMPOSTOR), "alert (unknown ca|bad certificate)")


@check("s_client: an optional client certificate must be a good one")
def optional():
    has(s_client(USUAL, *CLIENT), PAGE)
    has(s_client(USUAL, *IMPOSTOR), "alert (unknown ca|bad certificate)")


@check("s_client: the self-signed certificate is for localhost and the loopback addresses")
def self_signed():
    pem = re.search("-----BEGIN.*?END CERTIFICATE-----\n", s_client(SELF_SIGNED), re.DOTALL)
    trusted = DIRECTORY + "/self-signed.pem"
    with open(trusted, "w") as file:
        file.write(pem[0])
    has(s_client(SELF_SIGNED, ca=trusted), VERIFIED, PAGE)
    for address in ["127.0.0.1", "::1"]:
        has(s_client(SELF_SIGNED, "-verify_ip", address, ca=trusted), VERIFIED)


@check("s_client: a WebSocket lives through key updates in both directions")
def key_updates():
    # a socket that keeps what is written apart: s_client takes a K alone for
    # "new keys on both sides"
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port(USUAL)}", "-CAfile", CA,
         "-tls1_3", "-brief"], stdin=its, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        its.close()
        ours.send(UPGRADE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.stdout.read1(1) or b"\r\n\r\n"
        has(head.decode(), "^HTTP/1.1 101 ", "s3pPLMBiTxaQ9kYGzzhZRbK\\+xOo=")
        for command, text in [(b"K\n", b"one"), (b"k\n", b"two"), (b"K\n", b"six")]:
            ours.send(command)
            ours.send(b"\x81\x83\0\0\0\0" + text)
            same(b"\x81\x03" + text, client.stdout.read(5))
        ours.send(b"\x88\x82\0\0\0\0\x03\xe8")
        same(b"\x88\x02\x03\xe8", client.stdout.read())
    finally:
        ours.close()
        client.kill()
        client.wait()


@check("s_client: a server without TLS answers a hello at once, in words")
def hello_in_plain():
    hello = ssl.MemoryBIO()
    out = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        out.do_handshake()
    with socket.create_connection(("127.0.0.1", port(PLAIN)), 15) as raw:
        raw.sendall(hello.read())
        answer = b""
        while piece := raw.recv(4096):
            answer += piece
    has(answer.decode(), "^HTTP/1.1 400 ", "TLS")
    has(s_client(PLAIN), "wrong version number")


@check("curl: an https request gets the page")
def page():
    out, status = curl("--cacert", CA, f"https://localhost:{port(USUAL)}/")
    same(0, status)
    has(out, "^HTTP/1.1 200", PAGE)


@check("curl: the certificate is good for 127.0.0.1")
def address():
    out, status = curl("--cacert", CA, f"https://127.0.0.1:{port(USUAL)}/")
    same(0, status)
    has(out, PAGE)


@check("curl: a client certificate gets in")
def curl_certificate():
    out, status = curl("--cacert", CA, "--cert", DIRECTORY + "/client.pem",
                       "--key", DIRECTORY + "/client.key", f"https://localhost:{port(STRICT)}/")
    same(0, status)
    has(out, PAGE)


@check("curl: without the CA nothing is trusted")
def untrusted():
    out, status = curl(f"https://localhost:{port(USUAL)}/")
    same(60, status)


@check("curl: the upgrade to a WebSocket is answered by 101")
def upgrade():
    out = curl("--cacert", CA, "--max-time", "1", "-H", "Connection: Upgrade",
               "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
               "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
               f"https://localhost:{port(USUAL)}/last")[0]
    has(out, "^HTTP/1.1 101 ", "s3pPLMBiTxaQ9kYGzzhZRbK\\+xOo=")


@check("curl: plain HTTP at a port with TLS gets a clear answer")
def plain_at_tls():
    out, status = curl(f"http://localhost:{port(USUAL)}/")
    same(0, status)
    has(out, "^HTTP/1.1 400 ", "TLS|https")


@check("curl: https at a port without TLS fails at once")
def tls_at_plain():
    out, status = curl("--cacert", CA, f"https://localhost:{port(PLAIN)}/")
    same(35, status)


report()
