"""The raw limits, the limit pipeline, and Millrace on the same work. Each function measures once,
in a lab of its own, and adds to the results; a round calls each of them."""
from lab import Failed, quantile
from results import Group, Line

BATCH = 128          # jobs in a message
WINDOW = 32          # messages of a producer that are not answered
PACE = 1_000         # jobs a second where latency is measured
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
        workers = lab.endpoint()
        self.samples = [lab.path("samples") for _ in range(2)]
        self.store = lab.start("bench_limit", "store", counted=True, producers=self.producers,
                               workers=workers, folder=lab.folder, tally=self.tally.path,
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

    def times(self):
        return self.lab.samples(self.samples)


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
    bare = lab.run("bench_disk", "append", folder=lab.folder, count=size.ones)
    results.add("one_fdatasync_median", bare["median_us"])
    results.add("one_fdatasync_p99", bare["p99_us"])
    with lab.broker() as broker:
        before = lab.syncs.calls
        said = lab.run("bench_load", "one", endpoint=broker.endpoint, jobs=size.ones,
                       payload=size.payload)
        lab.check_syncs("enqueue_one", before, size.ones, 1)
        see_that_it_waits(lab, broker)
    results.add("enqueue_one_median", said["median_us"])
    results.add("enqueue_one_p99", said["p99_us"])
    pipeline, path = LimitPipeline(lab, size.ones), lab.path("samples")
    pipeline.produce("one", payload=size.payload, samples=path)
    times = lab.samples([path])
    results.add("limit_one_median", quantile(times, 0.5))
    results.add("limit_one_p99", quantile(times, 0.99))


def see_that_it_waits(lab, broker):
    """With a slow disk no answer may come before the disk's."""
    path = lab.path("samples")
    lab.syncs.delay(GATE_MS)
    lab.run("bench_load", "one", endpoint=broker.endpoint, jobs=8, payload=256, samples=path)
    lab.syncs.delay(0)
    soonest = lab.samples([path])[0]
    if soonest < GATE_MS * 1000:
        raise Failed(f"a job was answered after {soonest} us, and the disk takes {GATE_MS} ms")


def limit_latency(lab, results, size):
    jobs = size.seconds * PACE
    pipeline = LimitPipeline(lab, jobs)
    pipeline.produce(payload=size.payload, batch=1, window=64, pace=PACE)
    times = pipeline.times()
    results.add("limit_start_latency_median", quantile(times, 0.5))
    results.add("limit_start_latency_p99", quantile(times, 0.99))


def millrace_latency(lab, results, size):
    jobs = size.seconds * PACE
    paths = [lab.path("samples") for _ in range(2)]
    with lab.broker() as broker:
        tally = lab.tally()
        workers = [lab.start("bench_load", "work", ready=True, endpoint=broker.endpoint,
                             tally=tally.path, jobs=jobs, samples=path) for path in paths]
        lab.run("bench_load", "produce", endpoint=broker.endpoint, tally=tally.path, jobs=jobs,
                payload=size.payload, batch=1, window=64, pace=PACE)
        for worker in workers:
            worker.result()
    times = lab.samples(paths)
    results.add("start_latency_median", quantile(times, 0.5))
    results.add("start_latency_p99", quantile(times, 0.99))


def group_commit(lab, results, size):
    for producers, jobs in ((1, size.ones), (64, size.ones * 10)):
        with lab.broker() as broker:
            before = lab.syncs.calls
            said = lab.run("bench_load", "one", endpoint=broker.endpoint, jobs=jobs,
                           payload=size.payload, producers=producers)
            lab.check_syncs("group commit", before, jobs, producers)
        results.add(f"enqueue_one_{producers}_producer{'s' if producers > 1 else ''}",
                    said["per_s"])


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
    "start_latency": Group([limit_latency, millrace_latency], LATENCY_LINES),
    "group_commit": Group([group_commit], GROUP_COMMIT_LINES),
}
