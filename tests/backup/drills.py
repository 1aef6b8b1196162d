"""Backups that must fail with a message: each drill yields a sentence for each wrong result."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess

from millrace_wire import BIN, ERROR, OK, Client
from rounds import BULK, add_bulk, new_testbed, run_cli

BACKUP, BACKUP_STATUS = 90, 91
SEED = 1


@contextlib.contextmanager
def broker_with_bulk():
    bed = new_testbed(SEED)
    try:
        bed.start_broker()
        add_bulk(bed)
        yield bed
    finally:
        bed.close()


def cli(bed, *words):
    return run_cli("--broker", bed.endpoint, *words)


def expect(done, code, words=""):
    """Sentences, none when it ended so and said so."""
    if done.returncode != code:
        yield f"{done.args[1:]} ended with {done.returncode} and not {code}: {done.stderr}"
    if words not in done.stdout + done.stderr:
        yield f"{done.args[1:]} does not say '{words}': {done.stdout}{done.stderr}"


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def cut(path):
    os.truncate(path, os.path.getsize(path) - 1)


def damages(folder):
    """(what was done, by what) for each kind of damage."""
    shard, manifest = f"{folder}/shard-0.db", f"{folder}/manifest.json"
    yield "a bit of a page", lambda: flip(shard, os.path.getsize(shard) // 2)
    yield "the last byte cut off", lambda: cut(shard)
    yield "the file gone", lambda: os.remove(shard)
    yield "another number in the manifest", lambda: flip(manifest, os.path.getsize(manifest) - 40)
    yield "the manifest cut", lambda: cut(manifest)
    yield "the manifest gone", lambda: os.remove(manifest)
    yield "its checksum gone", lambda: os.remove(f"{folder}/manifest.sha256")


def rewrite_manifest(folder, old, new):
    """A manifest that says something else and has the right checksum."""
    path = f"{folder}/manifest.json"
    with open(path) as file:
        text = file.read()
    assert old in text, old
    with open(path, "w") as file:
        file.write(text.replace(old, new, 1))
    with open(f"{folder}/manifest.sha256", "w") as file:
        subprocess.run(["sha256sum", "manifest.json"], cwd=folder, stdout=file, check=True)


def damaged_backups():
    """a damaged backup is seen by verify and by restore, which then writes nothing"""
    wrongs = []
    with broker_with_bulk() as bed:
        whole, bad = f"{bed.folder}/backups/whole", f"{bed.folder}/bad"
        wrongs += expect(cli(bed, "backup", "whole"), 0, "backed up 1 shard as whole")
        wrongs += expect(run_cli("verify", whole), 0, "no damage found")
        for what, harm in damages(bad):
            shutil.copytree(whole, bad)
            harm()
            restored = run_cli("restore", bad, "--data-dir", f"{bed.folder}/new")
            code = 2 if what == "the manifest gone" else 1
            for wrong in [*expect(run_cli("verify", bad), 1), *expect(restored, code)]:
                wrongs.append(f"{what}: {wrong}")
            if os.path.exists(f"{bed.folder}/new"):
                wrongs.append(f"{what}: restore has written something")
            shutil.rmtree(bad)
        shutil.copytree(whole, bad)
        rewrite_manifest(bad, f'"jobs": {BULK}', f'"jobs": {BULK - 1}')
        wrongs += expect(run_cli("verify", bad), 1, "contents that differ from the manifest")
    return wrongs


def killed_in_the_middle():
    """kill -9 in mid-backup leaves no half backup under its name, and the next one cleans up"""
    wrongs = []
    with broker_with_bulk() as bed:
        backups = f"{bed.folder}/backups"
        part = f"{backups}/.cut.part/shard-0.db"
        client = Client(bed.endpoint)
        client.send(BACKUP, name="cut")
        bed.pump(lambda: os.path.exists(part) or os.path.exists(f"{backups}/cut"), "it begins")
        bed.kill_broker()
        if os.path.exists(f"{backups}/cut"):
            return ["the backup was over before the kill: nothing was shown"]
        client.socket.close(0)
        bed.start_broker()
        wrongs += expect(cli(bed, "backup", "again"), 0)
        wrongs += expect(run_cli("verify", f"{backups}/again"), 0)
        if glob.glob(f"{backups}/.*.part"):
            wrongs.append(f"left lying: {os.listdir(backups)}")
    return wrongs


def one_at_a_time():
    """a second backup is refused while one is made; a resend of the first is not"""
    wrongs = []
    with broker_with_bulk() as bed:
        client = Client(bed.endpoint)
        request = os.urandom(16)
        asked = [dict(name="first", request=request), dict(name="second"),
                 dict(name="first", request=request)]
        for body in asked:
            client.send(BACKUP, **body)
        answers = [client.receive() for _ in asked]
        kinds = [header[1] for header, _ in answers]
        if kinds != [OK, ERROR, OK] or answers[1][1].get("code") != "conflict":
            wrongs.append(f"answered {kinds}, {answers[1][1]}")
        bed.pump(lambda: client.ask(BACKUP_STATUS)["state"] != "running", "the first ends")
        status = client.ask(BACKUP_STATUS)
        if status["state"] != "done" or status["last_name"] != "first":
            wrongs.append(f"then: {status}")
        made = sorted(os.listdir(f"{bed.folder}/backups"))
        if made != ["backup.lock", "first"]:
            wrongs.append(f"in the folder: {made}")
        client.socket.close(0)
    return wrongs


def refusals():
    """bad names, taken names, no folder: each is said with what to do"""
    wrongs = []
    with broker_with_bulk() as bed:
        wrongs += expect(cli(bed, "backup", "../x"), 1, "a backup name must")
        wrongs += expect(cli(bed, "backup", "plain", "--keep", "1"), 1, "SERIES-TIME")
        wrongs += expect(cli(bed, "backup", "a", "--keep", "none"), 64)
        wrongs += expect(cli(bed, "backup", "x-1"), 0)
        wrongs += expect(cli(bed, "backup", "x-1"), 1, "choose another name")
        wrongs += expect(cli(bed, "backup", "y-1"), 0)
        wrongs += expect(cli(bed, "backup", "x-2", "--keep", "1"), 0, "removed 1 older")
        made = sorted(os.listdir(f"{bed.folder}/backups"))
        if made != ["backup.lock", "x-2", "y-1"]:
            wrongs.append(f"after --keep 1: {made}")
        bed.broker.process.send_signal(signal.SIGTERM)
        bed.broker.process.wait(30)
        with open(bed.config) as file:
            text = "\n".join(line for line in file.read().split("\n") if "backup_dir" not in line)
        with open(bed.config, "w") as file:
            file.write(text)
        bed.start_broker()
        wrongs += expect(cli(bed, "backup", "z"), 1, "backup_dir")
    return wrongs


def restore_where_it_may_not():
    """restore touches no broker's files, no folder that is not empty, and is not taken for whole"""
    wrongs = []
    with broker_with_bulk() as bed:
        backup, data = f"{bed.folder}/backups/b", bed.data
        wrongs += expect(cli(bed, "backup", "b"), 0)
        wrongs += expect(run_cli("restore", backup, "--data-dir", data, "--replace"), 3, "in use")
        bed.kill_broker()
        wrongs += expect(run_cli("restore", backup, "--data-dir", data), 3, "not empty")
        wrongs += expect(run_cli("restore", backup, "--data-dir", data, "--replace"), 0)
        if not glob.glob(f"{data}/replaced-*/shard-0.db"):
            wrongs.append(f"what lay there before is not set aside: {os.listdir(data)}")
        wrongs += expect(run_cli("verify", data), 0)
        wrongs += expect(run_cli("restore", f"{bed.folder}/none", "--data-dir", data), 2)
        wrongs += expect(run_cli("restore", backup), 64)
        # As a restore leaves it that was cut off between two files.
        with open(f"{data}/restoring", "w"):
            pass
        started = subprocess.run([f"{BIN}/millraced", "--config", bed.config], timeout=30,
                                 capture_output=True, text=True, check=False)
        wrongs += expect(started, 78, "was interrupted")
        wrongs += expect(run_cli("restore", backup, "--data-dir", data, "--replace"), 0)
        bed.start_broker()
    return wrongs


ALL = [damaged_backups, killed_in_the_middle, one_at_a_time, refusals, restore_where_it_may_not]
