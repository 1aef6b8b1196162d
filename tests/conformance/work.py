"""Scenarios of a worker: credit, settling by token, deliveries held over a reconnect, revoking, drain."""
import msgpack

from messages import CREDIT, CREDIT_MAX, GOODBYE, Failure
from millrace_wire import DRAIN, HELLO, SETTLE, SUBSCRIBE
from scenarios import must, same, scenario, vector

DONE, RETRY, DISCARD, RELEASE = 0, 1, 2, 3
TOKEN = (3 << 40) + 17  # as brokers make them: an epoch and a number


def subscribed(stage):
    """The SUBSCRIBE of a worker, answered, and the credit that it grants with it or next."""
    message = stage.expect(SUBSCRIBE)
    same(message.body["topics"], ["t"], "the topics of SUBSCRIBE")
    stage.answer(message)
    credit = message.body.get("credit", 0)
    return message.peer, credit or stage.expect(CREDIT).body["credit"]


def begin(stage, concurrency=2, **options):
    stage.start("worker", topics=["t"], concurrency=concurrency, **options)
    hello = stage.expect(HELLO)
    same(hello.body["role"], "worker", "the role in HELLO")
    same(hello.body.get("held") or [], [], "'held' of the first HELLO")
    return subscribed(stage)


def give(stage, peer, *seqs):
    """Delivers these jobs; they run when this returns."""
    stage.deliver(peer, *[{"seq": seq, "token": TOKEN + seq} for seq in seqs])
    for seq in seqs:
        stage.event("job", job=f"t/0/{seq}")


def finish(stage, seq, outcome="done", **more):
    stage.ask("finish", job=f"t/0/{seq}", outcome=outcome, **more)


def settle(stage, wanted, stale=()):
    """Answers SETTLE messages until these tokens have come: token -> its outcome."""
    got = {}
    while set(got) != set(wanted):
        message = stage.expect(SETTLE)
        for outcome in message.body["outcomes"]:
            must(outcome["token"] in wanted, f"SETTLE names the token {outcome['token']}, which is none of {list(wanted)}")
            got[outcome["token"]] = outcome
        stage.answer(message, stale=[t for t in got if t in stale])
    return got


def blob(value):
    return value.encode() if isinstance(value, str) else value


@scenario("worker")
def work(stage):
    """a worker says HELLO, subscribes with credit, runs what is delivered and settles its token"""
    peer, credit = begin(stage)
    must(1 <= credit <= CREDIT_MAX, f"the credit is {credit}, not 1 to {CREDIT_MAX}")
    stage.deliver(peer, {"seq": 7, "token": TOKEN, "attempt": 3, "payload": "é".encode(), "key": "k",
                         "headers": msgpack.packb({"who": "é"})}, partition=2)
    event = stage.event("job")
    for key, value in (("job", "t/2/7"), ("payload", "é"), ("attempt", 3), ("key", "k"),
                       ("headers", {"who": "é"})):
        same(event.get(key), value, f"'{key}' of the job")
    stage.ask("finish", job="t/2/7", outcome="done", text="a result")
    outcome = settle(stage, [TOKEN])[TOKEN]
    same((outcome["outcome"], blob(outcome.get("result"))), (DONE, b"a result"), "the outcome")


@scenario("worker")
def settle_outcomes(stage):
    """done, retry with its delay, discard and release are settled by the token that was delivered"""
    peer, _ = begin(stage, concurrency=1)
    cases = [("retry", {"text": "busy", "retry_after_ms": 500}, {"outcome": RETRY, "error": "busy", "retry_after_ms": 500}),
             ("discard", {"text": "bad"}, {"outcome": DISCARD, "error": "bad"}),
             ("release", {}, {"outcome": RELEASE}), ("done", {}, {"outcome": DONE})]
    for seq, (word, more, wanted) in enumerate(cases, 1):
        give(stage, peer, seq)
        finish(stage, seq, word, **more)
        outcome = settle(stage, [TOKEN + seq])[TOKEN + seq]
        for key, value in wanted.items():
            got = outcome.get(key)
            same(got.decode() if isinstance(got, bytes) else got, value, f"'{key}' of {word}")


