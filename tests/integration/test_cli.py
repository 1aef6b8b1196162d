"""The command line as people type it: every command, --json, every exit code, wrong input."""
import json
import os
import pty
import subprocess

import pytest

from millrace_wire import BIN, SETTLE, SUBSCRIBE, Client


def millrace(broker, *arguments, stdin=None, code=0, endpoint=None):
    ended = subprocess.run([f"{BIN}/millrace", *arguments], capture_output=True, timeout=60,
                           input=stdin.encode() if stdin is not None else b"", check=False,
                           env=dict(os.environ, MILLRACE_BROKER=endpoint or broker.endpoint))
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stdout.decode() if code == 0 else (ended.stdout + ended.stderr).decode()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def fail_as_worker(broker, job):
    """Takes the job wherever it lives and discards it."""
    client = Client(broker.endpoint)
    topology = client.ask(64, topics=[job.split("/")[0]])
    shard = topology["topics"][job.split("/")[0]][int(job.split("/")[1])]
    w = Client(topology["shards"][shard][0], "worker")
    w.ask(SUBSCRIBE, topics=[job.split("/")[0]], credit=1)
    token = w.deliveries(1)[0]["token"]
    w.ask(SETTLE, outcomes=[{"token": token, "outcome": 2, "error": "no use"}])


def test_headers_are_names_and_texts(broker):
    job = millrace(broker, "enqueue", "t", "x", "--header", "who=a=b", "--header", "é=").strip()
    assert lines(millrace(broker, "job", job, "--json"))[0]["headers"] == {"who": "a=b", "é": ""}
    assert "who: a=b" in millrace(broker, "job", job)
    line = json.dumps({"payload": "y", "headers": {"trace": "1"}})
    millrace(broker, "enqueue", "t", "--jsonl", "-", "--header", "who=other", stdin=line)
    views = lines(millrace(broker, "jobs", "t", "--json"))
    assert sorted(view["headers"].get("trace", "") for view in views) == ["", "1"]
    for wrong in ({"a": 1}, {"": "x"}, "text", ["a"], {"a": "x" * 2_000}):
        said = millrace(broker, "enqueue", "t", "--jsonl", "-", code=1,
                        stdin=json.dumps({"payload": "x", "headers": wrong}))
        assert "header" in said, said
    assert "header" in millrace(broker, "enqueue", "t", "x", "--header", "a=" + "x" * 2_000, code=1)
    for wrong in (["noequals"], ["=x"], ["a=1", "--header", "a=2"]):
        assert "--header" in millrace(broker, "enqueue", "t", "x", "--header", *wrong, code=64)


def test_enqueue_job_explain_cancel(broker):
    job = millrace(broker, "enqueue", "t", "hello", "--priority", "2").strip()
    view = lines(millrace(broker, "job", job, "--json"))[0]
    assert (view["state"], view["payload"], view["priority"]) == ("available", "hello", 2)
    assert "no_worker" in millrace(broker, "explain", job)
    assert "hello" in millrace(broker, "job", job)
    assert "cancelled" in millrace(broker, "cancel", job)
    assert "conflict" in millrace(broker, "cancel", job, code=1)
    assert millrace(broker, "wait", job, code=4)


def test_enqueue_reads_stdin_and_many_arguments(broker):
    job = millrace(broker, "enqueue", "t", stdin="from stdin").strip()
    assert lines(millrace(broker, "job", job, "--json"))[0]["payload"] == "from stdin"
    assert len(lines(millrace(broker, "enqueue", "t", "a", "b", "c", "--json"))) == 3


def payloads(broker, topic):
    views = lines(millrace(broker, "jobs", topic, "--json"))
    return sorted(lines(millrace(broker, "job", view["job"], "--json"))[0]["payload"] for view in views)


