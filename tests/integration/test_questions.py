"""Queries for jobs: JOB, JOBS, EXPLAIN, WAIT, and the integrity check of the file."""
from millrace_wire import (CANCEL, EXPLAIN, JOB, JOBS, PAUSE, RESUME, STATUS, SUBSCRIBE, WAIT,
                           Client)


def worker(broker, credit):
    client = Client(broker.endpoint, "worker")
    client.ask(SUBSCRIBE, topics=["t"], credit=credit)
    return client


def enqueue(broker, **job):
    client = Client(broker.endpoint, "producer")
    return client, f"t/0/{client.enqueue(**job)['first_seq']}"


def test_a_job_is_shown_with_what_it_does_now(broker):
    client, job = enqueue(broker, payload=b"\0bytes")
    assert client.ask(JOB, job=job)["state"] == "available"
    w = worker(broker, 1)
    delivered = w.deliveries(1)[0]
    view = client.ask(JOB, job=job)
    assert (view["state"], view["worker"], view["payload"]) == ("running", "test", b"\0bytes")
    w.settle(delivered, 0, result=b"42")
    view = client.ask(JOB, job=job)
    assert (view["state"], view["result"], view["attempt"]) == ("completed", b"42", 1)
    assert client.refused(JOB, job="t/0/77") == "not_found"
    assert client.refused(JOB, job="none/0/1") == "not_found"
    assert client.refused(JOB, job="nonsense") == "invalid"


def test_explain_names_the_one_reason(broker):
    client, job = enqueue(broker)
    reason = lambda j: client.ask(EXPLAIN, job=j)["reason"]  # noqa: E731
    assert reason(job) == "no_worker"
    client.ask(PAUSE, topic="t")
    assert reason(job) == "paused"
    w = worker(broker, 0)
    client.ask(RESUME, topic="t")
    assert reason(job) == "workers_busy"
    w.ask(SUBSCRIBE, topics=["t"], credit=1)
    delivered = w.deliveries(1)[0]
    assert reason(job) == "running"
    w.settle(delivered, 1, error="no network")
    explained = client.ask(EXPLAIN, job=job)
    assert explained["reason"] == "backoff" and "no network" in explained["text"]
    _, later = enqueue(broker, delay_ms=60_000)
    assert reason(later) == "scheduled"
    client.ask(CANCEL, job=later)
    assert reason(later) == "cancelled"


def test_jobs_are_listed_by_state_and_in_pages(broker):
    client = Client(broker.endpoint, "producer")
    client.enqueue(5)
    client.enqueue(2, delay_ms=60_000)
    page = client.ask(JOBS, topic="t", limit=3)
    assert [j["job"] for j in page["jobs"]] == ["t/0/1", "t/0/2", "t/0/3"]
    rest = client.ask(JOBS, topic="t", limit=10, after=page["next"])
    assert len(rest["jobs"]) == 4
    assert len(client.ask(JOBS, topic="t", state="scheduled")["jobs"]) == 2
    assert client.refused(JOBS, topic="t", state="lost") == "invalid"
    assert client.refused(JOBS, topic="none") == "unknown_topic"


def test_wait_answers_when_the_job_has_ended_or_as_it_stands(broker):
    client, job = enqueue(broker)
    assert client.ask(WAIT, job=job, timeout_ms=1)["state"] == "available"
    number = client.send(WAIT, job=job, timeout_ms=60_000)
    w = worker(broker, 1)
    w.settle(w.deliveries(1)[0])
    header, view = client.receive()
    assert header[2] == number and view["state"] == "completed"
    assert client.ask(WAIT, job=job, timeout_ms=60_000)["state"] == "completed"


def test_the_check_of_the_file_says_ok(broker):
    client = Client(broker.endpoint)
    for _ in range(10_000):
        if client.ask(STATUS)["check"] != "running":
            break
    assert client.ask(STATUS)["check"] == "ok"