@scenario("worker")
def credit(stage):
    """each delivery uses up one credit and gives one back: never more is out than was granted first"""
    peer, first = begin(stage)
    free, out, delivered, settled = first, 0, 0, 0

    def next_thing():
        return next((m for m in stage.came if m.verb in (SETTLE, CREDIT)), None) or next(
            (e for e in stage.events if e["event"] == "job"), None)
    while settled < 5 * first:
        while free > 0:
            delivered, free, out = delivered + 1, free - 1, out + 1
            stage.deliver(peer, {"seq": delivered, "token": TOKEN + delivered})
        thing = stage.until(next_thing, "a job runs, is settled, or credit is granted")
        if isinstance(thing, dict):
            stage.events.remove(thing)
            stage.ask("finish", job=thing["job"], outcome="done")
            continue
        stage.came.remove(thing)
        if thing.verb == SETTLE:
            stage.answer(thing, stale=[])
            out, settled = out - len(thing.body["outcomes"]), settled + len(thing.body["outcomes"])
        free += thing.body.get("credit", 0)
        must(free + out <= first, f"{free} credits are free and {out} jobs unsettled: {first} were granted first")


@scenario("worker")
def heartbeat(stage):
    """HEARTBEAT goes on as often as the broker asked for, while a job runs"""
    peer, _ = begin(stage)
    give(stage, peer, 1)
    stage.beats_on(5)
    finish(stage, 1)
    settle(stage, [TOKEN + 1])


@scenario("worker")
def held(stage):
    """after a reconnect HELLO names each job that is held, with its token, and credit counts them"""
    peer, first = begin(stage)
    give(stage, peer, 1, 2)
    stage.came.clear()
    stage.cut()
    hello = stage.expect(HELLO)
    same(hello.body["session"], stage.sessions[0], "the session after a reconnect")
    same(sorted(hello.body.get("held", [])), [["t/0/1", TOKEN + 1], ["t/0/2", TOKEN + 2]], "'held'")
    message = stage.expect(SUBSCRIBE)
    stage.answer(message)
    must(message.body.get("credit", 0) + 2 <= first, f"{message.body.get('credit')} credits beside two held jobs: "
         f"{first} were granted first")
    finish(stage, 1)
    finish(stage, 2)
    settle(stage, [TOKEN + 1, TOKEN + 2])


@scenario("worker")
def lost(stage):
    """a token in 'lost' of the HELLO answer is no longer the worker's: that handler is stopped"""
    peer, _ = begin(stage)
    give(stage, peer, 1, 2)
    stage.came.clear()
    stage.lost = [TOKEN + 1]
    stage.cut()
    stage.expect(HELLO)
    subscribed_again(stage)
    event = stage.event("stop")
    same((event["job"], event["reason"]), ("t/0/1", "lease_lost"), "what was stopped")
    finish(stage, 2)
    settled = {}
    while TOKEN + 2 not in settled:
        message = stage.expect(SETTLE)
        settled.update({o["token"]: o["outcome"] for o in message.body["outcomes"]})
        stage.answer(message, stale=[TOKEN + 1] if TOKEN + 1 in settled else [])
    same(settled[TOKEN + 2], DONE, "the outcome of the job that is still held")


def subscribed_again(stage):
    message = stage.expect(SUBSCRIBE)
    stage.answer(message)
    return message.peer


@scenario("worker")
def settle_again(stage):
    """an outcome without an answer is held over a reconnect and settled again, and stale is no error"""
    peer, _ = begin(stage, concurrency=1)
    give(stage, peer, 1)
    finish(stage, 1)
    stage.expect(SETTLE)
    stage.came.clear()
    stage.cut()
    same(stage.expect(HELLO).body.get("held"), [["t/0/1", TOKEN + 1]], "'held'")
    peer = subscribed_again(stage)
    outcome = settle(stage, [TOKEN + 1], stale=[TOKEN + 1])[TOKEN + 1]
    same(outcome["outcome"], DONE, "the outcome that was settled again")
    give(stage, peer, 2)
    finish(stage, 2)
    settle(stage, [TOKEN + 2])


