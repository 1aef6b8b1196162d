"""HTTPS at the gateway's port, with real clients: curl, openssl and Python's ssl."""
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import pytest

from certificates import Authority
from millrace_wire import BIN
from test_gateway import Gateway
from test_http import METRICS, POST, SHORT_S, is_problem, to_end

CURL_UNTRUSTED = 60
JOBS = "/v1/topics/t/jobs"


@pytest.fixture(scope="module")
def authority():
    folder = tempfile.mkdtemp(prefix="mr-")
    made = Authority(folder)
    made.issue("one")
    made.issue("two")
    yield made
    shutil.rmtree(folder)


class Secure(Gateway):
    """With a certificate whose files a test may replace."""

    def __init__(self, broker, authority, *options, name="one"):
        self.authority, self.folder = authority, tempfile.mkdtemp(prefix="mr-")
        self.certificate, self.key = f"{self.folder}/chain.pem", f"{self.folder}/key.pem"
        self.replace(name)
        super().__init__(broker, "--tls-cert", self.certificate, "--tls-key", self.key, *options)

    def replace(self, name):
        """As tools do that renew a certificate: a new file in place of the old one, the key second."""
        for ending, place in ((".pem", self.certificate), (".key", self.key)):
            shutil.copy(f"{self.authority.folder}/{name}{ending}", f"{place}.new")
            os.rename(f"{place}.new", place)

    def connect(self, **settings):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=SHORT_S)
        return self.authority.context(**settings).wrap_socket(
            plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)

    def plain(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=SHORT_S)

    def shown(self):
        """The name in the certificate that a new connection gets."""
        with self.connect() as connection:
            return dict(pair[0] for pair in connection.getpeercert()["subject"])["commonName"]

    def curl(self, path, *options, stdin=b"", code=0):
        """(head, body); both empty where curl ends with another code."""
        ended = subprocess.run(
            ["curl", "-sSi", "--cacert", self.authority.file, *options, f"https://127.0.0.1:{self.port}{path}"],
            input=stdin, capture_output=True, timeout=60, check=False)
        assert ended.returncode == code, ended.stderr
        head, _, body = ended.stdout.rpartition(b"\r\n\r\n")
        return head.decode(), body

    def metric(self, name):
        with self.connect() as connection:
            connection.sendall(METRICS)
            return int(re.search(rf"^millrace_gateway_{name} (\d+)$", to_end(connection).decode(), re.M).group(1))

    def close(self):
        super().close()
        shutil.rmtree(self.folder)


@pytest.fixture
def secure(broker, authority):
    started = []

    def start(*options, **names):
        started.append(Secure(broker, authority, *options, **names))
        return started[-1]
    yield start
    for g in started:
        g.close()


def test_curl_enqueues_by_https_and_trusts_only_the_authority(secure):
    g = secure()
    assert any(f"listening on https://127.0.0.1:{g.port}" in line for line in g.lines)
    assert any("is in use, valid until 20" in line for line in g.lines)
    kind = ["-H", "Content-Type: application/json"]
    for version in ("--tlsv1.2", "--tlsv1.3"):
        head, body = g.curl(JOBS, *kind, version, "--tls-max", version[-3:], "-d", '{"payload": 1}')
        assert head.startswith("HTTP/1.1 201") and json.loads(body)["id"]
    ended = subprocess.run(["curl", "-sS", f"https://127.0.0.1:{g.port}/healthz"], capture_output=True,
                           timeout=60, check=False)
    assert ended.returncode == CURL_UNTRUSTED


def handshake(g, *options, stdin=b""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{g.port}", "-CAfile", g.authority.file,
                           *options], input=stdin, timeout=60, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout.decode()


def test_old_versions_and_other_protocols_are_refused(secure):
    g = secure()
    for version in ("-tls1", "-tls1_1"):
        assert "alert protocol version" in handshake(g, version, "-cipher", "DEFAULT@SECLEVEL=0")
    assert "alert no application protocol" in handshake(g, "-alpn", "h2")
    assert "alert handshake failure" in handshake(g, "-tls1_2", "-cipher", "AES128-SHA")
    assert g.metric("tls_handshakes_failed_total") == 4
    said = handshake(g, "-alpn", "h2,http/1.1")
    assert "ALPN protocol: http/1.1" in said and "TLSv1.3" in said and "Verification: OK" in said
    assert "New Session Ticket" not in said
    assert g.metric("tls_handshakes_failed_total") == 4


def test_a_renegotiation_is_refused(secure):
    g = secure()
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{g.port}", "-tls1_2"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    client.stdin.write(b"R\n")  # s_client begins one
    client.stdin.flush()
    said = client.stdout.read().decode()  # it ends by itself
    client.stdin.close()
    client.stdout.close()
    client.wait(SHORT_S)
    assert "RENEGOTIATING" in said and "no renegotiation" in said


