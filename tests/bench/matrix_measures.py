"""Many loads through the SDK, end to end: one thing at a time is changed from the base, a producer
and two workers of 256 bytes, 8 partitions and one shard, so each line stands beside the base's."""
import sys
from dataclasses import dataclass, field, replace

from lab import Lab
from results import Group, Line

IN_FLIGHT = 4_096           # jobs of all producers that are not answered
BYTES_MAX = 400 << 20       # of payload that a measurement carries
DELAY_MS = 200
PREFETCH = 1_024            # jobs that all workers together hold ready


@dataclass
class Load:
    payload: int = 256
    producers: int = 1
    workers: int = 2
    partitions: int = 8
    shards: int = 1
    single: bool = False     # each producer waits for each answer
    history: bool = False
    produce: dict = field(default_factory=dict)  # further options of the producers' program
    work: dict = field(default_factory=dict)     # and of the workers'


BASE = Load()
LOADS = {
    "base": BASE,
    "payload_64": replace(BASE, payload=64),
    "payload_4k": replace(BASE, payload=4 << 10),
    "payload_64k": replace(BASE, payload=64 << 10),
    "producers_8": replace(BASE, producers=8),
    "producers_64": replace(BASE, producers=64),
    "workers_1": replace(BASE, workers=1),
    "workers_8": replace(BASE, workers=8),
    "workers_64": replace(BASE, workers=64),
    "partitions_1": replace(BASE, partitions=1),
    "partitions_64": replace(BASE, partitions=64),
    "shards_2": replace(BASE, shards=2),
    "shards_2_producers_8": replace(BASE, shards=2, producers=8, workers=8),
    "single": replace(BASE, single=True),
    "single_producers_8": replace(BASE, single=True, producers=8),
    "single_producers_64": replace(BASE, single=True, producers=64),
    "keys": replace(BASE, produce={"keys": 1_000}),
    "delays": replace(BASE, produce={"delay_ms": DELAY_MS}),
    "priorities": replace(BASE, produce={"priorities": 1}),
    "history": replace(BASE, history=True),
    "results": replace(BASE, history=True, work={"result": 64}),
}


def jobs_of(load, size):
    if load.single:
        return size.ones * load.producers
    return max(1_000, min(size.jobs // 3, BYTES_MAX // load.payload))


def measure(lab, load, size):
    jobs = jobs_of(load, size)
    topics = (f"[[topic]]\nname = \"bench\"\npartitions = {load.partitions}\n"
              f"history = {'true' if load.history else 'false'}\n")
    with lab.broker(shards=load.shards, topics=topics) as broker:
        tally, before = lab.tally(), lab.syncs.calls
        # Two processes, as elsewhere, unless there is but one worker.
        shares = [load.workers] if load.workers == 1 else [load.workers // 2] * 2
        workers = [lab.start("bench_sdk", "work", ready=True, broker=broker.endpoint,
                             tally=tally.path, jobs=jobs, workers=share,
                             concurrency=5 if load.workers <= 2 else 1,
                             prefetch=PREFETCH // load.workers, **load.work)
                   for share in shares]
        lab.run("bench_sdk", "produce", broker=broker.endpoint, tally=tally.path, jobs=jobs,
                payload=load.payload, producers=load.producers, single=int(load.single),
                window=max(1, IN_FLIGHT // load.producers), **load.produce)
        for worker in workers:
            worker.result()
        lab.check_syncs("matrix", before, jobs, load.producers if load.single else IN_FLIGHT)
    return jobs / tally.seconds()


def matrix(lab, results, size):
    turn = len(results.samples.get("matrix_base", []))
    for name in list(LOADS) if turn % 2 == 0 else reversed(LOADS):
        print(f" {name}", end="", file=sys.stderr, flush=True)
        with Lab(lab.data) as own:
            results.add(f"matrix_{name}", measure(own, LOADS[name], size))


GROUPS = {"matrix": Group([matrix], [
    Line(f"matrix_{name}", "jobs/s", "" if name == "base" else "matrix_base") for name in LOADS])}
