"""Peers on the work of e2e: one producer with 4,096 open jobs, two workers. Whether a peer answers
after its sync is measured: each sync of the disk is made slow, with one job at a time."""
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Callable

import peer_servers
from core_measures import BATCH, GATE_MS, WINDOW
from lab import Failed, Lab, words
from results import Group, Line

GATE_JOBS = 5
LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers", "load.mjs")


@dataclass
class Peer:
    name: str
    start: Callable
    jobs: int               # of a round: about two seconds of its work
    platform: bool = False  # a job platform, not a store or a bare queue
    client: str = "bench_peer"
    preloads: bool = True   # whether its syncs can be counted and delayed


PEERS = [
    Peer("beanstalkd", peer_servers.beanstalkd, 1_500),
    Peer("redis_streams", peer_servers.redis, 80_000),
    Peer("rabbitmq", peer_servers.rabbitmq, 30_000, platform=True),
    Peer("rabbitmq_quorum", peer_servers.rabbitmq, 30_000, platform=True),
    Peer("nats", peer_servers.nats, 60_000, preloads=False),
    Peer("gearmand", peer_servers.gearmand, 400, platform=True),
    Peer("bullmq", peer_servers.bullmq, 8_000, platform=True, client="node"),
    Peer("graphile_worker", peer_servers.graphile_worker, 15_000, platform=True, client="node"),
    Peer("skip_locked", peer_servers.postgres, 150_000),
    Peer("bunqueue", peer_servers.bunqueue, 4_000, client="bun"),
]
LINES = [
    *(Line(f"peer_{peer.name}", "jobs/s", "limit_e2e") for peer in PEERS),
    Line("best_durable_peer", "jobs/s"), Line("best_job_platform", "jobs/s"),
    Line("e2e_vs_best_durable_peer", "ratio", "best_durable_peer", of="e2e"),
    Line("e2e_vs_best_job_platform", "ratio", "best_job_platform", of="e2e"),
]


class Clients:
    """How a peer's producer and workers are run."""

    def __init__(self, lab, peer, where):
        self.lab, self.peer, self.where = lab, peer, where

    def start(self, mode, **options):
        options = {"peer": self.peer.name, **self.where, **options}
        if self.peer.client == "bench_peer":
            return self.lab.start_command(words("bench_peer", mode, options))
        runner = peer_servers.bun() if self.peer.client == "bun" else peer_servers.program("node")
        given = [f"{key}={value}" for key, value in options.items() if key != "tally"]
        return self.lab.start_command([runner, LOAD, mode, *given])

    def run(self, mode, **options):
        return self.start(mode, **options).result()


def waits_for_its_disk(clients, size):
    """Some jobs, one after another: no answer may come sooner than the slow disk's."""
    syncs = clients.lab.syncs
    syncs.delay(GATE_MS)
    try:
        said = clients.run("produce", jobs=GATE_JOBS, payload=size.payload, window=1,
                           tally=clients.lab.tally().path)
    finally:
        syncs.delay(0)
    return clients.peer.preloads and said["seconds"] * 1000 >= GATE_JOBS * GATE_MS


def measure(lab, peer, size):
    """Jobs a second, and whether it answers after its disk."""
    clients = Clients(lab, peer, peer.start(lab))
    clients.run("setup")
    durable = waits_for_its_disk(clients, size)
    jobs = max(100, peer.jobs // (5 if size.quick else 1))
    rate = native if peer.client == "bench_peer" else by_progress
    before = lab.syncs.calls
    result = rate(clients, jobs, size)
    if durable:
        lab.check_syncs(peer.name, before, jobs, BATCH * WINDOW)
    return result, durable


def native(clients, jobs, size):
    tally = clients.lab.tally()
    # The jobs of the look at its disk are still there.
    workers = [clients.start("work", jobs=jobs + GATE_JOBS, tally=tally.path) for _ in range(2)]
    for worker in workers:
        worker.wait_for("ready")
    clients.run("produce", jobs=jobs, payload=size.payload, window=BATCH * WINDOW,
                tally=tally.path)
    for worker in workers:
        worker.result()
    return jobs / tally.seconds()


def by_progress(clients, jobs, size):
    """The same for clients that cannot share memory: they write how far they are."""
    files = [clients.lab.path("progress") for _ in range(2)]
    workers = [clients.start("work", progress=path) for path in files]
    for worker in workers:
        worker.wait_for("ready")
    said = clients.run("produce", jobs=jobs, payload=size.payload, window=BATCH * WINDOW)
    for _ in range(60 * 20):
        done = [clients.lab.numbers(path, 2) for path in files]
        if sum(count for count, _ in done) >= jobs + GATE_JOBS:
            return jobs * 1e9 / (max(last for _, last in done) - said["begun_ns"])
        clients.lab.wait_a_little()
    raise Failed(f"{clients.peer.name} did not complete its jobs")


def peers(lab, results, size):
    rates, durable = {}, {}
    turn = len(results.samples.get("best_durable_peer", []))
    for peer in PEERS if turn % 2 == 0 else PEERS[::-1]:
        if peer.name in results.missing:
            continue
        print(f" {peer.name}", end="", file=sys.stderr, flush=True)
        try:
            with Lab(lab.data) as own:
                rates[peer.name], durable[peer.name] = measure(own, peer, size)
        except (Failed, subprocess.TimeoutExpired, OSError) as why:
            results.missing[peer.name] = str(why).strip()[-400:]
            continue
        note = "answers after its disk" if durable[peer.name] else "answers before its disk"
        results.add(f"peer_{peer.name}", rates[peer.name], note)
    for name, some in (("best_durable_peer", PEERS),
                       ("best_job_platform", [peer for peer in PEERS if peer.platform])):
        able = [peer.name for peer in some if durable.get(peer.name)]
        if able:
            best = max(able, key=rates.get)
            results.add(name, rates[best], best)


GROUPS = {"peers": Group([peers], LINES)}
