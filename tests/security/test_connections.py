"""Who is not let in at an address that requires keys: wrong keys, no keys, other mechanisms, recorded bytes."""
import re
import socket

import pytest
import zmq

from millrace_wire import ENQUEUE, Client
from secure_bed import KeyClient, PATIENCE_S, Recorder, armed, outcome


def test_a_key_that_counts_is_let_in_and_does_its_work(start):
    broker = start(shards=2)
    path = broker.key("web-1", "produce,look", "t")
    assert outcome(broker.tcp, lambda made: armed(made, path)) == "open"
    client = KeyClient(broker.tcp, path, "producer")
    assert client.enqueue(3)["count"] == 3
    assert "web-1" in broker.millrace("keys", "list", "--dir", broker.keys)
    # The command line, by the file alone: it also says where the broker is.
    job = broker.millrace("--key-file", path, "enqueue", "t", "hello").strip()
    assert broker.millrace("--key-file", path, "job", job, "--payload") == "hello"
    # The socket of this machine needs no key.
    assert Client(broker.endpoint, "producer").enqueue()["count"] == 1


def test_a_client_does_not_talk_to_a_broker_with_another_key(broker):
    path = broker.key("web-1", "look")
    other = zmq.curve_keypair()[0]
    assert outcome(broker.tcp, lambda made: armed(made, path, server=other)) != "open"
    assert Client(broker.endpoint).ask(88)["sessions"] == 0


def test_a_key_that_is_unknown_is_refused_and_logged(broker):
    path = broker.key("web-1", "admin")
    public, secret = zmq.curve_keypair()

    def strange(made):
        armed(made, path)
        made.curve_publickey, made.curve_secretkey = public, secret
    assert outcome(broker.tcp, strange) == "refused"
    said = broker.logged("was refused")["message"]
    assert said == ("a connection from 127.0.0.1 was refused: the broker has no file of this key "
                    f"(public key {public.decode()})")


def test_a_public_key_without_its_secret_is_worth_nothing(broker):
    path = broker.key("web-1", "admin")
    _, secret = zmq.curve_keypair()

    def thief(made):
        armed(made, path)
        made.curve_secretkey = secret
    assert outcome(broker.tcp, thief) != "open"


def all_of(raw):
    """What is said up to the end of a connection, which may be a reset."""
    said = b""
    try:
        while data := raw.recv(4_096):
            said += data
    except ConnectionResetError:
        pass
    return said


def plain(made):
    made.plain_username, made.plain_password = b"admin", b"admin"


@pytest.mark.parametrize("prepare", [lambda made: None, plain], ids=["NULL", "PLAIN"])
def test_other_mechanisms_are_refused(broker, prepare):
    assert outcome(broker.tcp, prepare) != "open"


def test_bytes_of_zmtp_without_a_key_are_not_answered(broker):
    """A greeting of the mechanism NULL, and at once a READY and an ENQUEUE behind it."""
    greeting = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\0" + b"NULL".ljust(20, b"\0") + b"\0" * 32
    ready = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06DEALER"
    with socket.create_connection(("127.0.0.1", broker.port), PATIENCE_S) as raw:
        raw.sendall(greeting + ready + b"\x01\x04\x93\x01\x10\x03" + b"\x00\x01\x80")
        said = all_of(raw)
    assert len(said) <= 64 and b"CURVE".startswith(said[12:17])  # its greeting, and nothing else


def test_recorded_bytes_do_nothing_a_second_time(broker):
    path = broker.key("web-1", "produce,look", "t")
    recorder = Recorder(broker.port)
    try:
        client = KeyClient(f"tcp://127.0.0.1:{recorder.port}", path, "producer")
        assert client.enqueue(5)["count"] == 5
        recorded = bytes(max(recorder.said, key=len))
        assert len(recorded) > 500
        client.socket.close(0)
    finally:
        recorder.close()
    assert b"hello" not in recorded and b"ENQUEUE" not in recorded
    local = Client(broker.endpoint)
    for part in (recorded, recorded[:64], recorded[:64] + recorded[264:]):
        with socket.create_connection(("127.0.0.1", broker.port), PATIENCE_S) as raw:
            raw.sendall(part)
            raw.shutdown(socket.SHUT_WR)
            all_of(raw)
    assert local.topic()["enqueued"] == 5


def test_nothing_of_a_connection_can_be_read_on_its_way(broker):
    path = broker.key("web-1", "produce", "t")
    recorder = Recorder(broker.port)
    try:
        client = KeyClient(f"tcp://127.0.0.1:{recorder.port}", path, "producer")
        client.ask(ENQUEUE, topic="t", partition=0, jobs=[{"payload": b"canary-of-the-payload"}])
        seen = b"".join(bytes(said) for said in recorder.said)
    finally:
        recorder.close()
    for secret in (b"canary", b"payload", b"web-1", b"topic"):
        assert secret not in seen, secret
    assert not re.search(rb"\x93\x01\x10", seen[64:300])


def test_ipc_keys_closes_the_socket_of_the_machine_too(start):
    broker = start(access="ipc_keys = true")
    path = broker.key("web-1", "look")
    assert outcome(broker.endpoint, lambda made: None) != "open"
    assert outcome(broker.endpoint, lambda made: armed(made, path)) == "open"
    with open(path, "a") as file:
        file.write("ipc = true\n")
    broker.millrace("--broker", broker.endpoint, "--key-file", path, "topics")
