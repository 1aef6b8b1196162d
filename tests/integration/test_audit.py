"""The commands audit and audit verify, on logs that the broker's own writer wrote."""
import json
import os
import subprocess

import pytest

from millrace_wire import BIN

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FAIL_IO = os.path.join(ROOT, "build", "lib", "libfail_io.so")
ENTRIES = [("ops", "ipc", "pause", "thumbnails"), ("ops", "ipc", "resume", "thumbnails"),
           ("ci", "10.0.0.7", "purge", "reports/0/17", "forbidden", "ci may not purge"),
           ("local uid 0", "ipc", "cancel", "thumbnails/3/1842")]


def writer():
    # The first is one with a planted bug; beside another program with one there is neither.
    places = (f"{BIN}/audit_writer", f"{BIN}/tests/audit_writer", f"{ROOT}/build/bin/tests/audit_writer")
    return next(path for path in places if os.path.exists(path))


def write_log(folder, entries, bytes_max=1 << 20):
    """The numbers of the entries."""
    said = subprocess.run([writer(), str(folder), str(bytes_max)], text=True, check=True, timeout=60,
                          input="".join("\t".join(entry) + "\n" for entry in entries),
                          stdout=subprocess.PIPE).stdout
    return [int(line) for line in said.split()]


def audit(*arguments, code=0):
    """What it prints, stdout and stderr."""
    ended = subprocess.run([f"{BIN}/millrace", "audit", *map(str, arguments)], capture_output=True,
                           text=True, timeout=60, check=False)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stdout, ended.stderr


def listed(folder, *arguments):
    return [json.loads(line) for line in audit("--dir", folder, "--json", *arguments)[0].splitlines()]


@pytest.fixture(name="log")
def fixture_log(tmp_path):
    folder = tmp_path / "audit"
    assert write_log(folder, ENTRIES) == [2, 3, 4, 5]
    return folder


def edit(folder, change, name="audit-00000001.jsonl"):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


def test_lines_are_shown_with_all_fields(log):
    lines = audit("--dir", log)[0].splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("1  20") and lines[0].endswith("  audit log  log_created  ok")
    assert lines[3].endswith("  ci from 10.0.0.7  purge reports/0/17  forbidden: ci may not purge")
    assert listed(log)[4]["who"] == "local uid 0"
    with open(log / "audit-00000001.jsonl", encoding="utf-8") as file:
        assert audit("--dir", log, "--json")[0] == file.read()


def test_options_choose_lines(log):
    def seqs(*arguments):
        return [line["seq"] for line in listed(log, *arguments)]
    assert seqs("--who", "ops") == [2, 3]
    assert seqs("--verb", "cancel") == [5]
    assert seqs("--topic", "thumbnails") == [2, 3, 5]
    assert seqs("--refused") == [4]
    assert seqs("--limit", "2") == [4, 5]
    assert seqs("--who", "ops", "--limit", "1") == [3]
    times = [line["time"] for line in listed(log)]
    assert seqs("--since", "2020-01-01T00:00:00Z", "--until", times[0]) == []
    assert seqs("--since", times[0]) == [1, 2, 3, 4, 5]
    assert seqs("--since", "2999-01-01T00:00:00Z") == [] and seqs("--until", "2999-01-01T00:00:00Z")
    assert "no line of the audit log matches" in audit("--dir", log, "--who", "nobody")[0]


@pytest.mark.parametrize("arguments, said", [
    (["--limit", "0"], "from 1 to 10000"),
    (["--since", "yesterday"], "is not a time"),
    (["--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"], "earlier than --until"),
    (["--dir", ""], "--dir must not be empty"),
    (["verfy"], "did you mean 'verify'"),
    (["verify", "--head", "12ab"], "64 hexadecimal digits, not '12ab'"),
    (["verify", "--who", "ops"], "takes only --dir, --head and --after"),
    (["--refused", "verify"], "takes only --dir, --head and --after"),
])
def test_wrong_input_is_64(arguments, said):
    assert said in audit(*arguments, code=64)[1]


def test_no_log_is_2_and_no_access_is_74(tmp_path, log):
    for command in ([], ["verify"]):
        said = audit(*command, "--dir", tmp_path / "none", code=2)[1]
        assert f"{tmp_path}/none" in said
        assert "there is no audit log" in audit(*command, "--dir", tmp_path, code=2)[1]
    out, _ = audit("--dir", tmp_path, "--json", code=2)
    assert json.loads(out)["error"]["code"] == "not_found"
    # A loop of links cannot be read by any user.
    path = log / "audit-00000001.jsonl"
    path.unlink()
    path.symlink_to(path)
    for command in ([], ["verify"]):
        assert str(path) in audit(*command, "--dir", log, code=74)[1]


def test_verify_prints_the_hash_to_note_and_finds_it_later(log):
    out, _ = audit("verify", "--dir", log)
    noted = out.split("hash of the last line: ")[1].split()[0]
    assert "5 lines in 1 file: line 1 of" in out and out.endswith("no damage found\n")
    write_log(log, ENTRIES)
    out, _ = audit("verify", "--dir", log, "--head", noted.upper())
    assert "line 5 has the hash of --head: nothing up to it was changed" in out
    report = json.loads(audit("verify", "--dir", log, "--head", "0" * 64, "--json", code=1)[0])
    assert not report["intact"] and "no line of the log has the hash" in report["problems"][0]["message"]


