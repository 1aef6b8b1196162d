"""One round: a backup under load, then everything is killed, and the restored rows are checked."""
import json
import os
import shutil
import subprocess

from judge import CHECKER, in_time
from load import now_us
from millrace_wire import BIN, OK, SETTLE, SUBSCRIBE, Client
from testbed import LIVE, SETTINGS, TOPIC, Child, Testbed, Stuck, note_rows

CLI = f"{BIN}/millrace"
BULK, BULK_BYTES, BULK_BATCH = 48, 512 << 10, 8  # so that the copy takes longer than a moment


def run_cli(*words, **more):
    return subprocess.run([CLI, *words], capture_output=True, text=True, timeout=60, check=False,
                          **more)


def new_testbed(seed):
    bed = Testbed(seed)
    with open(bed.config) as file:
        text = file.read()
    with open(bed.config, "w") as file:
        file.write(text.replace("[broker]\n", f'[broker]\nbackup_dir = "{bed.folder}/backups"\n'))
    return bed


def add_bulk(bed):
    """Large jobs of a topic that nobody works on, in the history as any other."""
    client = Client(bed.endpoint, "producer")
    for batch in range(BULK // BULK_BATCH):
        tags = [f"bulk-{batch}-{n}" for n in range(BULK_BATCH)]
        for tag in tags:
            bed.record("enqueue", tag=tag, by="bulk", topic="bulk")
        jobs = [{"payload": tag.encode() + b" " + os.urandom(BULK_BYTES)} for tag in tags]
        first = client.ask(16, topic="bulk", partition=batch % 8, jobs=jobs)["first_seq"]
        for at, tag in enumerate(tags):
            bed.record("enqueued", tag=tag, job=f"bulk/{batch % 8}/{first + at}")
    client.socket.close(0)


def back_up(bed, name):
    """By the command line, while the load goes on; what went wrong."""
    said = []
    bed.record("backup")
    child = Child(bed, "backup", [CLI, "--broker", bed.endpoint, "--json", "backup", name],
                  said.append)
    bed.pump(lambda: not child.alive(), "the backup ends")
    bed.drain(child)
    bed.record("backed_up")
    done = child.process.returncode == 0 and json.loads(said[0])["state"] == "done"
    return [] if done else [f"millrace backup ended with {child.process.returncode}: {said}"]


def load_goes_on(bed, events):
    until = bed.events + events
    bed.pump(lambda: bed.events >= until, "the load goes on")


def end_all(bed):
    for name in sorted(bed.children):
        bed.kill(name)
    bed.kill_broker()


def restored_rows(bed, backup):
    """Restores into a folder of its own, which the bed then takes for its data."""
    bed.data = f"{bed.folder}/restored"
    done = run_cli("restore", backup, "--data-dir", bed.data)
    if done.returncode != 0:
        return [f"restore ended with {done.returncode}: {done.stderr}"]
    note_rows(f"{bed.data}/shard-0.db", bed.record)
    bed.file.flush()
    history = f"{bed.folder}/restored.jsonl"
    shutil.copy(bed.path, history)
    in_time(history)
    judged = subprocess.run([CHECKER, "--restored", history], capture_output=True, text=True,
                            timeout=60, check=False)
    return [] if judged.returncode == 0 else judged.stdout.splitlines() + [judged.stderr]


def start_restored(bed):
    bed.config = f"{bed.folder}/restored.toml"
    bed.endpoint = f"ipc://{bed.folder}/r"
    with open(bed.config, "w") as file:
        file.write(f'[broker]\ndata_dir = "{bed.data}"\nlisten = ["{bed.endpoint}"]\n'
                   f"{SETTINGS}\n{TOPIC}")
    bed.start_broker()


def history_of(bed):
    with open(bed.path) as file:
        return [json.loads(line) for line in file]


def ids_go_on(bed, events):
    """A new job has a number that nobody was ever told in its partition."""
    client = Client(bed.endpoint, "producer")
    for partition in range(8):
        given = [int(e["job"].split("/")[2]) for e in events
                 if e["e"] == "enqueued" and e["job"].startswith(f"t/{partition}/")]
        seq = client.enqueue(partition=partition, payload=b"new x")["first_seq"]
        if seq <= max(given, default=0):
            yield f"t/{partition}/{seq} was given after the restore, and before it already"
    client.socket.close(0)


def jobs_run_with_new_tokens(bed, events):
    """Old tokens settle nothing, and every job that is there runs to its end."""
    tokens = [e["token"] for e in events if e["e"] == "deliver"]
    worker = Client(bed.endpoint, "worker")
    old = [epoch << 40 | number for epoch, number in tokens[-200:]]
    stale = worker.ask(SETTLE, outcomes=[{"token": token, "outcome": 0} for token in old])["stale"]
    if sorted(stale) != sorted(old):
        yield f"{len(old) - len(stale)} of {len(old)} tokens from before are still good"
    worker.ask(SUBSCRIBE, topics=["t"], credit=64)
    newest = max(tokens)
    asking = Client(bed.endpoint)
    while any(asking.topic()[state] for state in LIVE):
        # A short patience: what is left may only be due a moment later.
        if not worker.unasked and not worker.socket.poll(50):
            continue
        for job in worker.deliveries(1):
            if [job["token"] >> 40, job["token"] & (1 << 40) - 1] <= newest:
                yield f"token {job['token']} was given again after the restore"
            kind, _ = worker.ask_any(SETTLE, outcomes=[{"token": job["token"], "outcome": 0}],
                                     credit=1)
            if kind != OK:
                yield "a job of the restored broker cannot be settled"
    for client in (worker, asking):
        client.socket.close(0)


def wrongs_of(bed):
    bed.start_broker()
    add_bulk(bed)
    for role in ("producer", "producer", "worker", "worker"):
        bed.start(role)
    load_goes_on(bed, 200)
    wrongs = back_up(bed, "round")
    load_goes_on(bed, 200)
    end_all(bed)
    backup = f"{bed.folder}/backups/round"
    checked = run_cli("verify", backup)
    if checked.returncode != 0:
        wrongs.append(f"verify ended with {checked.returncode}: {checked.stderr}")
    wrongs += restored_rows(bed, backup)
    if wrongs:
        return wrongs
    start_restored(bed)
    events = history_of(bed)
    wrongs += ids_go_on(bed, events)
    wrongs += jobs_run_with_new_tokens(bed, events)
    bed.kill_broker()
    checked = run_cli("verify", bed.data)
    if checked.returncode != 0:
        wrongs.append(f"verify of the restored data: {checked.stderr}")
    return wrongs


def play(seed, keep=None):
    bed = new_testbed(seed)
    wrongs = ["it never ended"]
    began = now_us()
    try:
        wrongs = wrongs_of(bed)
        took = (now_us() - began) / 1e6
        seen = ", ".join(f"{number} {kind}" for kind, number in sorted(bed.counted.items()))
        print(f"  seed {seed}, {took:.1f} s: {seen}", flush=True)
    except Stuck as why:
        wrongs = [str(why)]
    finally:
        if wrongs:
            print(f"  seed {seed}; history and files: {bed.folder}")
        elif keep:
            shutil.copytree(bed.folder, os.path.join(keep, str(seed)), dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("s", "r"))
        bed.close(keep=bool(wrongs))
    return wrongs