def test_two_dashes_end_the_options_wherever_they_stand(broker):
    for topic, typed in (("after", ["enqueue", "after", "a", "--", "-b", "--json", "--"]),
                         ("before", ["enqueue", "--", "before", "a", "-b", "--json", "--"]),
                         ("first", ["--", "enqueue", "first", "a", "-b", "--json", "--"])):
        assert len(millrace(broker, *typed).splitlines()) == 4
        assert payloads(broker, topic) == ["--", "--json", "-b", "a"]
    millrace(broker, "enqueue", "stdin", "--", "-", stdin="piped")
    assert payloads(broker, "stdin") == ["piped"]
    millrace(broker, "enqueue", "options", "--key", "k", "--", "-b")
    millrace(broker, "enqueue", "options", "--key", "--", "\x01c")  # the option's value
    assert payloads(broker, "options") == ["\x01c", "-b"]
    keys = [view["key"] for view in lines(millrace(broker, "jobs", "options", "--json"))]
    assert sorted(keys) == ["--", "k"]
    for command in (["job", "t/0/1"], ["topics", "t"], ["jobs"], ["pause", "t"], ["dead", "list"], ["status"],
                    ["create", "t"], ["backup", "b"]):
        said = millrace(broker, *command, "--", "-x", "-y", code=64)
        assert "unexpected argument '-" in said or "'-x' is no" in said, said
        assert "unknown option" not in said and "\x01" not in said, said
    for command in (["explain"], ["wait"], ["cancel"], ["dead", "show"]):
        assert "-x" in millrace(broker, *command, "--", "-x", code=64)
    assert "a topic name must" in millrace(broker, "--", "topics", "--help", code=1)


def test_enqueue_in_bulk(broker, tmp_path):
    file = tmp_path / "jobs"
    file.write_text("".join(json.dumps({"payload": {"n": n}, "key": str(n % 7)}) + "\n"
                            for n in range(3_000)))
    assert lines(millrace(broker, "enqueue", "t", "--jsonl", str(file), "--json"))[0]["stored"] == 3_000
    topic = lines(millrace(broker, "topics", "t", "--json"))[0]
    assert (topic["available"], topic["enqueued"]) == (3_000, 3_000)
    said = millrace(broker, "enqueue", "t", "--jsonl", "-", code=1,
                    stdin='{"payload": "x"}\nnonsense\n{"colour": 1}\n')
    assert "stored 1, rejected 2" in said and "line 2 is not a JSON object" in said


def test_lists_page_through_all_jobs_once(broker):
    ids = {line["job"] for line in
           lines(millrace(broker, "enqueue", "t", *[str(n) for n in range(20)], "--json"))}
    ids |= {line["job"] for line in lines(millrace(broker, "enqueue", "u", "1", "2", "--json"))}
    seen, after = [], []
    while True:
        page = lines(millrace(broker, "jobs", "--limit", "7", "--json", *after))
        if not page:
            break
        seen += [view["job"] for view in page]
        after = ["--after", seen[-1]]
    assert len(seen) == len(set(seen)) and set(seen) == ids


def test_delay_is_scheduled_and_wait_in_vain_is_3(broker):
    job = millrace(broker, "enqueue", "t", "x", "--delay", "1h").strip()
    assert "scheduled" in millrace(broker, "explain", job)
    assert "scheduled" in millrace(broker, "wait", job, "--for", "0s", code=3)


def test_dead_letters(broker):
    job = millrace(broker, "enqueue", "t", "x").strip()
    fail_as_worker(broker, job)
    assert "no use" in millrace(broker, "dead", "list", "t")
    assert "dead (discarded)" in millrace(broker, "dead", "show", job)
    assert "requeued 1" in millrace(broker, "dead", "requeue", job)
    fail_as_worker(broker, job)
    assert "requeued 1" in millrace(broker, "dead", "requeue", "t", "--all")
    fail_as_worker(broker, job)
    assert "--yes" in millrace(broker, "dead", "purge", job, code=64)
    assert "purged 1" in millrace(broker, "dead", "purge", "t", "--all", "--yes")
    assert millrace(broker, "job", job, code=2)


def test_topics_pause_resume_create(broker):
    assert "created the topic v" in millrace(broker, "create", "v", "--partitions", "4", "--history")
    assert "v exists already" in millrace(broker, "create", "v", "--partitions", "4", "--history")
    assert "conflict" in millrace(broker, "create", "v", "--partitions", "5", code=1)
    assert "paused" in millrace(broker, "pause", "v")
    assert "paused" in millrace(broker, "topics", "v")
    assert "is resumed" in millrace(broker, "resume", "v")
    assert lines(millrace(broker, "topics", "v", "--json"))[0]["partitions"] == 4


def test_status_sessions_top(broker):
    w = Client(broker.endpoint, "worker")
    w.ask(SUBSCRIBE, topics=["t"], credit=3)
    assert lines(millrace(broker, "status", "--json"))[0]["accepting"] is True
    assert lines(millrace(broker, "sessions", "--json"))[0]["credit"] == 3
    assert "t " in millrace(broker, "top", "--once")


