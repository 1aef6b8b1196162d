"""Checks the messages of a client against docs/protocol.md: frames, verbs, and the fields of each body."""
import msgpack

from millrace_wire import (CANCEL, CREATE, DRAIN, ENQUEUE, EXPLAIN, HELLO, JOB, JOBS, PAUSE, PURGE, REQUEUE,
                           RESUME, SETTLE, STATUS, SUBSCRIBE, TOPICS, TOPOLOGY, WAIT)

HEARTBEAT, GOODBYE, CREDIT, PROGRESS, SESSIONS = 2, 3, 33, 35, 89
NAMES = {HELLO: "HELLO", HEARTBEAT: "HEARTBEAT", GOODBYE: "GOODBYE", ENQUEUE: "ENQUEUE", SUBSCRIBE: "SUBSCRIBE",
         CREDIT: "CREDIT", SETTLE: "SETTLE", PROGRESS: "PROGRESS", DRAIN: "DRAIN", TOPOLOGY: "TOPOLOGY",
         TOPICS: "TOPICS", CREATE: "TOPIC_CREATE", PAUSE: "PAUSE", RESUME: "RESUME", JOB: "JOB", JOBS: "JOBS",
         EXPLAIN: "EXPLAIN", CANCEL: "CANCEL", WAIT: "WAIT", REQUEUE: "DEAD_REQUEUE", PURGE: "DEAD_PURGE",
         STATUS: "STATUS", SESSIONS: "SESSIONS"}
UNANSWERED = (CREDIT, PROGRESS)
BATCH_MAX, CREDIT_MAX, FRAME_BYTES_MAX = 1024, 8192, 8 << 20


class Failure(Exception):
    """The client broke the protocol, or did not do what it was asked for."""


def number(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64


def text(value):
    return isinstance(value, str)


def blob(value):
    return isinstance(value, (bytes, str))


def blob16(value):
    return isinstance(value, bytes) and len(value) == 16


def texts(value):
    return isinstance(value, list) and all(map(text, value))


def held(value):
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and text(pair[0]) and number(pair[1]) for pair in value)


def up_to(most):
    return lambda value: number(value) and value <= most


def jobs(value):
    return isinstance(value, list) and 1 <= len(value) <= BATCH_MAX and all(fits(NEW_JOB, job) is None for job in value)


def outcomes(value):
    return isinstance(value, list) and len(value) <= BATCH_MAX and all(fits(OUTCOME, each) is None for each in value)


# Field -> what its value must be; "!": it must be there.
NEW_JOB = {"payload!": blob, "key": blob, "priority": up_to(9), "delay_ms": number, "run_at_ms": number,
           "attempts_max": up_to(1000), "headers": blob}
OUTCOME = {"token!": number, "outcome!": up_to(4), "error": blob, "result": blob, "retry_after_ms": number}
BODIES = {
    HELLO: {"role!": lambda value: value in ("producer", "worker", "client"), "session!": blob16, "name": text,
            "pid": number, "held": held},
    ENQUEUE: {"topic!": text, "partition!": up_to(255), "producer": blob16, "epoch": number, "batch": number,
              "answered": number, "jobs!": jobs},
    SUBSCRIBE: {"topics!": texts, "credit": up_to(CREDIT_MAX)},
    CREDIT: {"credit!": up_to(CREDIT_MAX)},
    SETTLE: {"outcomes!": outcomes, "credit": up_to(CREDIT_MAX)},
    PROGRESS: {"token!": number, "percent": up_to(100), "note": text},
    TOPOLOGY: {"topics": texts},
    PAUSE: {"topic!": text, "request": blob16}, RESUME: {"topic!": text, "request": blob16},
    JOB: {"job!": text}, CANCEL: {"job!": text, "request": blob16},
}


def fits(fields, body):
    """Why the body does not have these fields; None: it has. Keys that are not known are ignored."""
    if not isinstance(body, dict):
        return "is no map"
    for name, holds in fields.items():
        key = name.rstrip("!")
        value = body.get(key)
        if value is None and name.endswith("!"):
            return f"has no '{key}'"
        if value is not None and not holds(value):
            return f"has a wrong '{key}': {str(value)[:200]}"
    return None


class Message:
    """One message of the client, understood."""

    def __init__(self, shard, peer, parts):
        if len(parts) != 2:
            raise Failure(f"a message has {len(parts)} parts, not 2")
        if len(parts[1]) > FRAME_BYTES_MAX:
            raise Failure(f"a body has {len(parts[1])} bytes, at most {FRAME_BYTES_MAX} are allowed")
        try:
            header = msgpack.unpackb(parts[0])
            self.body = msgpack.unpackb(parts[1])
        except Exception as e:
            raise Failure(f"a message is not msgpack: {parts[0].hex()} {parts[1][:64].hex()} ({e})") from e
        if not isinstance(header, list) or len(header) < 3 or not all(map(number, header[:3])):
            raise Failure(f"a header is [version, verb, correlation], not {header}")
        self.shard, self.peer, self.raw = shard, peer, parts[1]
        version, self.verb, self.correlation = header[:3]
        if version != 1:
            raise Failure(f"the header says version {version}, not 1")
        if self.verb not in NAMES:
            raise Failure(f"the protocol has no verb {self.verb} of a client")
        self.name = NAMES[self.verb]
        wrong = fits(BODIES.get(self.verb, {}), self.body)
        if wrong:
            raise Failure(f"{self.name} {wrong}")

    def __str__(self):
        return f"{self.name} {str(self.body)[:300]}"
