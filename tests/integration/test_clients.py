"""Third-party clients at both ports: curl, promtool, a browser, raw bytes at the broker's."""
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from test_admin import start  # noqa: F401  (a fixture)
from test_gateway import gateway  # noqa: F401  (a fixture)
from test_http import answers

PATIENCE_S = 60


def curl(g, path, *options, stdin=None):
    ended = subprocess.run(["curl", "-sS", "-i", *options, f"http://127.0.0.1:{g.port}{path}"],
                           input=stdin, capture_output=True, timeout=PATIENCE_S, check=True)
    heads, _, body = ended.stdout.rpartition(b"\r\n\r\n")
    return heads.decode(), body


def test_curl_in_its_many_ways(gateway):
    g = gateway()
    kind, path = ["-H", "Content-Type: application/json"], "/v1/topics/t/jobs"
    job = b'{"payload": "' + b"x" * 500_000 + b'"}'
    for options in (["--data-binary", "@-"], ["--http1.0", "--data-binary", "@-"],
                    ["-T", "-", "-X", "POST"],  # chunked
                    ["-H", "Expect: 100-continue", "--data-binary", "@-"]):
        head, body = curl(g, path, *kind, *options, stdin=job)
        assert " 201 Created" in head and json.loads(body)["id"], head
    assert "100 Continue" in head
    head, body = curl(g, "/healthz", "--head")
    assert " 200 OK" in head and "Content-Length: 15" in head and body == b""
    head, body = curl(g, path, "-X", "OPTIONS")
    assert " 405 " in head and "Allow: POST" in head
    head, body = curl(g, path, *kind, "--data-binary", "@-", stdin=b" " * (5 << 20))
    assert " 413 " in head and json.loads(body)["code"] == "too_large"
    head, body = curl(g, path, "-d", "x=1")
    assert " 415 " in head and "application/json" in json.loads(body)["detail"]


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="this machine has no IPv6")
def test_both_ports_listen_on_ipv6(start, gateway):
    g = gateway("--listen", "[::1]:0")
    assert any(f"listening on http://[::1]:{g.port}" in line for line in g.lines)
    watched = start(extra='[http]\nlisten = "[::1]:0"\n')
    port = watched.logged("http port")["message"].rsplit(" ", 1)[1]
    for url in (f"http://[::1]:{g.port}/healthz", f"http://[::1]:{port}/readyz"):
        told = subprocess.run(["curl", "-sSg", url], capture_output=True, timeout=PATIENCE_S, check=True)
        assert b"ok" in told.stdout
    with pytest.raises(ConnectionRefusedError):  # of ::1 alone
        socket.create_connection(("127.0.0.1", g.port), timeout=PATIENCE_S)


def test_promtool_reads_both_ports(start, gateway):
    g = gateway()
    assert g.ask("POST", "/v1/topics/t/jobs", {})[0] == 201
    watched = start()
    for page in (curl(g, "/metrics")[1], watched.get("/metrics")[1].encode()):
        judged = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True,
                                timeout=PATIENCE_S, check=False)
        assert judged.returncode == 0, judged.stdout + judged.stderr
    assert b'millrace_gateway_requests_total{status="201"} 1\n' in curl(g, "/metrics")[1]
    assert b'millrace_gateway_jobs_total{outcome="stored"} 1\n' in curl(g, "/metrics")[1]


