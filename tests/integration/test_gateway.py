"""The HTTP gateway as a web developer meets it."""
import http.client
import json
import os
import resource
import signal
import socket
import subprocess

import pytest

from millrace_wire import BIN, JOB, Client


class Gateway:
    def __init__(self, broker, *options, limits=None):
        self.lines = []
        self.process = subprocess.Popen(
            [f"{BIN}/millrace-gateway", "--listen", "127.0.0.1:0", "--broker", broker.endpoint,
             "--timeout", "3s", "--drain", "0s", *options], stderr=subprocess.PIPE, text=True,
            preexec_fn=limits and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)))
        self.port = int(self.says("listening on").rsplit(":", 1)[1])

    def says(self, words):
        """Waits for a line of its log with these words."""
        for line in self.process.stderr:
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"the gateway ended: {self.lines}")

    def ask(self, method, path, body=None, kind="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, json.loads(text) if text else None, response.headers

    def until_ready(self):
        # Each try waits for the broker up to the gateway's patience: this does not spin long.
        for _ in range(10_000):
            if self.ask("GET", "/readyz")[0] == 200:
                return
        raise AssertionError("never ready")

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0


@pytest.fixture
def gateway(broker):
    started = []

    def start(*options):
        started.append(Gateway(broker, *options))
        return started[-1]
    yield start
    for g in started:
        g.close()


def test_one_job_and_many_are_stored_before_the_answer(broker, gateway):
    g = gateway()
    status, body, headers = g.ask("POST", "/v1/topics/t/jobs", {"payload": "hello", "priority": 1})
    assert status == 201 and headers["Location"] == f"/v1/jobs/{body['id']}"
    broker.kill()  # acknowledged is on disk
    broker.start()
    g.until_ready()
    status, view, _ = g.ask("GET", f"/v1/jobs/{body['id']}")
    assert (status, view["state"], view["priority"]) == (200, "available", 1)
    status, body, _ = g.ask("POST", "/v1/topics/t/jobs", [{"payload": {"n": n}} for n in range(1000)])
    assert status == 201 and len(set(body["ids"])) == 1000


def test_binary_payloads_and_any_json(broker, gateway):
    g = gateway()
    _, body, _ = g.ask("POST", "/v1/topics/t/jobs", [
        {"payload_base64": "AAH/"}, {"payload": [1, {"a": None}]}, {"payload": "t\"e[xt"}])
    client = Client(broker.endpoint)
    topology = client.ask(64, topics=["t"])
    payloads = []
    for job in body["ids"]:
        shard = topology["topics"]["t"][int(job.split("/")[1])]
        payloads.append(Client(topology["shards"][shard][0]).ask(JOB, job=job)["payload"])
    assert payloads == [b"\x00\x01\xff", b'[1, {"a": null}]', b't"e[xt']


def test_delete_cancels(gateway):
    g = gateway()
    _, body, _ = g.ask("POST", "/v1/topics/t/jobs", {"payload": "x", "delay_ms": 60000})
    assert g.ask("DELETE", f"/v1/jobs/{body['id']}")[1]["state"] == "cancelled"
    status, problem, headers = g.ask("DELETE", f"/v1/jobs/{body['id']}")
    assert (status, problem["code"]) == (409, "conflict")
    assert headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("method, path, body, status, said", [
    ("POST", "/v1/topics/t/jobs", "nonsense", 400, "not valid JSON"),
    ("POST", "/v1/topics/t/jobs", "[" * 100_000, 400, "deeper"),
    ("POST", "/v1/topics/t/jobs", '{"payload": ' + "[" * 70 + "]" * 70 + "}", 400, "deeper"),
    ("POST", "/v1/topics/t/jobs", {"colour": 1}, 400, "unknown field 'colour'"),
    ("POST", "/v1/topics/t/jobs", [], 400, "no job"),
    ("POST", "/v1/topics/t/jobs", [{}] * 1025, 413, "1024"),
    ("POST", "/v1/topics/t/jobs", {"payload": "x" * (2 << 20)}, 413, "1 MiB"),
    ("POST", "/v1/topics/t/jobs", {"payload": "x" * (5 << 20)}, 413, "bytes"),
    ("POST", "/v1/topics/t/jobs", {"payload": "x", "priority": 12}, 400, "priority"),
    ("POST", "/v1/topics/t/jobs", {"payload": "x", "run_at": "soon"}, 400, "run_at: 'soon' is not a time"),
    ("POST", "/v1/topics/t/jobs", {"payload": "x", "run_at": "4060-01-31T12:00:00Z"}, 400, "run_at"),
    ("POST", "/v1/topics/t/jobs", {"payload": "x", "run_at": "0001-01-01T00:00:00Z"}, 400, "before 1970"),
    ("POST", "/v1/topics/bad%20name/jobs", {"payload": "x"}, 400, "topic"),
    ("PUT", "/v1/topics/t/jobs", {"payload": "x"}, 405, "POST"),
    ("GET", "/v1/jobs/nonsense", None, 400, "thumbnails/3/1842"),
    ("GET", "/v1/jobs/t/0/99999", None, 404, ""),
    ("GET", "/elsewhere", None, 404, "/v1/topics"),
])
def test_wrong_requests_get_problem_details(gateway, method, path, body, status, said):
    g = gateway()
    got, problem, _ = g.ask(method, path, body)
    assert got == status and problem["status"] == status and said in problem["detail"]
    assert g.ask("GET", "/healthz")[0] == 200


def test_the_example_of_http(gateway):
    g = gateway()
    script = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "programs", "http.sh")
    ended = subprocess.run([script, f"http://127.0.0.1:{g.port}"], capture_output=True, text=True,
                           timeout=30, check=False)
    first, code, view = ended.stdout.splitlines()
    assert code == "201" and json.loads(view)["id"] == json.loads(first)["id"]
    assert json.loads(view)["priority"] == 2


