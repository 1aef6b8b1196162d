"""Conformance with the HTTP standards, at the gateway's port and at the broker's: bytes on a socket."""
import gzip
import http.client
import json
import re
import resource
import select
import socket
import subprocess
import time

import pytest

from millrace_wire import BIN, JOB, Client
from test_gateway import Gateway, gateway  # noqa: F401  (a fixture)

POST = b"POST /v1/topics/t/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SHORT_S = 20


def connect(port, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), timeout=SHORT_S, source_address=(source, 0))


def to_end(connection):
    """All until the server closes."""
    got = b""
    try:
        while piece := connection.recv(65_536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def answers(port, sent):
    """Sends, and reads until the server closes."""
    with connect(port) as connection:
        connection.sendall(sent)
        return to_end(connection)


def is_problem(text, status):
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0].split()[1] == str(status).encode(), lines[0]
    assert b"Content-Type: application/problem+json" in lines and b"Connection: close" in lines
    assert json.loads(body)["status"] == status
    return json.loads(body)


def stored(broker, job):
    client = Client(broker.endpoint)
    topology = client.ask(64, topics=["t"])
    shard = topology["topics"]["t"][int(job.split("/")[1])]
    return Client(topology["shards"][shard][0]).ask(JOB, job=job)["payload"]


@pytest.mark.parametrize("payload", [
    '{"b": 1, "a": 1.10, "big": 12345678901234567890123}', "1e400", '{"a":1,"a":2}', "[ 1 ,\n2 ]",
    '["\\u00e9\\/", "é"]', "-0.0"])
def test_a_payload_is_the_callers_bytes(broker, gateway, payload):
    g = gateway()
    status, body, _ = g.ask("POST", "/v1/topics/t/jobs", f' {{"payload" : {payload} }}'.encode())
    assert status == 201 and stored(broker, body["id"]) == payload.encode()


def test_headers_reach_the_worker_and_are_shown(broker, gateway):
    g = gateway()
    headers = {"traceparent": "00-1-2-01", "who": "a \"b\" é"}
    _, body, _ = g.ask("POST", "/v1/topics/t/jobs", {"payload": "x", "headers": headers})
    worker = subprocess.Popen([f"{BIN}/millrace-worker", "--broker", broker.endpoint, "--topic", "t",
                               "--exec", 'printf "%s" "$MILLRACE_HEADERS"'], stderr=subprocess.DEVNULL)
    try:
        subprocess.run([f"{BIN}/millrace", "--broker", broker.endpoint, "wait", body["id"]],
                       check=True, timeout=60, stdout=subprocess.DEVNULL)
    finally:
        worker.terminate()
        worker.wait(30)
    view = g.ask("GET", f"/v1/jobs/{body['id']}")[1]
    assert json.loads(view["result"]) == view["headers"] == headers


def test_headers_that_are_no_map_are_shown_and_handed_on_as_they_are(broker, gateway):
    """What a client of 0.1 stored."""
    old = '{"traceparent":"00-1-2-01"}'
    Client(broker.endpoint, "producer").enqueue(headers=old.encode())
    worker = subprocess.Popen([f"{BIN}/millrace-worker", "--broker", broker.endpoint, "--topic", "t",
                               "--exec", 'printf "%s" "$MILLRACE_HEADERS"'], stderr=subprocess.DEVNULL)
    try:
        subprocess.run([f"{BIN}/millrace", "--broker", broker.endpoint, "wait", "t/0/1"],
                       check=True, timeout=60, stdout=subprocess.DEVNULL)
    finally:
        worker.terminate()
        worker.wait(30)
    view = gateway().ask("GET", "/v1/jobs/t/0/1")[1]
    assert (view["headers"], view["result"]) == ({"": old}, old)


@pytest.mark.parametrize("sent, status", [
    (POST + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}", 400),
    (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    (POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
    (POST + b"Content-Length : 2\r\n\r\n{}", 400),
    (POST + b"X: 1\r\n Content-Length: 2\r\n\r\n{}", 400),
    (POST + b"Host: b\r\nContent-Length: 2\r\n\r\n{}", 400),
    (POST + b"Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 99999999999\r\n\r\n", 413),
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400),
    (b"GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /" + b"x" * 9_000, 414),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),  # a client that speaks TLS
])
def test_what_is_in_doubt_is_a_problem_and_the_end(gateway, sent, status):
    g = gateway()
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    is_problem(answers(g.port, sent + smuggled), status)  # one answer alone: the rest is not read


