#!/usr/bin/python3
"""The adapter of client.py for the conformance runner; --fault SCENARIO makes it wrong in that one way."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
import zmq  # noqa: E402
from client import QueryClient, Producer, Worker  # noqa: E402
from millrace_wire import CANCEL, JOB  # noqa: E402

TURN_MS = 20


def say(event, **fields):
    print(json.dumps(dict(fields, event=event)), flush=True)


def obey(client, order):
    do = order["do"]
    if do == "enqueue":
        client.enqueue(order)
    elif do == "finish":
        client.finish(order)
    elif do == "drain":
        client.drain()
    elif do in ("job", "cancel"):
        client.question(order["id"], JOB if do == "job" else CANCEL, job=order["job"])


def main():
    fault = sys.argv[2] if sys.argv[1:2] == ["--fault"] else ""
    options = json.loads(sys.stdin.buffer.readline())
    client = {"producer": Producer, "worker": Worker, "client": QueryClient}[options["role"]](options, say, fault)
    say("started")
    os.set_blocking(0, False)
    client.poller.register(0, zmq.POLLIN)
    unread = b""
    while True:
        came = dict(client.poller.poll(TURN_MS))
        if 0 in came:
            data = os.read(0, 1 << 20)
            if not data:
                return
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                obey(client, json.loads(line))
        client.turn()


main()