def test_another_content_type_is_415(gateway):
    assert gateway().ask("POST", "/v1/topics/t/jobs", "x=1", "text/plain")[0] == 415


def test_large_headers_are_refused(gateway):
    g = gateway()
    with socket.create_connection(("127.0.0.1", g.port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
        assert b" 431 " in connection.recv(4_096).split(b"\r\n")[0]
    assert g.ask("GET", "/healthz")[0] == 200


def test_without_its_broker_it_answers_503_until_the_broker_is_back(broker, gateway):
    g = gateway()
    assert g.ask("POST", "/v1/topics/t/jobs", {"payload": "x"})[0] == 201
    broker.kill()
    status, problem, headers = g.ask("POST", "/v1/topics/t/jobs", {"payload": "y"})
    assert status in (503, 504) and problem["code"] in ("unavailable", "outcome_unknown")
    status, _, headers = g.ask("POST", "/v1/topics/t/jobs", {"payload": "z"})
    assert status == 503 and headers["Retry-After"]
    assert g.ask("GET", "/readyz")[0] == 503 and g.ask("GET", "/healthz")[0] == 200
    broker.start()
    g.until_ready()
    assert g.ask("POST", "/v1/topics/t/jobs", {"payload": "w"})[0] == 201


def test_two_gateways_in_front_of_one_broker(broker, gateway):
    for g in (gateway(), gateway()):
        assert g.ask("POST", "/v1/topics/t/jobs", {"payload": "x"})[0] == 201


@pytest.mark.parametrize("options, code, said", [
    (["--listen", "0.0.0.0:8080"], 64, "--keys-dir"),
    (["--listen", "[::]:8080"], 64, "--keys-dir"),
    (["--listen", "here"], 64, "[::1]:8080"),
    (["--listen", "::1:8080"], 64, "[::1]:8080"),
    (["--timeout", "never"], 64, "not a duration"),
])
def test_wrong_command_lines(options, code, said):
    ended = subprocess.run([f"{BIN}/millrace-gateway", *options], capture_output=True, text=True,
                           timeout=10, check=False)
    assert ended.returncode == code and said in ended.stderr


def test_a_port_in_use_is_said(gateway):
    g = gateway()
    ended = subprocess.run([f"{BIN}/millrace-gateway", "--listen", f"127.0.0.1:{g.port}"],
                           capture_output=True, text=True, timeout=10, check=False,
                           env=dict(os.environ, MILLRACE_BROKER="ipc:///tmp/none"))
    assert ended.returncode == 74 and "another port" in ended.stderr
