"""Checks a history: by the checker of tests/checker, and by a few sums that a run must reach in any
case (a run without events has tested nothing)."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from millrace_wire import BIN  # noqa: E402

CHECKER = os.path.join(BIN, "tests", "check_history")
FINAL = ("completed", "cancelled", "dead")


def violations(path, enqueued_min=1):
    """Sentences; none when the history is correct."""
    events = in_time(path)
    return [*own_sums(events, enqueued_min), *checked(path)]


def in_time(path):
    """The events by their time, in the file too: each process's pipe is read when its turn comes."""
    with open(path) as file:
        events = sorted((json.loads(line) for line in file), key=lambda event: event["t"])
    with open(path, "w") as file:
        file.writelines(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    return events


def checked(path):
    if not os.path.exists(CHECKER):
        return [f"{CHECKER} is missing: build it"]
    run = subprocess.run([CHECKER, path], capture_output=True, text=True, timeout=120, check=False)
    if run.returncode == 0:
        return []
    lines = run.stdout.splitlines() + run.stderr.splitlines()
    return lines or [f"check_history ended with {run.returncode} and said nothing"]


def own_sums(events, enqueued_min):
    acknowledged = {e["tag"]: e["job"] for e in events if e["e"] == "enqueued"}
    refused = {e["tag"] for e in events if e["e"] == "refused"}
    rows = {}
    for event in events:
        if event["e"] == "final":
            if event["tag"] in rows:
                yield f"two rows of {event['tag']}: {rows[event['tag']]['job']} and {event['job']}"
            rows[event["tag"]] = event
    if len(acknowledged) < enqueued_min:
        yield f"only {len(acknowledged)} jobs were acknowledged: the run has shown nothing"
    for tag, job in acknowledged.items():
        if tag not in rows:
            yield f"{job} ({tag}) was acknowledged and is lost"
        elif rows[tag]["job"] != job:
            yield f"{tag} was acknowledged as {job} and is stored as {rows[tag]['job']}"
        elif rows[tag]["state"] not in FINAL:
            yield f"{job} never ended: {rows[tag]['state']}"
    for tag in refused & set(rows):
        yield f"{tag} was refused and is stored"
    for event in events:
        if event["e"] == "end" and event["integrity"] != "ok":
            yield f"integrity_check: {event['integrity']}"
    if events[-1]["e"] != "end":
        yield "the history has no end"
