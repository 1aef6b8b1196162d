"""The help of the CLI: its examples run, and completion and man page have every command and option."""
import os
import re
import subprocess

import pytest

from millrace_wire import BIN, Broker
from test_audit import ENTRIES, write_log
from test_cli import fail_as_worker, lines, millrace

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def said(*arguments):
    return subprocess.run([f"{BIN}/millrace", *arguments], capture_output=True, text=True,
                          timeout=30, check=True).stdout


def subcommands(text):
    return re.findall(r"^  ([a-z-]+) +\S", text.split("Subcommands:")[1].split("\n\n")[0], re.M)


GROUPS = ("dead", "keys", "payload-keys")
COMMANDS = [[name] for name in subcommands(said("--help")) if name not in GROUPS]
COMMANDS += [[group, name] for group in (*GROUPS, "audit")
             for name in subcommands(said(group, "--help"))]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_example_of_the_help_runs(tmp_path, command):
    examples = [line.strip() for line in said(*command, "--help").split("Examples:")[1].splitlines()
                if line.strip()]
    assert examples, f"{command} has no example"
    state = tmp_path / "state"
    broker = Broker(settings=f'backup_dir = "{state}-backup"\n').start()
    try:
        job = millrace(broker, "enqueue", "greetings", "hello").strip()
        assert job == "greetings/0/1"
        if command[0] == "dead" or command == ["wait"]:
            fail_as_worker(broker, job)
        if command[0] in ("verify", "restore"):
            millrace(broker, "backup", "before-upgrade")
        if command[0] == "audit":
            state.mkdir()
            write_log(state / "audit", ENTRIES)
        folder = ["--dir", str(tmp_path / "etc")] if command[0] == "keys" else []
        if folder and command[1] != "init":
            millrace(broker, "keys", "init", *folder)
        if folder and command[1] in ("show", "revoke"):
            millrace(broker, "keys", "new", "web-1", "--may", "look", "--topics", "*", *folder, "--out",
                     str(tmp_path / "secret"))
        if command == ["payload-keys", "rotate"]:
            millrace(broker, "payload-keys", "new", str(tmp_path / "mail.payload-keys"))
        (tmp_path / "jobs.jsonl").write_text('{"payload": {"n": 1}}\n')
        (tmp_path / "report.json").write_text("{}")
        for example in examples:
            ended = subprocess.run(
                ["bash", "-c", " ".join([example.replace("/var/lib/millrace", str(state)), *folder])],
                cwd=tmp_path,
                capture_output=True, text=True, timeout=30, check=False,
                env=dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}",
                         MILLRACE_BROKER=broker.endpoint))
            assert ended.returncode == (4 if command == ["wait"] else 0), (example, ended.stderr)
    finally:
        broker.close()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_man_page_and_completion_know_every_option(command):
    flags = set(re.findall(r"^  (?:-h,)?(--[a-z-]+)", said(*command, "--help"), re.M)) - {"--help"}
    with open(f"{ROOT}/cli/millrace.1", encoding="utf-8") as file:
        manual = file.read().replace("\\-", "-")
    scripts = [said("completion", shell) for shell in ("bash", "zsh", "fish")]
    assert command[-1] in manual and all(command[-1] in script for script in scripts)
    for flag in flags:
        assert flag in manual, flag
        assert flag in scripts[0] and flag in scripts[1] and f"-l {flag[2:]} " in scripts[2], flag


def completed(words):
    script = said("completion", "bash") + (
        f'COMP_WORDS=({words} ""); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _millrace; '
        'echo "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30,
                          check=True, env=dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")
                          ).stdout.split()


def test_completion_follows_the_grammar():
    assert {"jobs", "dead", "enqueue"} <= set(completed("millrace"))
    assert completed("millrace dead") == ["list", "show", "requeue", "purge"]
    assert completed("millrace audit --who ops") == ["verify"]
    assert "running" in completed("millrace --json jobs greetings --state")
    assert completed("millrace completion") == ["bash", "zsh", "fish"]


JSON_VALUES = ["1.10", "1e400", "-0", "123456789012345678901234567890", '{"b":1, "a" : 1.0,"b":2}',
               "[ 1,2 ]", "null", '{"x":"\\u00e9\\/"}']


@pytest.mark.parametrize("value", JSON_VALUES)
def test_a_json_payload_is_stored_as_it_stands(broker, value):
    millrace(broker, "enqueue", "t", "--jsonl", "-", stdin='{ "payload" : ' + value + ' }')
    job = lines(millrace(broker, "jobs", "t", "--json"))[0]["job"]
    assert millrace(broker, "job", job, "--payload") == value
    assert lines(millrace(broker, "job", job, "--json"))[0]["payload"] == value


def test_bytes_of_any_kind_come_back(broker):
    payload = b"\x00a\nb\xff\r\n\n"
    at = dict(os.environ, MILLRACE_BROKER=broker.endpoint)
    job = subprocess.run([f"{BIN}/millrace", "enqueue", "t"], input=payload, check=True, timeout=30,
                         capture_output=True, env=at).stdout.decode().strip()
    back = subprocess.run([f"{BIN}/millrace", "job", job, "--payload"], check=True, timeout=30,
                          capture_output=True, env=at).stdout
    assert back == payload
    encoded = lines(millrace(broker, "job", job, "--json"))[0]["payload_base64"]
    millrace(broker, "enqueue", "u", "--jsonl", "-", stdin='{"payload_base64": "%s"}' % encoded)
    again = lines(millrace(broker, "jobs", "u", "--json"))[0]["job"]
    assert lines(millrace(broker, "job", again, "--json"))[0]["payload_base64"] == encoded


@pytest.mark.parametrize("line, why", [
    ('{"payload": 1, "payload": 2}', "'payload' twice"),
    ('{"payload": 1, "payload_base64": "AA=="}', "both 'payload' and 'payload_base64'"),
    ('{"delay": "1h", "run_at": "2030-01-31T12:00:00Z"}', "more than one of"),
    ('{"payload": 01}', "is not valid JSON"),
    ('{"payload": "\\ud800"}', "is not valid JSON"),
    ('{"payload": 1} {}', "extra text"),
    ('{"payload": "x\\', "is not valid JSON"),
    ('{"payload\\', "is not valid JSON"),
    ('{"priority": 1.0}', "invalid value for 'priority'"),
    ('{"delay": 5}', "invalid value for 'delay'"),
    ('{"delay": "5"}', "invalid value for 'delay'"),
    ('{"payload_base64": "A"}', "invalid value for 'payload_base64'"),
    ('{"paylod": 1}', "did you mean 'payload'"),
    ("[" * 1000, "is not a JSON object"),
    ('{"payload": ' + "[" * 1000, "is not valid JSON"),
])
def test_a_wrong_line_is_refused_by_name(broker, line, why):
    assert why in millrace(broker, "enqueue", "t", "--jsonl", "-", stdin=line, code=1)
