"""Scenarios of a client for queries and administration: answers, codes, requests that change something."""
from millrace_wire import CANCEL, HELLO, JOB
from scenarios import must, same, scenario

JOB_VIEW = {"job": "t/0/1", "topic": "t", "state": "running", "priority": 5, "attempt": 1, "attempts_max": 25,
            "deaths": 0, "enqueued_ms": 1_700_000_000_000, "payload_bytes": 1, "of_tomorrow": 1}


@scenario("client")
def questions(stage):
    """a question's answer and a refusal's code reach the caller"""
    stage.start("client")
    stage.ask("job", id=1, job="t/0/1")
    stage.answer(stage.expect(JOB), **JOB_VIEW)
    same(stage.event("answered", id=1).get("state"), "running", "the state")
    stage.ask("job", id=2, job="t/0/2")
    stage.refuse(stage.expect(JOB), "not_found")
    same(stage.event("answered", id=2).get("error"), "not_found", "the code")


@scenario("client")
def question_timeout(stage):
    """a question without an answer ends as timeout or outcome_unknown, never as an answer"""
    stage.start("client", deadline_ms=1_500)
    stage.ask("job", id=1, job="t/0/1")
    stage.expect(JOB)
    told = stage.event("answered", id=1).get("error")
    must(told in ("timeout", "outcome_unknown"), f"the error is {told!r}")


@scenario("client")
def request_again(stage):
    """a change is sent again only with the request id of the first, and answered once"""
    stage.start("client", deadline_ms=20_000)
    stage.ask("cancel", id=1, job="t/0/1")
    first = stage.expect(CANCEL)
    request = first.body.get("request")
    must(request is None or any(request), "a request id is all zero")
    stage.came.clear()
    stage.cut()

    def next_thing():
        return next((m for m in stage.came if m.verb == CANCEL), None) or next(
            (e for e in stage.events if e["event"] == "answered"), None)
    told = stage.until(next_thing, "the client sends CANCEL again, or tells its caller")
    if isinstance(told, dict):
        return same(told.get("error"), "outcome_unknown", "the error of a change that was sent")
    must(any(m.verb == HELLO for m in stage.came), "CANCEL came again without HELLO")
    must(request is not None, "CANCEL came again without a request id: it would be done twice")
    same(told.body.get("request"), request, "the request id of the copy")
    stage.answer(told, state="cancelled")
    return same(stage.event("answered", id=1).get("state"), "cancelled", "the state")


@scenario("client")
def change_unknown(stage):
    """a change that was sent and is never answered is outcome_unknown"""
    stage.start("client", deadline_ms=1_500)
    stage.ask("cancel", id=1, job="t/0/1")
    stage.expect(CANCEL)
    same(stage.event("answered", id=1).get("error"), "outcome_unknown", "the error")
