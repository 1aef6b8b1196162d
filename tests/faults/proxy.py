#!/usr/bin/python3
"""A bad network between clients and a broker, over TCP on loopback: what passes through is late, stops
for good while the connection stays open, is cut in the middle, or ends in a reset.

proxy.py TARGET_PORT SEED: listens on a free port and says "port N"; then a line a fault. After SIGUSR1
it does no more harm, and ends the connections it had harmed.
"""
import random
import select
import selectors
import signal
import socket
import struct
import sys
import time

CHUNK_BYTES = 65_536
WAITING_BYTES_MAX = 1 << 20
DELAY_S_MAX = 0.15
# Of a thousand chunks; the rest pass.
FAULTS = {"delay": 60, "half-open": 4, "reset": 8, "truncation": 8}


def say(text):
    print(text, flush=True)


class Way:
    """One direction of a connection: what was read and is not written yet, and from when it may be."""

    def __init__(self, source, sink):
        self.source, self.sink, self.waiting, self.from_s, self.dead = source, sink, b"", 0.0, False


class Proxy:
    def __init__(self, target, seed):
        self.target, self.rng, self.calm = target, random.Random(seed), False
        self.selector, self.ways = selectors.DefaultSelector(), {}  # source -> Way
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.selector.register(self.listener, selectors.EVENT_READ)
        say(f"port {self.listener.getsockname()[1]}")

    def accept(self):
        client, _ = self.listener.accept()
        try:
            broker = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()  # the broker is away
            return
        for source, sink in ((client, broker), (broker, client)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ways[source] = Way(source, sink)
            self.selector.register(source, selectors.EVENT_READ)

    def end(self, way, reset=False):
        for each in (way.source, way.sink):
            if each in self.ways:
                del self.ways[each]
                self.selector.unregister(each)
            if reset:  # no goodbye: what is under way is lost
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()

    def take(self, way):
        try:
            data = way.source.recv(CHUNK_BYTES)
        except OSError:
            data = b""
        if not data:
            return self.end(way)
        if way.dead:
            return None  # taken, and never passed on
        fault = self.draw()
        if fault:
            say(fault)
        if fault == "reset":
            return self.end(way, reset=True)
        if fault == "half-open":
            way.dead = True
            return None
        if fault == "truncation":
            self.write(way, way.waiting + data[:self.rng.randrange(len(data))])
            return self.end(way)
        if fault == "delay":
            way.from_s = time.monotonic() + self.rng.random() * DELAY_S_MAX
        way.waiting += data
        if len(way.waiting) > WAITING_BYTES_MAX:
            return self.end(way)
        return self.pass_on(way)

    def draw(self):
        at = self.rng.randrange(1_000)
        for fault, share in FAULTS.items():
            if at < share:
                return None if self.calm else fault
            at -= share
        return None

    def pass_on(self, way):
        if way.waiting and way.from_s <= time.monotonic():
            data, way.waiting = way.waiting, b""
            self.write(way, data)

    def write(self, way, data):
        ends = time.monotonic() + 1
        way.sink.setblocking(False)
        while data and time.monotonic() < ends:
            try:
                data = data[way.sink.send(data):]
            except BlockingIOError:
                select.select([], [way.sink], [], 0.1)
            except OSError:
                break
        way.sink.setblocking(True)
        if data and way.source in self.ways:
            self.end(way)

    def be_calm(self, *_):
        self.calm = True

    def run(self):
        while True:
            if self.calm:
                for way in [way for way in self.ways.values() if way.dead]:
                    if way.source in self.ways:
                        self.end(way)
            for key, _ in self.selector.select(0.01):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.ways:
                    self.take(self.ways[key.fileobj])
            for way in list(self.ways.values()):
                if way.source in self.ways:
                    self.pass_on(way)


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    proxy = Proxy(int(sys.argv[1]), sys.argv[2])
    signal.signal(signal.SIGUSR1, proxy.be_calm)
    proxy.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
