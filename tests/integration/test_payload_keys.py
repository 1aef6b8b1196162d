"""Encrypted payloads by the programs: command line, worker host and gateway, and a client that is not ours."""
import ctypes
import json
import os
import re
import subprocess

import pytest

from millrace_wire import BIN, JOB, TOPOLOGY, Client
from test_cli import lines, millrace
from test_gateway import Gateway
from test_worker import Host
from test_worker import broker_of_short_waits  # noqa: F401  the fixture "broker"

SECRET = "Dear Ada, your result is negative"


@pytest.fixture(name="keys")
def file_of_keys(tmp_path):
    path = str(tmp_path / "mail.payload-keys")
    made = subprocess.run([f"{BIN}/millrace", "payload-keys", "new", path], capture_output=True,
                          text=True, timeout=30, check=True).stdout
    assert current(path) in made and key_of(path, current(path)).hex() not in made
    return path


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def current(path):
    return re.search(r'^current = "(.*)"$', text(path), re.M).group(1)


def key_of(path, key_id):
    return bytes.fromhex(re.search(f'^"{key_id}" = "(.*)"$', text(path), re.M).group(1))


def stored(broker, job):
    """The job's view as the broker gives it, by a client of another language."""
    topic, partition, _ = job.split("/")
    topology = Client(broker.endpoint).ask(TOPOLOGY, topics=[topic])
    shard = topology["topics"][topic][int(partition)]
    return Client(topology["shards"][shard][0]).ask(JOB, job=job)


def decrypted(path, topic, payload):
    """As docs/sdk.md says what travels."""
    sodium = ctypes.CDLL("libsodium.so.23")
    key_id = current(path)
    bound = b"millrace-payload-1\0" + key_id.encode() + b"\0" + topic.encode()
    plain = ctypes.create_string_buffer(len(payload))
    size = ctypes.c_ulonglong()
    failed = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        plain, ctypes.byref(size), None, payload[24:], ctypes.c_ulonglong(len(payload) - 24), bound,
        ctypes.c_ulonglong(len(bound)), payload[:24], key_of(path, key_id))
    assert failed == 0
    return plain.raw[:size.value].decode()


def test_the_command_line_encrypts_and_decrypts(broker, keys):
    job = millrace(broker, "enqueue", "t", SECRET, "--payload-keys", keys).strip()
    view = stored(broker, job)
    assert SECRET.encode() not in view["payload"]
    assert decrypted(keys, "t", view["payload"]) == SECRET
    without = millrace(broker, "job", job)
    assert f"encrypted with key {current(keys)}" in without and SECRET not in without
    assert "\\x" not in without  # no bytes of the ciphertext
    assert SECRET in millrace(broker, "job", job, "--payload-keys", keys)
    assert millrace(broker, "job", job, "--payload", "--payload-keys", keys) == SECRET
    refused = millrace(broker, "job", job, "--payload", code=1)
    assert "--payload-keys" in refused
    as_json = lines(millrace(broker, "job", job, "--json"))[0]
    assert as_json["encryption_key"] == current(keys) and "payload" not in as_json
    as_json = lines(millrace(broker, "job", job, "--json", "--payload-keys", keys))[0]
    assert as_json["payload"] == SECRET and "payload_error" not in as_json


def test_the_environment_names_the_file(broker, keys, monkeypatch):
    monkeypatch.setenv("MILLRACE_PAYLOAD_KEYS", keys)
    millrace(broker, "enqueue", "t", "--jsonl", "-", stdin=json.dumps({"payload": SECRET}))
    job = lines(millrace(broker, "jobs", "t", "--json"))[0]["job"]
    assert decrypted(keys, "t", stored(broker, job)["payload"]) == SECRET
    assert millrace(broker, "job", job, "--payload") == SECRET
    monkeypatch.setenv("MILLRACE_PAYLOAD_KEYS", keys + ".missing")
    assert "cannot be read" in millrace(broker, "job", job, code=1)
    millrace(broker, "topics")  # a command that shows no payload does not look at it


def test_rotation_keeps_what_was_encrypted_before(broker, keys):
    before = current(keys)
    job = millrace(broker, "enqueue", "t", SECRET, "--payload-keys", keys).strip()
    said = millrace(broker, "payload-keys", "rotate", keys, "--json")
    assert json.loads(said) == {"file": keys, "current": current(keys)} and current(keys) != before
    for key_id in (before, current(keys)):
        assert key_of(keys, key_id).hex() not in said
    assert os.stat(keys).st_mode & 0o777 == 0o600
    assert millrace(broker, "job", job, "--payload", "--payload-keys", keys) == SECRET


def test_a_command_of_the_worker_host_gets_plain_text(broker, keys):
    hosts = [Host(broker, "cat", "--payload-keys", keys)]
    try:
        job = millrace(broker, "enqueue", "t", SECRET, "--payload-keys", keys).strip()
        assert ended(broker, job)["result"] == SECRET
        assert hosts[0].stop()[0] == 0
        hosts.append(Host(broker, "cat", "--payload-keys", keys, "--require-encryption"))
        view = ended(broker, millrace(broker, "enqueue", "t", "open").strip(), code=4)
        assert view["state"] == "dead" and "requires encryption" in view["error"]
    finally:
        for h in hosts:
            h.kill()


def ended(broker, job, code=0):
    millrace(broker, "wait", job, code=code)
    return lines(millrace(broker, "job", job, "--json"))[0]


def test_the_gateway_encrypts(broker, keys):
    g = Gateway(broker, "--payload-keys", keys)
    try:
        _, body, _ = g.ask("POST", "/v1/topics/t/jobs", {"payload": SECRET})
        view = stored(broker, body["id"])
        assert SECRET.encode() not in view["payload"]
        assert decrypted(keys, "t", view["payload"]) == SECRET
        status, problem, _ = g.ask("POST", "/v1/topics/t/jobs", {"payload": "x" * ((1 << 20) - 39)})
        assert status == 413 and "1048536 bytes" in problem["detail"]
    finally:
        g.close()


@pytest.mark.parametrize("program, arguments, code", [
    ("millrace", ["enqueue", "t", "x"], 1),
    ("millrace-worker", ["--topic", "t", "--exec", "cat"], 64),
    ("millrace-gateway", ["--listen", "127.0.0.1:0"], 64)])
def test_a_file_that_others_can_read_is_refused(keys, program, arguments, code):
    os.chmod(keys, 0o644)
    run = subprocess.run([f"{BIN}/{program}", *arguments, "--payload-keys", keys],
                         capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == code and "run chmod 600" in run.stderr


def test_encryption_cannot_be_required_without_keys():
    run = subprocess.run([f"{BIN}/millrace-worker", "--topic", "t", "--exec", "cat",
                          "--require-encryption"], capture_output=True, text=True, timeout=30,
                         check=False)
    assert run.returncode == 64 and "needs --payload-keys" in run.stderr
