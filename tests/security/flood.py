#!/usr/bin/python3
"""Floods a broker from a process of its own, and says what it did; ends when its stdin ends.

flood.py garbage PORT N        handshakes that go wrong at every place
flood.py connections PORT N    connections that say nothing and stay open
flood.py enqueue PORT N FILE   jobs, in batches of ten, without waiting for answers
"""
import os
import resource
import socket
import sys

import msgpack
import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("support", "integration")]
from millrace_wire import ENQUEUE, ERROR, OK  # noqa: E402
from secure_bed import armed  # noqa: E402

OPEN_AT_ONCE = 64


def greeting(mechanism):
    return b"\xff" + b"\0" * 8 + b"\x7f\x03\0" + mechanism.ljust(20, b"\0") + b"\0" * 32


def hello_of_curve(size=200):
    """A HELLO of CURVE with random keys and a random signature."""
    body = b"\x05HELLO\x01\0" + os.urandom(size - 8)
    return (b"\x04" + bytes([size]) if size < 256 else b"\x06" + size.to_bytes(8, "big")) + body


def texts(number):
    yield os.urandom(64 + number % 300)
    yield greeting(b"CURVE")[:number % 64]
    yield greeting(b"CURVE") + hello_of_curve()
    yield greeting(b"CURVE") + hello_of_curve(199 + number % 3)
    yield greeting(b"CURVE") + b"\x04\x00"
    yield greeting(b"CURVE") + b"\x06" + b"\xff" * 8  # a command of 2^64 bytes
    yield greeting(b"CURVE") + b"\x04\xc8\x08INITIATE" + os.urandom(191)
    yield greeting(b"NULL") + b"\x04\x06\x05READY"
    yield greeting(b"PLAIN") + b"\x04\x0c\x05HELLO\x02aa\x02bb"


def garbage(port, count):
    sent, opened = 0, []
    while sent < count:
        for text in texts(sent):
            opened.append(socket.create_connection(("127.0.0.1", port), 20))
            try:
                opened[-1].sendall(text)
            except OSError:
                pass  # it was closed meanwhile
            sent += 1
        while len(opened) > OPEN_AT_ONCE:
            opened.pop(0).close()
    return f"{sent} handshakes"


def connections(port, count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened = []
    for _ in range(min(count, hard - 64)):
        made = socket.socket()
        made.setblocking(False)
        made.connect_ex(("127.0.0.1", port))
        opened.append(made)
    globals()["kept"] = opened  # open to the end
    return f"{len(opened)} connections"


def enqueue(port, count, path):
    made = armed(zmq.Context.instance().socket(zmq.DEALER), path)
    made.connect(f"tcp://127.0.0.1:{port}")
    made.send_multipart([msgpack.packb([1, 1, 1]), msgpack.packb(
        {"role": "producer", "session": os.urandom(16), "name": "flood"})])
    made.recv_multipart()
    said = {OK: 0, ERROR: 0}
    batches, open_now = count // 10, 0
    for number in range(batches):
        made.send_multipart([msgpack.packb([1, ENQUEUE, number + 2]), msgpack.packb(
            {"topic": "t", "partition": 0, "jobs": [{"payload": b"flood"}] * 10})])
        open_now += 1
        while open_now > 100 or (open_now and number == batches - 1):
            said[msgpack.unpackb(made.recv_multipart()[0])[1]] += 1
            open_now -= 1
    return f"{said[OK]} batches stored, {said[ERROR]} refused"


if __name__ == "__main__":
    what, where, how_many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    done = {"garbage": garbage, "connections": connections, "enqueue": enqueue}[what]
    print(done(where, how_many, *sys.argv[4:]), flush=True)
    sys.stdin.read()
    sys.stdout.flush()
    os._exit(0)
