"""A broker with keys on loopback TCP, clients of the protocol that hold a key, and what becomes of
connections that are refused."""
import os
import re
import resource
import shutil
import socket
import subprocess
import threading

import zmq
from zmq.utils.monitor import recv_monitor_message

from millrace_wire import BIN, Client
from test_admin import HTTP, TOPIC, Watched, until
from test_descriptors import free_ports

PATIENCE_S = 20
SESSIONS, JOBS = 89, 73
OPENED = zmq.EVENT_HANDSHAKE_SUCCEEDED
ENDS = {zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused", zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "protocol",
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "failed", zmq.EVENT_DISCONNECTED: "disconnected",
        OPENED: "open"}


class KeyedBroker(Watched):
    """Its settings name keys; it listens on ipc:// without them and on tcp:// with them."""

    def __init__(self, shards=1, access="", broker="", limits=None):
        super().__init__(shards=shards)
        self.keys, self.limits = f"{self.folder}/etc", limits or {}
        self.port = free_ports(shards)
        self.tcp = f"tcp://127.0.0.1:{self.port}"
        os.mkdir(f"{self.folder}/data", 0o700)
        self.millrace("keys", "init", "--dir", self.keys)
        with open(self.config, "w") as file:
            file.write(f'[broker]\ndata_dir = "{self.folder}/data"\nshards = {shards}\n'
                       f'listen = ["{self.endpoint}", "{self.tcp}"]\n{broker}\n[access]\n'
                       f'keys_dir = "{self.keys}/keys"\nbroker_key_file = "{self.keys}/broker.key"\n'
                       f"{access}\n{HTTP}{TOPIC}")

    def start(self):
        def limit():
            for name, value in self.limits.items():
                resource.setrlimit(name, (value, value))
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([f"{BIN}/millraced", "--config", self.config],
                                            stderr=log, env=self.environment, cwd=self.folder,
                                            preexec_fn=limit)
        self.logged("is ready")
        return self

    def logs(self):
        with open(self.log) as log:
            return log.read()

    def millrace(self, *arguments, code=0, **environment):
        ended = subprocess.run([f"{BIN}/millrace", *arguments], capture_output=True, text=True,
                               timeout=60, check=False, env=dict(os.environ, **environment))
        assert ended.returncode == code, (ended.stdout, ended.stderr)
        return ended.stdout + ended.stderr

    def key(self, name, may, topics="*", *more):
        """A new key that the broker knows; the path of the client's file."""
        path = f"{self.folder}/{name}.key"
        known = os.listdir(f"{self.keys}/keys")
        self.millrace("keys", "new", name, "--may", may, "--topics", topics, "--dir", self.keys,
                      "--broker", self.tcp, "--out", path, *more)
        if self.process:
            self.knows(len([one for one in known if one.endswith(".toml")]) + 1)
        return path

    def knows(self, count):
        """Waits until the broker has read so many keys, by what it says last."""
        until(lambda: [int(n) for n in re.findall(r"(\d+) keys are known", self.logs())][-1:] == [count],
              lambda: f"it does not know {count} keys:\n{self.logs()}")

    def edit(self, name, change):
        """Rewrites the broker's file of a key as an administrator does, and waits until it is read."""
        path = f"{self.keys}/keys/{name}.toml"
        with open(path) as file:
            text = file.read()
        before = self.logs().count("keys are known")
        with open(f"{path}.new", "w") as file:
            file.write(change(text))
        os.rename(f"{path}.new", path)
        self.read_again(before)

    def read_again(self, before):
        until(lambda: self.logs().count("keys are known") > before,
              lambda: "the broker does not read its keys again")

    def revoke(self, name):
        self.millrace("keys", "revoke", name, "--dir", self.keys)


def field(path, name):
    """Of a key file."""
    with open(path) as file:
        text = file.read()
    found = re.search(rf'^{name} = \[?"([^"]+)"', text, re.M)
    return found.group(1).encode()


def armed(made, path, server=None):
    """Gives a socket the keys of a file; server: another key of the broker than the file's."""
    made.curve_serverkey = server or field(path, "broker_public_keys")
    made.curve_publickey, made.curve_secretkey = field(path, "public_key"), field(path, "secret_key")
    return made


class KeyContext:
    """Makes sockets with a key, for Client."""

    def __init__(self, path, routing_id=None):
        self.path, self.routing_id = path, routing_id

    def socket(self, kind):
        made = armed(Client.context.socket(kind), self.path)
        if self.routing_id is not None:
            made.routing_id = self.routing_id
        return made


class KeyClient(Client):
    """A client of the protocol with a key."""

    def __init__(self, address, path, role="client", routing_id=None):
        self.context = KeyContext(path, routing_id)
        super().__init__(address, role)


def outcome(address, prepare):
    """What becomes of a connection whose socket was prepared so: the first event that says it."""
    made = Client.context.socket(zmq.DEALER)
    prepare(made)
    watch = made.get_monitor_socket(sum(ENDS))
    made.connect(address)
    try:
        assert watch.poll(PATIENCE_S * 1_000), "nothing becomes of the connection"
        return ENDS[recv_monitor_message(watch)["event"]]
    finally:
        made.disable_monitor()
        made.close(0)


def ends(client):
    """Waits for the end of a client's connection, which was open."""
    watch = client.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    assert watch.poll(PATIENCE_S * 1_000), "the connection stays"
    client.socket.disable_monitor()


class Recorder:
    """A TCP proxy that keeps what its clients send, connection by connection."""

    def __init__(self, port):
        self.to, self.said = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.to))
            heard = bytearray()
            self.said.append(heard)
            for pair in ((client, there, heard), (there, client, bytearray())):
                self.threads.append(threading.Thread(target=self.carry, args=pair, daemon=True))
                self.threads[-1].start()

    @staticmethod
    def carry(source, target, heard):
        try:
            while data := source.recv(65_536):
                heard += data
                target.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, target):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def p99_ms(times):
    return sorted(times)[len(times) * 99 // 100] * 1_000


def copied(source, folder, name):
    """A copy of a file under a name in a folder, as private as before."""
    path = f"{folder}/{name}"
    shutil.copy(source, path)
    os.chmod(path, 0o600)
    return path