def test_many_requests_come_at_once_and_are_answered_in_order(gateway):
    g = gateway()
    last = b"GET http://a/nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nX: y\r\n\r\n"
    got = answers(g.port, POST + b"Content-Length: 2\r\n\r\n{}" + POST + chunks +
                  b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + last)
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", got) == [b"201", b"201", b"200", b"404"]


@pytest.mark.parametrize("method, path, allowed", [
    ("PUT", "/v1/topics/t/jobs", "POST"), ("GET", "/v1/topics/t/jobs", "POST"),
    ("POST", "/v1/jobs/t/0/1", "GET, HEAD, DELETE"), ("OPTIONS", "/healthz", "GET, HEAD"),
    ("DELETE", "/metrics", "GET, HEAD")])
def test_another_method_is_told_which_are_allowed(gateway, method, path, allowed):
    status, _, headers = gateway().ask(method, path)
    assert (status, headers["Allow"]) == (405, allowed)


def packed(g, body, encoding):
    connection = http.client.HTTPConnection("127.0.0.1", g.port, timeout=SHORT_S)
    connection.request("POST", "/v1/topics/t/jobs", body,
                       {"Content-Type": "Application/JSON; charset=UTF-8", "Content-Encoding": encoding})
    response = connection.getresponse()
    return response.status, json.loads(response.read()), response.headers


def test_packed_bodies_are_unpacked_within_bounds(broker, gateway):
    g = gateway()
    body = b'{"payload": [1.10]}'
    tools = {"zstd": ["zstd", "-qc"], "gzip": ["gzip", "-c"]}
    for encoding, tool in tools.items():
        def pack(data):
            return subprocess.run(tool, input=data, stdout=subprocess.PIPE, check=True).stdout
        status, answer, _ = packed(g, pack(body), encoding)
        assert status == 201 and stored(broker, answer["id"]) == b"[1.10]"
        assert packed(g, pack(body)[:-2], encoding)[0] == 400
        status, answer, _ = packed(g, pack(b" " * (200 << 20)), encoding)  # a bomb
        assert status == 413 and "decompressed" in answer["detail"]
    assert packed(g, gzip.compress(body[:5]) + gzip.compress(body[5:]), "x-gzip")[0] == 201
    for encoding in ("br", "gzip, gzip", "deflate"):
        status, answer, headers = packed(g, body, encoding)
        assert status == 415 and encoding in answer["detail"]
        assert headers["Accept-Encoding"] == "gzip, zstd"


def test_silence_is_given_up_at_every_step(gateway):
    g = gateway("--timeout", "200ms")
    with connect(g.port) as silent:
        assert to_end(silent) == b""
    for begun in (b"GET /healthz HT", POST + b"Content-Length: 5\r\n\r\n{"):
        assert is_problem(answers(g.port, begun), 408)["code"] == "timeout"
    with connect(g.port) as trickle:  # a byte now and then does not help
        sent = 0
        while not select.select([trickle], [], [], 0.02)[0]:
            trickle.sendall(b"X")
            sent += 1
            assert sent < 1_000
        is_problem(to_end(trickle), 408)