def test_large_bodies_go_both_ways(broker, secure):
    g = secure("--timeout", "30s")
    payload = "0123456789abcdef" * (1 << 16)  # the largest there is
    body = json.dumps({"payload": payload}).encode()
    kind = ["-H", "Content-Type: application/json", "--data-binary", "@-"]
    worker = subprocess.Popen([f"{BIN}/millrace-worker", "--broker", broker.endpoint, "--topic", "t",
                               "--exec", "cat"], stderr=subprocess.DEVNULL)
    try:
        for options in (["-H", "Expect:"], ["-H", "Expect: 100-continue"],
                        ["-H", "Expect:", "-H", "Transfer-Encoding: chunked"]):
            head, answer = g.curl(JOBS, *kind, *options, stdin=body)
            assert " 201 Created" in head
            assert ("100 Continue" in head) == ("Expect: 100-continue" in options)
            job = json.loads(answer)["id"]
            subprocess.run([f"{BIN}/millrace", "--broker", broker.endpoint, "wait", job],
                           check=True, timeout=60, stdout=subprocess.DEVNULL)
            assert json.loads(g.curl(f"/v1/jobs/{job}")[1])["result"] == payload[:64 << 10]
    finally:
        worker.terminate()
        worker.wait(30)


def test_a_connection_is_kept_and_requests_may_come_at_once(secure):
    g = secure()
    many = POST + b"Content-Length: 2\r\n\r\n{}" + b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with g.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        for byte in many + many:  # a record each
            connection.sendall(bytes([byte]))
        connection.sendall(many + last)
        # to_end() ends with close_notify: this socket raises where a connection is cut.
        assert re.findall(rb"HTTP/1\.1 (\d{3}) ", to_end(connection)) == \
            [b"201", b"200"] * 3 + [b"404"]


