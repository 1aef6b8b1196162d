"""Load balancers in front of two gateways: one is drained, one is killed, and every 201 is one job.
The configurations are those of docs/http.md, with other ports."""
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading

import pytest

from millrace_wire import BIN

DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "http.md")
PATIENCE_S = 60


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def configuration(kind, ports):
    with open(DOCS) as file:
        text = re.search(rf"```{kind}\n(.*?)```", file.read(), re.DOTALL).group(1)
    for before, after in zip((8080, 8081, 8082), ports):
        assert f":{before}" in text
        text = text.replace(f":{before}", f":{after}")
    return text


def haproxy(folder, text):
    path = f"{folder}/haproxy.cfg"
    with open(path, "w") as file:
        file.write(text)
    return ["/usr/sbin/haproxy", "-db", "-f", path]


def nginx(folder, text):
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path = f"{folder}/nginx.conf"
    with open(path, "w") as file:
        file.write(f"daemon off;\npid {folder}/pid;\nerror_log {folder}/errors;\n"
                   f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n")
    return ["/usr/sbin/nginx", "-e", f"{folder}/errors", "-p", str(folder), "-c", path]


def command(kind, folder, text):
    """Of a proxy with this configuration."""
    return haproxy(folder, text) if kind == "haproxy" else nginx(folder, text)


class Stand:
    """Two gateways behind a proxy, and clients that post numbered jobs."""

    def __init__(self, broker, kind, folder):
        self.broker = broker
        self.ports = [free_port(), 0, 0]
        self.gateways = [None, None]
        for i in (0, 1):
            self.begin(i)
        self.proxy = subprocess.Popen(command(kind, folder, configuration(kind, self.ports)),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.lock, self.answered = threading.Condition(), []  # (number, status, id)
        self.number, self.ended = 0, False
        self.clients = [threading.Thread(target=self.post) for _ in range(4)]

    def begin(self, i):
        gateway = subprocess.Popen(
            [f"{BIN}/millrace-gateway", "--listen", f"127.0.0.1:{self.ports[i + 1]}", "--broker",
             self.broker.endpoint, "--drain", "2s"], stderr=subprocess.PIPE, text=True)
        listens = next(line for line in gateway.stderr if "listening on" in line)
        self.ports[i + 1] = int(listens.rsplit(":", 1)[1])  # when it begins again, the same
        self.gateways[i] = gateway

    def once(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=PATIENCE_S)
        try:
            connection.request("POST", "/v1/topics/t/jobs", json.dumps({"payload": f"n{number}"}),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text)["id"] if response.status == 201 else None
        except OSError:
            return 0, None
        finally:
            connection.close()

    def post(self):
        while True:
            with self.lock:
                if self.ended:
                    return
                self.number += 1
                number = self.number
            told = self.once(number)
            with self.lock:
                self.answered.append((number, *told))
                self.lock.notify_all()

    def after(self, count):
        """Waits for so many jobs more that are stored."""
        with self.lock:
            goal = self.stored() + count
            assert self.lock.wait_for(lambda: self.stored() >= goal, PATIENCE_S), self.statuses()

    def stored(self):
        return sum(status == 201 for _, status, _ in self.answered)

    def statuses(self):
        return {status for _, status, _ in self.answered}

    def handed_over(self, i):
        """Jobs that came through this gateway."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[i + 1], timeout=PATIENCE_S)
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
        connection.close()
        return int(re.search(r'jobs_total{outcome="stored"} (\d+)', page).group(1))

    def run(self):
        while self.once(0)[0] != 201:  # until the proxy and its checks are up
            pass
        for client in self.clients:
            client.start()

    def close(self):
        with self.lock:
            self.ended = True
        for client in self.clients:
            if client.ident:
                client.join(PATIENCE_S)
        for process in (self.proxy, *self.gateways):
            if process.poll() is None:
                process.terminate()
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


@pytest.fixture
def stand(broker, tmp_path):
    made = []

    def make(kind):
        tmp_path.chmod(0o755)
        made.append(Stand(broker, kind, tmp_path))
        made[-1].run()
        return made[-1]
    yield make
    for s in made:
        s.close()


def payloads(broker):
    """By id, as the files of the broker have them."""
    found = {}
    for name in os.listdir(broker.folder):
        if not re.fullmatch(r"shard-\d+\.db", name):
            continue
        file = sqlite3.connect(f"file:{broker.folder}/{name}?mode=ro", uri=True)
        found.update(file.execute(
            "SELECT t.name || '/' || p.partition || '/' || (j.id & 0x7fffffffff), j.payload "
            "FROM live_jobs j JOIN partitions p ON p.slot = j.id >> 43 "
            "JOIN topics t ON t.id = p.topic_id").fetchall())
        file.close()
    return found


@pytest.mark.parametrize("kind", ["haproxy", "nginx"])
def test_one_is_drained_and_one_is_killed_under_load(broker, stand, kind):
    s = stand(kind)
    s.after(100)
    s.gateways[0].terminate()
    assert s.gateways[0].wait(PATIENCE_S) == 0
    s.after(100)
    if kind == "haproxy":  # it checks /readyz and has stopped sending requests in time
        assert s.statuses() == {201}
    s.begin(0)
    while s.handed_over(0) == 0:  # the proxy has found it again
        s.after(1)
    s.gateways[1].kill()
    s.after(200)
    s.close()
    told = {job: number for number, status, job in s.answered if status == 201}
    kept = {job: text.decode() for job, text in payloads(broker).items()}
    assert len(told) == s.stored()  # no two answers name one job
    assert all(kept.get(job) == f"n{number}" for job, number in told.items())
    once = [text for text in kept.values() if text != "n0"]
    assert len(once) == len(set(once))  # nothing was sent twice by the proxy