def test_a_flood_of_silent_connections_locks_nobody_out(gateway):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    g = gateway("--connections-max", "100")
    at_work = http.client.HTTPConnection("127.0.0.1", g.port, timeout=SHORT_S)
    flood = []
    for i in range(min(3_000, hard // 2)):
        flood.append(connect(g.port, f"127.0.{i % 7 + 1}.{i % 200 + 1}"))
        if i % 300 == 0:
            at_work.request("POST", "/v1/topics/t/jobs", "{}", {"Content-Type": "application/json"})
            response = at_work.getresponse()
            assert response.status == 201 and response.read()
            assert g.ask("POST", "/v1/topics/t/jobs", {})[0] == 201  # a newcomer
    until = time.monotonic() + SHORT_S
    while True:  # the kernel connects before the gateway accepts
        metrics = page(at_work, "/metrics")[1]
        gone = sum(metrics[f"millrace_gateway_connections_{how}_total"] for how in ("displaced", "expired"))
        if gone >= len(flood) - 100:  # those of other clients are accepted between them
            break
        assert time.monotonic() < until, metrics
    assert metrics["millrace_gateway_connections"] <= 100
    assert metrics["millrace_gateway_connections_displaced_total"] > 0
    assert metrics["millrace_gateway_connections_refused_total"] == 0
    for connection in flood:
        connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def page(connection, path):
    connection.request("GET", path)
    response = connection.getresponse()
    text = response.read().decode()
    return response.status, {line.split(" ")[0]: float(line.split(" ")[1]) for line in
                             text.splitlines() if line and line[0] not in "#{"}


def test_above_the_bound_newcomers_are_told_and_readiness_says_so(gateway):
    g = gateway("--connections-max", "8")
    there = [http.client.HTTPConnection("127.0.0.1", g.port, timeout=SHORT_S) for _ in range(8)]
    g.until_ready()
    for connection in there:
        while page(connection, "/healthz")[0] != 200:  # the one of until_ready may still be closing
            connection.close()
    for _ in range(3):
        with connect(g.port) as newcomer:
            is_problem(to_end(newcomer), 503)
    status, metrics = page(there[0], "/metrics")
    assert status == 200 and metrics["millrace_gateway_connections_refused_total"] >= 3
    assert page(there[0], "/readyz")[0] == 503
    for connection in there[1:]:
        connection.close()
    g.says("new connections are accepted again")
    assert sum("new connections are refused" in line for line in g.lines) == 1
    assert page(there[0], "/readyz")[0] == 200
    there[0].close()


def test_few_descriptors_are_not_run_out_of(broker):
    g = Gateway(broker, limits=(80, 80))
    assert any("80 file descriptors allow 16 connections" in line for line in g.lines)
    flood = [connect(g.port) for _ in range(300)]
    assert g.ask("POST", "/v1/topics/t/jobs", {})[0] == 201
    for connection in flood:
        connection.close()
    g.close()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    g = Gateway(broker, limits=(70, hard))  # the limit is raised to the hard one
    assert not any("descriptors" in line for line in g.lines)
    g.close()
    few = subprocess.run([f"{BIN}/millrace-gateway", "--listen", "127.0.0.1:0"], check=False,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)),
                         capture_output=True, text=True, timeout=SHORT_S)
    assert few.returncode == 71 and "raise the limit" in few.stderr


def test_a_drain_is_seen_and_serves(gateway):
    g = gateway("--drain", "1h")
    g.until_ready()
    g.process.terminate()
    g.says("draining")
    status, problem, headers = g.ask("GET", "/readyz")
    assert (status, problem["code"], headers["Connection"]) == (503, "shutting_down", "close")
    assert g.ask("GET", "/healthz")[0] == 200
    assert g.ask("POST", "/v1/topics/t/jobs", {})[0] == 201
    g.close()  # the second signal ends the drain


def test_what_bodies_hold_together_is_bounded(gateway):
    g = gateway("--bodies-bytes-max", "1000000", "--timeout", "60s")
    large = b'{"payload": "' + b"x" * 300_000 + b'"}'

    def until_held(count):
        """Until the gateway has read what was sent."""
        wanted = f"millrace_gateway_body_bytes {count}\n".encode()
        for _ in range(10_000):
            if wanted in answers(g.port, METRICS):
                return
        raise AssertionError(f"never {count} bytes")
    held = []
    for _ in range(2):
        held.append(connect(g.port))
        held[-1].sendall(POST + b"Content-Length: 400000\r\n\r\n" + b" " * 399_998)
    until_held(2 * 399_998)
    told = g.ask("POST", "/v1/topics/t/jobs", large)
    assert told[0] == 503 and told[1]["code"] == "overloaded"
    assert g.ask("POST", "/v1/topics/t/jobs", {"payload": "small"})[0] == 201
    for connection in held:
        connection.close()
    until_held(0)
    assert g.ask("POST", "/v1/topics/t/jobs", large)[0] == 201