@pytest.mark.parametrize("sent, status", [
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
    (b"GET http://a/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
    (b"PUT /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
    (b"GET /healthz?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 200),
    (b"HEAD /metrics HTTP/1.0\r\n\r\n", 200),
    (b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
    (b"GET /" + b"x" * 9_000, 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9_000, 431),
    (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400),
    (b"GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /healthz HT", 408),
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length : 2\r\n\r\n{}", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417),
    (b"PUT /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
])
def test_the_brokers_port_refuses_what_is_in_doubt(start, sent, status):
    broker = start()
    broker.metrics()
    port = int(broker.logged("http port")["message"].rsplit(" ", 1)[1])
    got = answers(port, sent)
    assert got.split(b"\r\n")[0].split()[1] == str(status).encode(), got
    assert (b"\r\nAllow: GET, HEAD\r\n" in got) == (status == 405)
    assert b"\r\nContent-Type: text/plain; " in got
    assert (b"\r\n\r\nunknown path: the known paths are /metrics, /healthz and /readyz\n" in got) == (status == 404)


def test_silence_at_the_brokers_port_ends(start):
    port = int(start().logged("http port")["message"].rsplit(" ", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as silent:
        assert silent.recv(1) == b""


def test_who_is_gone_before_the_answer_or_never_goes_does_not_disturb_the_broker(start):
    broker = start()
    port = int(broker.logged("http port")["message"].rsplit(" ", 1)[1])
    for reset in (0, 1) * 25:  # the first answer is refused, and the next ones are written all the same
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as gone:
            gone.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", reset, 0))
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as half:
        half.sendall(b"GET /healthz HT")
        assert broker.get("/healthz") == (200, "ok\n")
        assert broker.stop() == 0


class Browser:
    """Chromium, led by its pipe: one JSON message after the other, each with a zero byte."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mr-browser-")
        down, self.down = os.pipe()
        self.up, up = os.pipe()
        # 3 and 4 are the browser's; the copies above them survive until they are moved there.
        moved = f"exec 3<&{down} 4>&{up}; exec \"$@\""
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", moved, "-", "chromium", "--headless", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={self.folder}",
             "--remote-debugging-pipe", "about:blank"], pass_fds=(down, up),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(down)
        os.close(up)
        self.number, self.rest = 0, b""

    def message(self):
        end = time.monotonic() + PATIENCE_S
        while b"\0" not in self.rest:
            assert select.select([self.up], [], [], max(0, end - time.monotonic()))[0], "no answer"
            piece = os.read(self.up, 65_536)
            assert piece, "the browser ended"
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def ask(self, method, session=None, **parameters):
        self.number += 1
        asked = {"id": self.number, "method": method, "params": parameters}
        if session:
            asked["sessionId"] = session
        os.write(self.down, json.dumps(asked).encode() + b"\0")
        while True:
            told = self.message()
            if told.get("id") == self.number:
                assert "result" in told, told
                return told["result"]

    def run(self, url, script):
        """What the script answers on the page."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable", session)
        self.ask("Page.navigate", session, url=url)
        while self.message().get("method") != "Page.loadEventFired":
            pass
        told = self.ask("Runtime.evaluate", session, expression=f"(async () => {{{script}}})()",
                        awaitPromise=True, returnByValue=True)
        return told["result"].get("value", told)

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)  # it leads a group of its own
        self.process.wait(PATIENCE_S)
        os.close(self.down)
        os.close(self.up)
        shutil.rmtree(self.folder, ignore_errors=True)


def test_a_browsers_fetch(gateway):
    g = gateway()
    url = f"http://127.0.0.1:{g.port}"
    post = ("const r = await fetch(URL + '/v1/topics/t/jobs', {method: 'POST', headers: HEADERS, "
            "body: JSON.stringify({payload: {n: 1}, run_at: new Date().toISOString()})}); "
            "return [r.status, await r.json()]").replace("URL", f"'{url}'")
    as_json = post.replace("HEADERS", "{'Content-Type': 'application/json'}")
    browser = Browser()
    try:
        status, body = browser.run(f"{url}/healthz", as_json)
        assert status == 201 and g.ask("GET", f"/v1/jobs/{body['id']}")[0] == 200
        status, body = browser.run(f"{url}/healthz", post.replace("HEADERS", "{}"))
        assert status == 415  # text/plain;charset=UTF-8, as a browser calls a string
        # Another origin: without CORS the browser may not send JSON, and what it may is refused.
        tried = f"try {{ {as_json} }} catch (e) {{ return String(e) }}"
        assert "Failed to fetch" in browser.run(url.replace("127.0.0.1", "localhost") + "/healthz", tried)
        simple = (f"await fetch('{url}/v1/topics/t/jobs', {{method: 'POST', mode: 'no-cors', "
                  "body: new Blob(['{}'])}); return 'sent'")
        assert browser.run(url.replace("127.0.0.1", "localhost") + "/healthz", simple) == "sent"
        assert b'jobs_total{outcome="stored"} 1\n' in curl(g, "/metrics")[1]
    finally:
        browser.close()


