"""Measurements of scale: the backlog, the number of topics, keys and workers, and the cost of an
idle broker. Measured once a run, or once a round where it is cheap."""
import contextlib
import subprocess
import time

from core_measures import BATCH, PACE, WINDOW
from lab import quantile
from results import Group, Line

BACKLOGS = {"10k": 10_000, "1m": 1_000_000, "10m": 10_000_000}
PROBES = 12            # of a backlog's rates, in turns with the others'
PROBE_JOBS = 40_000    # in all more than the broker holds in memory
RESTARTS = 3
TOPICS, KEYS, WORKERS = 10_000, 100_000, 1_000

def idle(lab, results, size):
    with lab.broker() as broker:
        workers = lab.start("bench_sdk", "idle", ready=True, stdin=subprocess.PIPE,
                            broker=broker.endpoint, workers=100)
        cpu, begun = broker.cpu_seconds(), time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            broker.process.wait(size.seconds * 4)
        cpu, took = broker.cpu_seconds() - cpu, time.monotonic() - begun
        workers.result()  # also ends its standard input
        results.add("idle_100_workers_cpu_percent", 100 * cpu / took)
        results.add("idle_100_workers_rss_mib", broker.memory_mib())


def fill(lab, broker, jobs, size):
    return lab.run("bench_load", "produce", endpoint=broker.endpoint, jobs=jobs,
                   payload=size.payload, batch=BATCH, window=WINDOW)["per_s"]


def drain(lab, broker, jobs):
    return lab.run("bench_load", "drain", endpoint=broker.endpoint, jobs=jobs)["per_s"]


def backlog(lab, results, size):
    """Brokers with backlogs of each size stand beside each other and are measured in turns."""
    names = [name for name in BACKLOGS if name != "10m" or not size.quick]
    with contextlib.ExitStack() as stack:
        brokers = {name: stack.enter_context(lab.broker()) for name in names}
        for name, broker in brokers.items():
            results.add(f"backlog_{name}_fill", fill(lab, broker, BACKLOGS[name], size))
        for at in range(PROBES):
            for name, broker in list(brokers.items())[::1 if at % 2 else -1]:
                results.add(f"backlog_{name}_enqueue", fill(lab, broker, PROBE_JOBS, size))
                results.add(f"backlog_{name}_drain", drain(lab, broker, PROBE_JOBS))
        for name, broker in brokers.items():
            results.add(f"backlog_{name}_rss_mib", broker.memory_mib("VmHWM"))
        for name, broker in brokers.items():
            for _ in range(RESTARTS):
                restart(lab, results, name, broker, size)


def restart(lab, results, name, broker, size):
    """After kill -9: until a job was taken, and one of the backlog given out and completed."""
    broker.stop(kill=True)
    begun = time.monotonic()
    with lab.broker(broker.folder) as again:
        results.add(f"restart_{name}_ready_seconds", time.monotonic() - begun)
        fill(lab, again, 1, size)
        drain(lab, again, 1)
        results.add(f"restart_{name}_seconds", time.monotonic() - begun)
        again.stop(kill=True)


def fleet(lab, results, size):
    jobs = size.seconds * PACE
    with lab.broker() as broker:
        said = lab.run("bench_load", "topics", endpoint=broker.endpoint, topics=TOPICS)
        results.add("fleet_topics_seconds", said["seconds"])
        tally, path = lab.tally(), lab.path("samples")
        workers = lab.start("bench_load", "fleet", ready=True, endpoint=broker.endpoint,
                            jobs=jobs + TOPICS, topics=TOPICS, workers=WORKERS, tally=tally.path,
                            samples=path)
        lab.run("bench_load", "spread", endpoint=broker.endpoint, jobs=jobs, topics=TOPICS,
                keys=KEYS, payload=size.payload, pace=PACE)
        workers.result()
        results.add("fleet_rss_mib", broker.memory_mib("VmHWM"))
        times = lab.samples([path])
        results.add("fleet_start_latency_median", quantile(times, 0.5))
        results.add("fleet_start_latency_p99", quantile(times, 0.99))


IDLE_LINES = [
    Line("idle_100_workers_cpu_percent", "%"), Line("idle_100_workers_rss_mib", "MiB"),
]
BACKLOG_LINES = [
    *(line for name in BACKLOGS for line in (
        Line(f"backlog_{name}_rss_mib", "MiB"), Line(f"backlog_{name}_fill", "jobs/s"),
        Line(f"backlog_{name}_enqueue", "jobs/s", "backlog_10k_enqueue" if name != "10k" else ""),
        Line(f"backlog_{name}_drain", "jobs/s", "backlog_10k_drain" if name != "10k" else ""),
        Line(f"restart_{name}_ready_seconds", "s"), Line(f"restart_{name}_seconds", "s"))),
    Line("backlog_10m_enqueue_vs_10k", "ratio", "backlog_10k_enqueue", of="backlog_10m_enqueue"),
    Line("backlog_10m_drain_vs_10k", "ratio", "backlog_10k_drain", of="backlog_10m_drain"),
]
FLEET_LINES = [
    Line("fleet_topics_seconds", "s"), Line("fleet_rss_mib", "MiB"),
    Line("fleet_start_latency_median", "us"), Line("fleet_start_latency_p99", "us"),
]
GROUPS = {
    "idle": Group([idle], IDLE_LINES),
    "backlog": Group([backlog], BACKLOG_LINES, once=True),
    "fleet": Group([fleet], FLEET_LINES, once=True),
}
