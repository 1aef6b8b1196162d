"""The wall clock of a broker that runs is set, by libfaketime in its process; the monotonic one is not."""
import threading

import pytest

from millrace_wire import EXPLAIN, JOB, REQUEUE, STATUS, SUBSCRIBE, Broker, Client

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


@pytest.fixture
def clock(tmp_path):
    """A broker, and a function that sets its clock by so many seconds and waits for what it says."""
    ahead = tmp_path / "ahead"
    ahead.write_text("+0")
    broker = Broker().start(LD_PRELOAD=LIBRARY, FAKETIME_TIMESTAMP_FILE=str(ahead),
                            FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1")

    def put(seconds):
        ahead.write_text(f"{seconds:+}")
        watchdog = threading.Timer(20, broker.kill)
        watchdog.start()
        line = broker.says("the system clock was set")
        watchdog.cancel()
        assert line, "nothing was said of the clock"
        return line

    yield broker, put
    broker.close()


def take(worker):
    job, = worker.deliveries(1)
    assert worker.settle(job) == []


@pytest.mark.parametrize("seconds, words", [(-3600, "back by 3"), (+315_360_000, "forward by 3")])
def test_a_jump_of_the_wall_clock_is_said_and_holds_no_timer(clock, seconds, words):
    broker, put = clock
    worker, producer = Client(broker.endpoint, "worker"), Client(broker.endpoint, "producer")
    worker.ask(SUBSCRIBE, topics=["t"], credit=4)
    producer.enqueue(1)
    held, = worker.deliveries(1)
    assert words in put(seconds)
    # Who is alive keeps its session and its job; what is asked from now on goes by the new clock.
    assert worker.settle(held) == []
    producer.enqueue(1)
    take(worker)
    producer.enqueue(1, delay_ms=300)
    take(worker)
    assert worker.ask(STATUS)["workers"] == 1


def test_a_job_that_was_scheduled_goes_by_the_clock_as_it_is_set(clock):
    broker, put = clock
    worker, producer = Client(broker.endpoint, "worker"), Client(broker.endpoint, "producer")
    worker.ask(SUBSCRIBE, topics=["t"], credit=4)
    producer.enqueue(1, delay_ms=3_600_000)
    put(+3_600)
    take(worker)


def test_deaths_count_towards_quarantine_when_they_are_apart(clock):
    """The default backoff is 16 s after the first death and 31 s after the second."""
    broker, put = clock
    worker, producer = Client(broker.endpoint, "worker"), Client(broker.endpoint, "producer")
    worker.ask(SUBSCRIBE, topics=["t"], credit=10)
    job = f"t/0/{producer.enqueue(1)['first_seq']}"

    def die(state, deaths):
        given, = worker.deliveries(1)
        assert worker.settle(given, 4, error="killed by signal 9") == []
        view = worker.ask(JOB, job=job)
        assert (view["state"], view["deaths"]) == (state, deaths), view
        return view

    die("retryable", 1)
    told = worker.ask(EXPLAIN, job=job)
    assert told["reason"] == "backoff" and "1 of the 3 worker deaths" in told["text"], told
    put(+20)
    die("retryable", 1)  # within a minute of the first
    put(+90)
    die("retryable", 2)
    put(+300)
    view = die("dead", 3)
    assert (view["reason"], view["attempt"]) == ("quarantined", 4)
    assert "3 times" in view["error"] and "killed by signal 9" in view["error"]
    assert worker.ask(REQUEUE, topic="t", jobs=[job])["count"] == 1
    die("retryable", 1)