def test_tampering_is_1_with_its_place(log):
    edit(log, lambda text: text.replace(b"10.0.0.7", b"10.0.0.8"))
    out, said = audit("verify", "--dir", log, code=1)
    assert "audit-00000001.jsonl, line 4: the line was changed" in said and "no damage" not in out
    edit(log, lambda text: text.replace(b"10.0.0.8", b"10.0.0.7"))
    audit("verify", "--dir", log)
    edit(log, lambda text: b"".join(text.splitlines(True)[:-1]))
    assert "lines were removed from its end" in audit("verify", "--dir", log, code=1)[1]


def test_a_torn_end_is_a_note_and_the_writer_moves_it(log):
    edit(log, lambda text: text + b'{"seq":6,"ti')
    out, _ = audit("verify", "--dir", log)
    assert "12 bytes at the end are incomplete" in out and "no damage found" in out
    assert len(listed(log)) == 5
    write_log(log, ENTRIES)
    assert (log / "torn-after-line-5").read_bytes() == b'{"seq":6,"ti'
    assert "torn-after-line-5" in audit("verify", "--dir", log)[0]


def test_old_files_may_be_moved_away(tmp_path):
    folder = tmp_path / "audit"
    write_log(folder, ENTRIES * 5, bytes_max=2_000)
    first = folder / "audit-00000001.jsonl"
    last_hash = json.loads(first.read_text().splitlines()[-1])["hash"]
    first.unlink()
    assert "the lines before are missing" in audit("verify", "--dir", folder, code=1)[1]
    assert "no damage found" in audit("verify", "--dir", folder, "--after", last_hash)[0]


def test_a_line_that_is_none_is_named_and_the_others_are_shown(log):
    edit(log, lambda text: text.replace(b'"verb":"resume"', b'"verb":"resume\x1b"'))
    out, said = audit("--dir", log, code=1)
    assert len(out.splitlines()) == 4 and "\x1b" not in out + said
    assert "audit-00000001.jsonl, line 3: this is not a line of the audit log" in said


def test_a_client_cannot_speak_to_the_terminal(tmp_path):
    write_log(tmp_path / "audit", [("\x1b[31mops\u009b", "ipc", "pause", 'a"\\b')])
    out, _ = audit("--dir", tmp_path / "audit")
    assert "\x1b" not in out and "\u009b" not in out
    assert listed(tmp_path / "audit")[1]["on"] == 'a"\\b'


def test_any_program_can_check_the_chain(log):
    """As docs/operations.md says: with sed and sha256sum."""
    script = """set -e
    prev=$(printf '0%.0s' {1..64})
    while IFS= read -r line; do
      hash=$(sed -E 's/.*,"hash":"([0-9a-f]{64})"}$/\\1/' <<< "$line")
      [[ "$line" == *",\\"prev\\":\\"$prev\\",\\"hash\\""* ]]
      sum=$(sed -E 's/,"hash":"[0-9a-f]{64}"}$/}/' <<< "$line" | tr -d '\\n' | sha256sum | cut -d' ' -f1)
      [ "$sum" = "$hash" ]
      prev=$hash
    done < audit-00000001.jsonl
    echo "$prev" """
    said = subprocess.run(["bash", "-c", script], cwd=log, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == listed(log)[-1]["hash"]


def faulty_write(folder, calls, bytes_max=900, **environment):
    """The numbers that a writer confirmed while a call of the file system failed."""
    under = str(folder)
    said = subprocess.run(
        [writer(), under, str(bytes_max)], text=True, timeout=60, stderr=subprocess.PIPE, check=False,
        input="".join("\t".join(entry) + "\n" for entry in ENTRIES), stdout=subprocess.PIPE,
        env=dict(os.environ, LD_PRELOAD=FAIL_IO, FAIL_IO_UNDER=under, FAIL_IO_LOG=str(calls), **environment))
    assert said.returncode in (0, 1) and (said.returncode == 0 or said.stderr.startswith("audit_writer: ")), said
    return [int(line) for line in said.stdout.split()]


def test_a_line_is_confirmed_after_its_sync_and_before_the_next_one(tmp_path):
    folder, calls = tmp_path / "audit", tmp_path / "calls"
    write_log(folder, ENTRIES[:1])
    faulty_write(folder, calls, bytes_max=1 << 20)
    assert calls.read_text().endswith("wsw" * len(ENTRIES)), "the line, its sync, the head"


def head_is_torn(folder):
    """Half of an overwrite within one sector: no disk does that, and it is reported as damage."""
    ended = subprocess.run([f"{BIN}/millrace", "audit", "verify", "--dir", str(folder)],
                           capture_output=True, text=True, timeout=60, check=False)
    return (ended.returncode, ended.stderr) == (
        1, f"millrace: head: the file {folder}/head is not as the audit log writes it\n")


@pytest.mark.parametrize("fault", ["eio", "enospc", "short"])
def test_each_call_of_the_file_system_may_fail(tmp_path, fault):
    def fresh(number):
        folder = tmp_path / f"{fault}-{number}"
        write_log(folder, ENTRIES[:1])
        return folder
    calls = tmp_path / "calls"
    assert len(faulty_write(fresh("none"), calls)) == len(ENTRIES)
    count = len(calls.read_text())
    assert count > 10, "the calls of the writer are seen"
    for at in range(1, count + 1):
        folder = fresh(at)
        confirmed = faulty_write(folder, tmp_path / "calls", FAIL_IO_AT=str(at), FAIL_IO_AS=fault)
        assert set(confirmed) <= {line["seq"] for line in listed(folder)}, f"call {at}"
        if fault == "short" and head_is_torn(folder):
            continue
        assert "no damage found" in audit("verify", "--dir", folder)[0], f"call {at}"
        write_log(folder, ENTRIES[:1])
        assert "no damage found" in audit("verify", "--dir", folder)[0], f"call {at}, and a start"