@pytest.mark.parametrize("garbage", [
    b"\x16\x03\x01\x00\x05nonsense", b"\x16\x03\x01\xff\xff" + b"x" * 1_000, b"\x80\x2e\x01\x00\x02", bytes(100),
    b"\x16\x03\x01\x00\x00" * 100, b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x00\x10" + bytes(16), b"\xff"])
def test_a_garbled_handshake_is_closed(secure, garbage):
    g = secure("--timeout", "500ms")
    with g.plain() as client:
        client.sendall(garbage)
        assert b"HTTP" not in to_end(client)
    failed = g.metric("tls_handshakes_failed_total")
    with g.connect() as client:
        # Within TLS, bytes that are none.
        plain = socket.socket(fileno=os.dup(client.fileno()))
        plain.settimeout(SHORT_S)
        plain.sendall(b"\x17\x03\x03\x00\x40" + bytes(64))
        with pytest.raises(ssl.SSLError, match="ALERT"):
            while client.recv(1_024):
                pass
        plain.close()
    assert g.metric("tls_handshakes_failed_total") == failed  # that one had succeeded
    assert g.curl("/healthz")[0].startswith("HTTP/1.1 200")


def test_plain_http_is_told_to_use_https(secure):
    g = secure()
    with g.plain() as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "https://" in is_problem(to_end(client), 400)["detail"]
    assert g.metric("tls_handshakes_failed_total") == 0


def hello(g):
    """The first bytes of a client."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = g.authority.context().wrap_bio(into, out, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return out.read()


def test_a_slow_handshake_is_given_up(secure):
    g = secure("--timeout", "300ms")
    with g.plain() as silent:
        assert to_end(silent) == b""
    with g.plain() as half:
        half.sendall(hello(g)[:50])
        assert to_end(half) == b""
    with g.plain() as answered:  # and does not go on
        answered.sendall(hello(g))
        assert to_end(answered)[0] == 0x16
    with g.plain() as trickle:  # a byte now and then does not help
        first = hello(g)
        for at in range(len(first)):
            if select.select([trickle], [], [], 0.02)[0]:
                break
            trickle.sendall(first[at:at + 1])
        else:
            raise AssertionError("a handshake may trickle for ever")
        assert to_end(trickle) == b""
    with g.connect() as established:  # and then sends nothing
        assert to_end(established) == b""
    assert g.metric("connections_expired_total") == 5


def test_above_the_bound_a_newcomer_is_closed(secure):
    g = secure("--connections-max", "8")
    there = [g.connect() for _ in range(8)]
    for connection in there:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
    with g.plain() as newcomer:
        assert to_end(newcomer) == b""
    g.says("new connections are refused")
    for connection in there:
        connection.close()


def test_a_client_that_has_said_its_end_is_answered(secure):
    g = secure()
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = g.authority.context().wrap_bio(into, out, server_hostname="127.0.0.1")
    with g.plain() as client:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.sendall(out.read())
                into.write(client.recv(65_536))
        session.write(request * 2)
        with pytest.raises(ssl.SSLWantReadError):
            session.unwrap()  # close_notify
        client.sendall(out.read())
        into.write(to_end(client))
        got = b""
        while b"HTTP/1.1 200" not in got[1:]:
            got += session.read(65_536)
        session.unwrap()  # the gateway's close_notify has come, too
        assert got.count(b"HTTP/1.1 200") == 2
    with g.plain() as client:  # the same by TCP alone, in the middle of a handshake
        client.sendall(hello(g))
        client.shutdown(socket.SHUT_WR)
        assert b"HTTP" not in to_end(client)


def test_a_new_certificate_is_used_without_a_restart(secure):
    g = secure()
    with g.connect() as there:
        def asks():
            there.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            return there.recv(65_536).startswith(b"HTTP/1.1 200")
        assert asks() and g.shown() == "one"
        g.replace("two")
        g.says("is in use, valid until")
        assert g.shown() == "two" and asks()
        with open(g.key, "w") as file:  # in place
            file.write("nonsense")
        assert "previous certificate stays" in g.says("has no private key in PEM format")
        assert g.shown() == "two" and asks()
        os.remove(g.certificate)
        g.says("chain.pem cannot be opened: No such file")
        assert g.shown() == "two" and asks()
        g.replace("one")
        g.says("is in use, valid until")
        assert g.shown() == "one" and asks()


def test_sighup_reads_the_certificate_now(secure):
    g = secure()
    g.process.send_signal(signal.SIGHUP)  # also where nothing has changed
    g.says("is in use, valid until")
    os.chmod(g.key, 0o644)
    g.process.send_signal(signal.SIGHUP)
    assert "previous certificate stays" in g.says("accessible to other users (mode 0644)")
    assert g.shown() == "one"


def test_an_expired_certificate_is_reported(broker, authority):
    old, key = authority.issue("old", days_ago=10)
    g = Gateway(broker, "--tls-cert", old, "--tls-key", key)
    assert any("has expired" in line and "renew it" in line for line in g.lines)
    g.close()


def refused(*options):
    ended = subprocess.run([f"{BIN}/millrace-gateway", "--listen", "127.0.0.1:0", *options],
                           capture_output=True, text=True, timeout=SHORT_S, check=False)
    return ended.returncode, ended.stderr


def test_files_that_cannot_be_used_are_refused_with_a_sentence(authority, tmp_path):
    certificate, key = authority.issue("mine")
    pair = ["--tls-cert", certificate, "--tls-key", key]
    locked = authority.issue("locked", "-passout", "pass:secret")[1]
    small = authority.issue("small", kind=("-newkey", "rsa:1024"))
    long = tmp_path / "long.pem"
    with open(certificate) as file:
        long.write_text(file.read() + "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    cases = [
        (["--tls-cert", "/no-such-file", *pair[2:]], "/no-such-file cannot be opened: No such file"),
        (["--tls-cert", "/", *pair[2:]], "the certificate file / is not a file"),
        (["--tls-cert", key, *pair[2:]], "does not begin with a certificate in PEM format"),
        (["--tls-cert", str(long), *pair[2:]], "is malformed after its first certificate"),
        (["--tls-cert", small[0], "--tls-key", small[1]], "cannot be used: ee key too small"),
        ([*pair[:2], "--tls-key", "/dev/null"], "the key file /dev/null is not a file"),
        ([*pair[:2], "--tls-key", f"{authority.folder}/one.key"], "both files must be of one pair"),
        ([*pair[:2], "--tls-key", locked], "that can be used without a password"),
    ]
    for options, sentence in cases:
        code, said = refused(*options)
        assert code == 78 and sentence in said, said
    for mode in (0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666):
        os.chmod(key, mode)
        os.chown(key, -1, 1 if mode == 0o640 else -1)  # the group is not root's
        code, said = refused(*pair)
        assert code == 78 and f"(mode {mode:04o}): run chmod 600 {key}" in said, said


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_a_key_of_another_user_is_refused_and_a_credential_is_accepted(broker, authority, tmp_path):
    certificate, key = authority.issue("theirs")
    pair = ["--tls-cert", certificate, "--tls-key", key]
    os.chown(key, 65_534, 65_534)
    code, said = refused(*pair)
    assert code == 78 and "belongs to user 65534" in said
    os.chown(key, 0, 0)
    for mode in (0o400, 0o440):  # as systemd gives it: the second one with an access list
        os.chmod(key, mode)
        g = Gateway(broker, *pair)
        g.close()


@pytest.mark.parametrize("options, said", [
    (["--tls-cert", "/c"], "--tls-cert and --tls-key must be given together"),
    (["--tls-key", "/k"], "--tls-cert and --tls-key must be given together"),
    (["--tls-cert", "", "--tls-key", "/k"], "--tls-cert takes the path of a file"),
    (["--trusted-proxies", "10.0.0.0/8,here"], "not 'here'"),
    (["--trusted-proxies", "10.0.0.1/8"], "not '10.0.0.1/8'"),
    (["--trusted-proxies", ""], "--trusted-proxies takes"),
    (["--trusted-proxies", "::1,"], "not ''"),
])
def test_wrong_options_are_refused(options, said):
    code, text = refused(*options)
    assert code == 64 and said in text