@scenario("worker")
def revoke(stage):
    """REVOKE stops the handler with its reason, and the credit of that job comes back (vectors)"""
    deliver, revoked = vector("deliver"), vector("revoke")
    peer, free = begin(stage, concurrency=1)
    stage.raw(peer, deliver)
    same(stage.event("job")["payload"], "hello", "the payload of the vector")
    free -= 1
    stage.raw(peer, revoked)
    event = stage.event("stop")
    same((event["job"], event["reason"]), ("t/0/1", "cancelled"), "what was stopped")
    finish(stage, 1)
    token = deliver["body_means"]["jobs"][0]["token"]
    while free < 1 or stage.came:
        message = stage.expect(SETTLE, CREDIT)
        free += message.body.get("credit", 0)
        if message.verb == SETTLE:
            must([o["token"] for o in message.body["outcomes"]] == [token], "SETTLE of a token that was not delivered")
            stage.answer(message, stale=[token])
    give(stage, peer, 2)
    finish(stage, 2)
    outcomes = []
    while not any(o["token"] == TOKEN + 2 for o in outcomes):
        message = stage.expect(SETTLE)
        outcomes += message.body["outcomes"]
        stage.answer(message, stale=[token])


@scenario("worker")
def early_delivery(stage):
    """a DELIVER between HELLO and its answer is dropped: the broker has that job back"""
    peer, _ = begin(stage)
    stage.came.clear()

    def early(message):
        stage.deliver(message.peer, {"seq": 1, "token": TOKEN + 1})
        return False
    stage.on_hello = early
    stage.cut()
    stage.expect(HELLO)
    peer = subscribed_again(stage)
    stage.deliver(peer, {"seq": 2, "token": TOKEN + 2})
    same(stage.event("job")["job"], "t/0/2", "the first job that runs")
    finish(stage, 2)
    settle(stage, [TOKEN + 2])


@scenario("worker")
def subscribe_again(stage):
    """SUBSCRIBE that is refused as overloaded is asked again"""
    stage.start("worker", topics=["t"], concurrency=1)
    stage.refuse(stage.expect(SUBSCRIBE), "overloaded", retry_after_ms=50)
    peer, _ = subscribed(stage)
    give(stage, peer, 1)
    finish(stage, 1)
    settle(stage, [TOKEN + 1])


@scenario("worker")
def unknown_fields_of_work(stage):
    """keys and verbs that the worker does not know are ignored, in DELIVER and its jobs too"""
    stage.extra, stage.header_extra = {"of_tomorrow": [1, {"a": b"x"}]}, [0]
    peer, _ = begin(stage)
    stage.send(peer, 199, 0, {})
    stage.deliver(peer, {"seq": 1, "token": TOKEN + 1, "of_tomorrow": {"b": 2}})
    stage.event("job", job="t/0/1")
    finish(stage, 1)
    settle(stage, [TOKEN + 1])


@scenario("worker")
def drain(stage):
    """drain: no more credit, what runs is settled, what never ran is released or left to GOODBYE"""
    peer, first = begin(stage, concurrency=1)
    count = max(first - 1, 1)
    give(stage, peer, 1)
    if count > 1:
        stage.deliver(peer, *[{"seq": n, "token": TOKEN + n} for n in range(2, count + 1)])
    stage.ask("drain")
    outcomes, drained, finished = {}, False, False
    while True:
        message = stage.expect(DRAIN, SETTLE, CREDIT, GOODBYE)
        must(not (drained and message.body.get("credit")), f"{message.name} grants credit after DRAIN")
        if message.verb == GOODBYE:
            stage.answer(message)
            break
        if message.verb == DRAIN:
            drained = True
            if first > 1:  # one that was on its way
                count += 1
                stage.deliver(message.peer, {"seq": count, "token": TOKEN + count})
            stage.answer(message)
        if message.verb == SETTLE:
            outcomes.update({o["token"]: o["outcome"] for o in message.body["outcomes"]})
            stage.answer(message, stale=[])
        if not finished:
            finish(stage, 1)
            finished = True
    same(outcomes.pop(TOKEN + 1, None), DONE, "the outcome of the job that ran, before GOODBYE")
    must(set(outcomes.values()) <= {RELEASE}, f"what never ran is settled as {outcomes}, not released (3)")
    must(set(outcomes) <= {TOKEN + n for n in range(2, count + 1)}, "a token was settled that was not delivered")
    must(stage.event("drained")["clean"] is True, "'clean' is not true, though all was settled")
    if any(event["event"] == "job" for event in stage.events):
        raise Failure("a job was begun after drain")