def test_top_on_a_terminal_restores_it(broker):
    lead, follow = pty.openpty()
    process = subprocess.Popen([f"{BIN}/millrace", "top"], stdin=follow, stdout=follow,
                               env=dict(os.environ, MILLRACE_BROKER=broker.endpoint))
    shown = b""
    while b"press q to quit" not in shown:
        shown += os.read(lead, 4_096)
    os.write(lead, b"q")
    assert process.wait(20) == 0
    while b"\x1b[?1049l" not in shown:
        shown += os.read(lead, 4_096)
    os.close(lead)
    os.close(follow)


@pytest.mark.parametrize("arguments, code, said", [
    (["job", "nonsense"], 64, "is not a job id"),
    (["job", "t/0/999999"], 2, "not_found"),
    (["enqueue", "bad topic", "x"], 1, "topic name"),
    (["enqueue", "t", "x", "--priority", "11"], 64, "0 to 9"),
    (["enqueue", "t", "x", "--delay", "soon"], 64, "is not a duration"),
    (["enqueue", "t", "x", "--delay", "5"], 64, "with a unit"),
    (["enqueue", "t", "x", "--run-at", "tomorrow"], 64, "is not a time"),
    (["enqueue", "t", "x", "--run-at", "2030-02-30T00:00:00Z"], 64, "--run-at"),
    (["enqueue", "t", "x", "--run-at", "2030-01-31T12:00:00Z", "--delay", "1m"], 64, "cannot be used together"),
    (["enqueue", "t", "x", "--key", "a", "--key", "b"], 64, "--key is given more than once"),
    (["enqueue", "t", "x", "--key"], 64, "--key needs a value"),
    (["enqueue", "t", "x", "--jsonl", "-"], 64, "cannot be used together"),
    (["enqueue", "t", "x", "--max-attempts", "-1"], 64, "from 1 to 1000"),
    (["enqueue", "t", "--jsonl", "/"], 64, "cannot read"),
    (["jobs", "--topic", "t"], 64, "millrace jobs TOPIC"),
    (["jobs", "--limt", "3"], 64, "did you mean '--limit'"),
    (["jobs", "--limit", "0"], 64, "from 1 to 256"),
    (["job", "t/0/1", "t/0/2"], 64, "unexpected argument 't/0/2'"),
    (["verify", ""], 64, "PATH"),
    (["jobs", ""], 64, "must not be empty"),
    (["jbos"], 64, "did you mean 'jobs'"),
    (["dead", "lst"], 64, "did you mean 'list'"),
    (["jobs", "--state", "runing"], 64, "did you mean 'running'"),
    (["enqueue", "t", "--jsonl", "/no/such/file"], 64, "cannot read"),
    (["jobs", "--state", "asleep"], 64, "unknown state"),
    (["dead", "requeue", "t/0/1", "--all"], 64, "one topic"),
    (["pause", "nowhere"], 2, "unknown_topic"),
    (["frobnicate"], 64, "unknown command"),
    ([], 64, "a command is missing"),
])
def test_wrong_input(broker, arguments, code, said):
    assert said in millrace(broker, *arguments, code=code)


def test_a_payload_of_two_mebibytes_is_too_large(broker):
    assert "too_large" in millrace(broker, "enqueue", "t", stdin="x" * (2 << 20), code=1)


def test_a_payload_cannot_speak_to_the_terminal(broker):
    # Escape, and the control characters of eight bits, which UTF-8 writes in two.
    job = millrace(broker, "enqueue", "t", stdin="\x1b[31mred \u009b31mred").strip()
    shown = millrace(broker, "job", job)
    assert "\x1b" not in shown and "\u009b" not in shown


def test_no_broker_is_69(broker, tmp_path):
    said = millrace(broker, "topics", "--timeout", "300ms", code=69, endpoint=f"ipc://{tmp_path}/no")
    assert "that millraced is running" in said


def test_completion_and_help(broker):
    for shell in ("bash", "zsh", "fish"):
        assert "requeue" in millrace(broker, "completion", shell)
    subprocess.run(["bash", "-n"], input=millrace(broker, "completion", "bash").encode(), check=True)
    assert "Exit codes" in millrace(broker, "--help")


def test_a_pause_holds_in_shards_that_meet_the_topic_later(broker):
    millrace(broker, "enqueue", "first-use", "x")
    assert "is paused" in millrace(broker, "pause", "first-use")
    for n in range(8):
        millrace(broker, "enqueue", "first-use", str(n), "--key", str(n))
    topology = Client(broker.endpoint).ask(64, topics=["first-use"])
    for shard in topology["shards"]:
        assert Client(shard[0]).topic("first-use")["paused"] is True
