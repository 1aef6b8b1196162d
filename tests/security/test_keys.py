"""Keys that end, change and are replaced while clients are connected."""
import datetime
import os
import re
import signal
import subprocess
import time

import pytest

from millrace_wire import BIN, ENQUEUE, STATUS, SUBSCRIBE, TOPICS, Client
from secure_bed import KeyClient, armed, copied, ends, field, outcome
from test_admin import until


def worker_of(broker, path):
    """A worker that holds one job of topic t."""
    worker = KeyClient(broker.tcp, path, "worker")
    worker.ask(SUBSCRIBE, topics=["t"], credit=5)
    Client(broker.endpoint, "producer").enqueue()
    return worker, worker.deliveries(1)[0]


def gets_it_uncounted(broker, job):
    other = Client(broker.endpoint, "worker")
    other.ask(SUBSCRIBE, topics=["t"], credit=5)
    again = other.deliveries(1)[0]
    assert (again["seq"], again["attempt"]) == (job["seq"], 1)
    assert other.settle(again) == []


@pytest.mark.parametrize("how", ["revoked", "removed", "expired", "mistaken"])
def test_an_open_connection_ends_with_its_key(broker, how):
    path = broker.key("w-1", "work", "t")
    worker, job = worker_of(broker, path)
    file = f"{broker.keys}/keys/w-1.toml"
    began = time.monotonic()
    if how == "revoked":
        broker.revoke("w-1")
    elif how == "removed":
        os.remove(file)
    elif how == "mistaken":
        with open(file, "a") as more:
            more.write("roles = []\n")
    else:  # two seconds from now
        then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        broker.edit("w-1", lambda text: text + f"expires = {then.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}\n")
    ends(worker)
    print(f"{how}: the connection ended after {time.monotonic() - began:.2f} s")
    assert outcome(broker.tcp, lambda made: armed(made, path)) == "refused"
    why = {"revoked": "the key w-1 was revoked at", "expired": "the key w-1 expired at",
           "removed": "the broker has no file of this key",
           "mistaken": "the broker has no file of this key"}[how]
    assert why in broker.logged("was refused")["message"]
    assert broker.logged("connections were closed: their keys")["message"].startswith("1 ")
    if how == "mistaken":
        assert f"{file}:5:1: unknown key 'roles'" in broker.logged("unknown key")["message"]
    gets_it_uncounted(broker, job)


def test_a_key_that_was_made_again_under_its_name_has_its_new_rights_alone(broker):
    old = copied(broker.key("web-1", "admin", "*"), broker.folder, "old.key")
    client = KeyClient(broker.tcp, old)
    assert client.ask(STATUS)["accepting"]
    os.remove(f"{broker.keys}/keys/web-1.toml")
    os.remove(f"{broker.folder}/web-1.key")
    new = broker.key("web-1", "look", "mail.*")
    ends(client)
    assert outcome(broker.tcp, lambda made: armed(made, old)) == "refused"
    client = KeyClient(broker.tcp, new)
    assert client.refused(ENQUEUE, topic="mail.in", partition=0, jobs=[{"payload": b""}]) == "forbidden"
    assert client.refused(TOPICS, topic="t") == "forbidden"
    assert client.ask(TOPICS)["topics"] == []


def test_rights_that_change_hold_for_connections_that_are_open(broker):
    path = broker.key("w-1", "work,look", "*")
    worker, job = worker_of(broker, path)
    broker.edit("w-1", lambda text: text.replace('topics = ["*"]', 'topics = ["u"]'))
    until(lambda: worker.ask_any(STATUS)[1].get("code") == "no_session", lambda: "the session stays")
    assert worker.ask(1, role="worker", session=worker.session, name="w",
                      held=[[f"t/0/{job['seq']}", job["token"]]])["lost"] == [job["token"]]
    assert worker.refused(SUBSCRIBE, topics=["t"], credit=5) == "forbidden"
    gets_it_uncounted(broker, job)


def test_a_worker_of_ours_comes_back_with_its_new_rights(broker):
    """millrace-worker with two topics of which its key loses one: it says so, and ends by its rule."""
    path = broker.key("w-1", "work", "t,u")
    worker = subprocess.Popen([f"{BIN}/millrace-worker", "--topic", "t", "--exec", "cat",
                               "--key-file", path], stderr=subprocess.PIPE, text=True)
    try:
        assert next(line for line in worker.stderr if "connected" in line)
        local = Client(broker.endpoint, "producer")
        local.enqueue()
        until(lambda: local.topic()["completed"] == 1, lambda: "the job is not done")
        broker.edit("w-1", lambda text: text.replace('"t", "u"', '"u"'))
        assert next(line for line in worker.stderr if "no access to the topic t" in line)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
        worker.stderr.close()


def test_the_brokers_key_is_replaced_in_two_steps(broker):
    before = broker.key("before", "look")
    said = broker.millrace("keys", "rotate", "--dir", broker.keys)
    following = re.search(r'^  "(.{40})"$', said, re.M).group(1)
    between = broker.key("between", "look")
    with open(between) as file:
        assert f'", "{following}"]' in file.read()
    for path in (before, between):
        broker.millrace("--key-file", path, "topics")
    again = broker.millrace("keys", "rotate", "--dir", broker.keys, code=1)
    assert "broker.key.next exists already" in again

    # A client that was connected keeps on until the restart, and comes back by itself after it.
    worker = subprocess.Popen([f"{BIN}/millrace-worker", "--topic", "t", "--exec", "cat",
                               "--key-file", broker.key("w-1", "work", "t")],
                              stderr=subprocess.DEVNULL)
    try:
        local = Client(broker.endpoint, "producer")
        local.enqueue()
        until(lambda: local.topic()["completed"] == 1, lambda: "the job is not done")
        broker.millrace("keys", "rotate", "--finish", "--dir", broker.keys)
        assert broker.stop() == 0
        broker.start()
        local = Client(broker.endpoint, "producer")
        local.enqueue()
        until(lambda: local.topic()["completed"] == 2, lambda: "the worker does not come back")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    broker.millrace("--key-file", between, "topics")
    assert "does not have the key that the file" in broker.millrace(
        "--key-file", before, "--timeout", "2s", "topics", code=69)
    with open(broker.key("after", "look")) as file:
        assert f'broker_public_keys = ["{following}"]' in file.read()
    assert "run millrace keys rotate first" in broker.millrace(
        "keys", "rotate", "--finish", "--dir", broker.keys, code=1)
    assert field(between, "broker_public_keys") == field(before, "broker_public_keys")
