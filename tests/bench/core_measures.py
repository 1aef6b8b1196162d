"""The raw limits, the limit pipeline, and Millrace on the same work. Each function measures once,
in a lab of its own, and adds to the results; a round calls each of them."""
import os

from lab import Failed, quantile
from results import Group, Line

BATCH = 128          # jobs in a message
WINDOW = 32          # messages of a producer that are not answered
PACE = 1_000         # jobs a second where latency is measured
SLICES = 8           # of what waits for the disk, in turns with what it is compared with
GATE_MS = 30         # how slow the disk is made to see whether an answer waits for it
SQLITE_BATCHES = (1, 16, 128, 1024)


def limits(lab, results, size):
    for mode in ("append", "overwrite"):
        said = lab.run("bench_disk", mode, folder=lab.folder, count=size.ones)
        results.add(f"fdatasync_{mode}", said["per_s"])
        if mode == "append":
            results.add("fdatasync_append_median", said["median_us"])
            results.add("fdatasync_append_p99", said["p99_us"])
    for batch in SQLITE_BATCHES:
        rows = size.ones if batch == 1 else size.jobs // 2
        said = lab.run("bench_disk", "sqlite", folder=lab.folder, rows=rows, payload=size.payload,
                       batch=batch)
        for work in ("insert", "delete", "delete_runs"):
            results.add(f"sqlite_{work}_{batch}", said[f"{work}_per_s"])
    for batch, jobs in ((1, size.jobs // 2), (BATCH, size.jobs * 2)):
        endpoint = lab.endpoint()
        lab.start("bench_echo", "serve", ready=True, endpoint=endpoint)
        said = lab.run("bench_echo", "ask", endpoint=endpoint, jobs=jobs, payload=size.payload,
                       batch=batch, window=BATCH * WINDOW // batch)
        results.add(f"zmq_echo_{batch}", said["per_s"])


class LimitPipeline:
    """Store and two workers, running; a producer is run against it."""

    def __init__(self, lab, jobs):
        self.lab, self.jobs, self.tally = lab, jobs, lab.tally()
        self.producers = lab.endpoint()
        workers, folder = lab.endpoint(), lab.path("limit")
        os.mkdir(folder)
        self.samples = [lab.path("samples") for _ in range(2)]
        self.store = lab.start("bench_limit", "store", counted=True, producers=self.producers,
                               workers=workers, folder=folder, tally=self.tally.path,
                               jobs=jobs, count=2)
        self.workers = [lab.start("bench_limit", "work", workers=workers, tally=self.tally.path,
                                  jobs=jobs, samples=path) for path in self.samples]
        self.store.wait_for("ready")

    def produce(self, mode="produce", **options):
        said = self.lab.run("bench_limit", mode, producers=self.producers, tally=self.tally.path,
                            jobs=self.jobs, **options)
        cpu = self.store.cpu_seconds()
        for process in (self.store, *self.workers):
            process.result()
        return said, cpu


def limit_e2e(lab, results, size):
    pipeline, before = LimitPipeline(lab, size.jobs), lab.syncs.calls
    _, cpu = pipeline.produce(payload=size.payload, batch=BATCH, window=WINDOW)
    lab.check_syncs("limit pipeline", before, size.jobs, BATCH * WINDOW)
    results.add("limit_e2e", size.jobs / pipeline.tally.seconds())
    results.add("limit_cpu_seconds_per_million", cpu / size.jobs * 1e6)


def millrace_e2e(lab, results, size):
    with lab.broker() as broker:
        tally = lab.tally()
        workers = [lab.start("bench_load", "work", ready=True, endpoint=broker.endpoint,
                             tally=tally.path, jobs=size.jobs) for _ in range(2)]
        cpu, before = broker.cpu_seconds(), lab.syncs.calls
        lab.run("bench_load", "produce", endpoint=broker.endpoint, tally=tally.path,
                jobs=size.jobs, payload=size.payload, batch=BATCH, window=WINDOW)
        for worker in workers:
            worker.result()
        cpu = broker.cpu_seconds() - cpu
        syncs = lab.check_syncs("e2e", before, size.jobs, BATCH * WINDOW)
    results.add("e2e", size.jobs / tally.seconds())
    results.add("broker_cpu_seconds_per_million", cpu / size.jobs * 1e6)
    results.add("e2e_jobs_per_sync", size.jobs / syncs)


def sdk_e2e(lab, results, size):
    """The same work through the SDK. It ends with the last handler's end, not the last answer."""
    with lab.broker() as broker:
        tally = lab.tally()
        workers = [lab.start("bench_sdk", "work", ready=True, broker=broker.endpoint,
                             tally=tally.path, jobs=size.jobs) for _ in range(2)]
        lab.run("bench_sdk", "produce", broker=broker.endpoint, tally=tally.path, jobs=size.jobs,
                payload=size.payload, window=BATCH * WINDOW)
        for worker in workers:
            worker.result()
    results.add("e2e_sdk", size.jobs / tally.seconds())


def enqueue(lab, results, size):
    """Pipelined, and bare SQLite at the batch size that the broker reached with it."""
    with lab.broker() as broker:
        before = lab.syncs.calls
        commits = lab.run("bench_load", "status", endpoint=broker.endpoint)["commits"]
        said = lab.run("bench_load", "produce", endpoint=broker.endpoint, jobs=size.jobs,
                       payload=size.payload, batch=BATCH, window=WINDOW)
        commits = lab.run("bench_load", "status", endpoint=broker.endpoint)["commits"] - commits
        lab.check_syncs("enqueue", before, size.jobs, BATCH * WINDOW)
    reached = max(1, round(size.jobs / commits))
    bare = lab.run("bench_disk", "sqlite", folder=lab.folder, rows=size.jobs, payload=size.payload,
                   batch=reached)
    results.add("enqueue", said["per_s"])
    results.add("enqueue_jobs_per_commit", reached)
    results.add("sqlite_insert_same_batch", bare["insert_per_s"])


def one_at_a_time(lab, results, size):
    """In slices, for a disk may be quick in one second and slow in the next."""
    count = max(50, size.ones // SLICES)
    times = {"one_fdatasync": [], "enqueue_one": [], "limit_one": []}
    with lab.broker() as broker:
        for _ in range(SLICES):
            for paths in times.values():
                paths.append(lab.path("samples"))
            lab.run("bench_disk", "append", folder=lab.folder, count=count,
                    samples=times["one_fdatasync"][-1])
            before = lab.syncs.calls
            lab.run("bench_load", "one", endpoint=broker.endpoint, jobs=count,
                    payload=size.payload, samples=times["enqueue_one"][-1])
            lab.check_syncs("enqueue_one", before, count, 1)
            LimitPipeline(lab, count).produce("one", payload=size.payload,
                                              samples=times["limit_one"][-1])
        see_that_it_waits(lab, broker)
    for name, paths in times.items():
        every = lab.samples(paths)
        results.add(f"{name}_median", quantile(every, 0.5))
        results.add(f"{name}_p99", quantile(every, 0.99))


def see_that_it_waits(lab, broker):
    """With a slow disk no answer may come before the disk's."""
    path = lab.path("samples")
    lab.syncs.delay(GATE_MS)
    lab.run("bench_load", "one", endpoint=broker.endpoint, jobs=8, payload=256, samples=path)
    lab.syncs.delay(0)
    soonest = lab.samples([path])[0]
    if soonest < GATE_MS * 1000:
        raise Failed(f"a job was answered after {soonest} us, and the disk takes {GATE_MS} ms")


def start_latency(lab, results, size):
    """A second of each in turns, for the same reason."""
    paths = {"limit_start_latency": [], "start_latency": []}
    for _ in range(size.seconds):
        pipeline = LimitPipeline(lab, PACE)
        pipeline.produce(payload=size.payload, batch=1, window=64, pace=PACE)
        paths["limit_start_latency"] += pipeline.samples
        paths["start_latency"] += a_second_at_pace(lab, size)
    for name, files in paths.items():
        times = lab.samples(files)
        results.add(f"{name}_median", quantile(times, 0.5))
        results.add(f"{name}_p99", quantile(times, 0.99))


def a_second_at_pace(lab, size):
    """The files in which the two workers have written how old the jobs were."""
    paths = [lab.path("samples") for _ in range(2)]
    with lab.broker() as broker:
        tally = lab.tally()
        workers = [lab.start("bench_load", "work", ready=True, endpoint=broker.endpoint,
                             tally=tally.path, jobs=PACE, samples=path) for path in paths]
        lab.run("bench_load", "produce", endpoint=broker.endpoint, tally=tally.path, jobs=PACE,
                payload=size.payload, batch=1, window=64, pace=PACE)
        for worker in workers:
            worker.result()
    return paths


def group_commit(lab, results, size):
    """Two brokers in turns, in slices for the same reason."""
    jobs = {1: max(50, size.ones // SLICES), 64: max(1_000, 10 * size.ones // SLICES)}
    took = dict.fromkeys(jobs, 0)
    with lab.broker() as one, lab.broker() as other:
        for _ in range(SLICES):
            for producers, broker in ((1, one), (64, other)):
                before = lab.syncs.calls
                said = lab.run("bench_load", "one", endpoint=broker.endpoint,
                               jobs=jobs[producers], payload=size.payload, producers=producers)
                lab.check_syncs("group commit", before, jobs[producers], producers)
                took[producers] += jobs[producers] / said["per_s"]
    results.add("enqueue_one_1_producer", SLICES * jobs[1] / took[1])
    results.add("enqueue_one_64_producers", SLICES * jobs[64] / took[64])


LIMIT_LINES = [
    Line("fdatasync_append", "1/s"), Line("fdatasync_append_median", "us"),
    Line("fdatasync_append_p99", "us"), Line("fdatasync_overwrite", "1/s", "fdatasync_append"),
    *(Line(f"sqlite_{work}_{batch}", "rows/s")
      for batch in SQLITE_BATCHES for work in ("insert", "delete", "delete_runs")),
    Line("zmq_echo_1", "jobs/s"), Line("zmq_echo_128", "jobs/s"),
]
E2E_LINES = [
    Line("limit_e2e", "jobs/s"), Line("e2e", "jobs/s", "limit_e2e"),
    Line("e2e_vs_limit", "ratio", "limit_e2e", of="e2e"),
    Line("limit_cpu_seconds_per_million", "s"),
    Line("broker_cpu_seconds_per_million", "s", "limit_cpu_seconds_per_million"),
    Line("e2e_jobs_per_sync", "jobs"),
]
ENQUEUE_LINES = [
    Line("sqlite_insert_same_batch", "rows/s"),
    Line("enqueue", "jobs/s", "sqlite_insert_same_batch"),
    Line("enqueue_vs_sqlite", "ratio", "sqlite_insert_same_batch", of="enqueue"),
    Line("enqueue_jobs_per_commit", "jobs"),
]
ONE_LINES = [
    Line("one_fdatasync_median", "us"), Line("one_fdatasync_p99", "us"),
    Line("limit_one_median", "us", "one_fdatasync_median"),
    Line("limit_one_p99", "us", "one_fdatasync_p99"),
    Line("enqueue_one_median", "us", "one_fdatasync_median"),
    Line("enqueue_one_p99", "us", "one_fdatasync_p99"),
    Line("enqueue_one_median_vs_fdatasync", "ratio", "one_fdatasync_median",
         of="enqueue_one_median"),
    Line("enqueue_one_p99_vs_fdatasync", "ratio", "one_fdatasync_p99", of="enqueue_one_p99"),
]
LATENCY_LINES = [
    Line("limit_start_latency_median", "us"), Line("limit_start_latency_p99", "us"),
    Line("start_latency_median", "us", "limit_start_latency_median"),
    Line("start_latency_p99", "us", "limit_start_latency_p99"),
    Line("start_latency_median_vs_limit", "ratio", "limit_start_latency_median",
         of="start_latency_median"),
    Line("start_latency_p99_vs_limit", "ratio", "limit_start_latency_p99",
         of="start_latency_p99"),
]
GROUP_COMMIT_LINES = [
    Line("enqueue_one_1_producer", "jobs/s"),
    Line("enqueue_one_64_producers", "jobs/s", "enqueue_one_1_producer"),
    Line("group_commit_64_vs_1", "ratio", "enqueue_one_1_producer", of="enqueue_one_64_producers"),
]
GROUPS = {
    "limits": Group([limits], LIMIT_LINES),
    "e2e": Group([limit_e2e, millrace_e2e], E2E_LINES),
    "e2e_sdk": Group([sdk_e2e], [Line("e2e_sdk", "jobs/s", "limit_e2e")]),
    "enqueue": Group([enqueue], ENQUEUE_LINES),
    "enqueue_one": Group([one_at_a_time], ONE_LINES),
    "start_latency": Group([start_latency], LATENCY_LINES),
    "group_commit": Group([group_commit], GROUP_COMMIT_LINES),
}
