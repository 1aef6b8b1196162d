"""One round: a backup under load, the end of everything, and what is restored from it."""
import json
import os
import shutil
import subprocess

from judge import CHECKER, in_time
from load import now_us
from millrace_wire import BIN, OK, SETTLE, SUBSCRIBE, Client
from stand import LIVE, SETTINGS, TOPIC, Child, Stand, Stuck, note_rows

CLI = f"{BIN}/millrace"
BULK, BULK_BYTES, BULK_BATCH = 48, 512 << 10, 8  # so that the copy takes longer than a moment


def run_cli(*words, **more):
    return subprocess.run([CLI, *words], capture_output=True, text=True, timeout=60, check=False,
                          **more)


def new_stand(seed):
    stand = Stand(seed)
    with open(stand.config) as file:
        text = file.read()
    with open(stand.config, "w") as file:
        file.write(text.replace("[broker]\n", f'[broker]\nbackup_dir = "{stand.folder}/backups"\n'))
    return stand


def add_bulk(stand):
    """Large jobs of a topic that nobody works on, in the history as any other."""
    client = Client(stand.endpoint, "producer")
    for batch in range(BULK // BULK_BATCH):
        tags = [f"bulk-{batch}-{n}" for n in range(BULK_BATCH)]
        for tag in tags:
            stand.record("enqueue", tag=tag, by="bulk", topic="bulk")
        jobs = [{"payload": tag.encode() + b" " + os.urandom(BULK_BYTES)} for tag in tags]
        first = client.ask(16, topic="bulk", partition=batch % 8, jobs=jobs)["first_seq"]
        for at, tag in enumerate(tags):
            stand.record("enqueued", tag=tag, job=f"bulk/{batch % 8}/{first + at}")
    client.socket.close(0)


def back_up(stand, name):
    """By the command line, while the load goes on; what went wrong."""
    said = []
    stand.record("backup")
    child = Child(stand, "backup", [CLI, "--broker", stand.endpoint, "--json", "backup", name],
                  said.append)
    stand.pump(lambda: not child.alive(), "the backup ends")
    stand.drain(child)
    stand.record("backed_up")
    done = child.process.returncode == 0 and json.loads(said[0])["state"] == "done"
    return [] if done else [f"millrace backup ended with {child.process.returncode}: {said}"]


def load_goes_on(stand, events):
    until = stand.events + events
    stand.pump(lambda: stand.events >= until, "the load goes on")


def end_all(stand):
    for name in sorted(stand.children):
        stand.kill(name)
    stand.kill_broker()


def restored_rows(stand, backup):
    """Restores into a folder of its own, which the stand then takes for its data."""
    stand.data = f"{stand.folder}/restored"
    done = run_cli("restore", backup, "--data-dir", stand.data)
    if done.returncode != 0:
        return [f"restore ended with {done.returncode}: {done.stderr}"]
    note_rows(f"{stand.data}/shard-0.db", stand.record)
    stand.file.flush()
    history = f"{stand.folder}/restored.jsonl"
    shutil.copy(stand.path, history)
    in_time(history)
    judged = subprocess.run([CHECKER, "--restored", history], capture_output=True, text=True,
                            timeout=60, check=False)
    return [] if judged.returncode == 0 else judged.stdout.splitlines() + [judged.stderr]


def start_restored(stand):
    stand.config = f"{stand.folder}/restored.toml"
    stand.endpoint = f"ipc://{stand.folder}/r"
    with open(stand.config, "w") as file:
        file.write(f'[broker]\ndata_dir = "{stand.data}"\nlisten = ["{stand.endpoint}"]\n'
                   f"{SETTINGS}\n{TOPIC}")
    stand.start_broker()


def history_of(stand):
    with open(stand.path) as file:
        return [json.loads(line) for line in file]


def ids_go_on(stand, events):
    """A new job has a number that nobody was ever told in its partition."""
    client = Client(stand.endpoint, "producer")
    for partition in range(8):
        given = [int(e["job"].split("/")[2]) for e in events
                 if e["e"] == "enqueued" and e["job"].startswith(f"t/{partition}/")]
        seq = client.enqueue(partition=partition, payload=b"new x")["first_seq"]
        if seq <= max(given, default=0):
            yield f"t/{partition}/{seq} was given after the restore, and before it already"
    client.socket.close(0)


def jobs_run_with_new_tokens(stand, events):
    """Old tokens settle nothing, and every job that is there runs to its end."""
    tokens = [e["token"] for e in events if e["e"] == "deliver"]
    worker = Client(stand.endpoint, "worker")
    old = [epoch << 40 | number for epoch, number in tokens[-200:]]
    stale = worker.ask(SETTLE, outcomes=[{"token": token, "outcome": 0} for token in old])["stale"]
    if sorted(stale) != sorted(old):
        yield f"{len(old) - len(stale)} of {len(old)} tokens from before are still good"
    worker.ask(SUBSCRIBE, topics=["t"], credit=64)
    newest = max(tokens)
    asking = Client(stand.endpoint)
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


def wrongs_of(stand):
    stand.start_broker()
    add_bulk(stand)
    for role in ("producer", "producer", "worker", "worker"):
        stand.start(role)
    load_goes_on(stand, 200)
    wrongs = back_up(stand, "round")
    load_goes_on(stand, 200)
    end_all(stand)
    backup = f"{stand.folder}/backups/round"
    checked = run_cli("verify", backup)
    if checked.returncode != 0:
        wrongs.append(f"verify ended with {checked.returncode}: {checked.stderr}")
    wrongs += restored_rows(stand, backup)
    if wrongs:
        return wrongs
    start_restored(stand)
    events = history_of(stand)
    wrongs += ids_go_on(stand, events)
    wrongs += jobs_run_with_new_tokens(stand, events)
    stand.kill_broker()
    checked = run_cli("verify", stand.data)
    if checked.returncode != 0:
        wrongs.append(f"verify of the restored data: {checked.stderr}")
    return wrongs


def play(seed, keep=None):
    stand = new_stand(seed)
    wrongs = ["it never ended"]
    began = now_us()
    try:
        wrongs = wrongs_of(stand)
        took = (now_us() - began) / 1e6
        seen = ", ".join(f"{number} {kind}" for kind, number in sorted(stand.counted.items()))
        print(f"  seed {seed}, {took:.1f} s: {seen}", flush=True)
    except Stuck as why:
        wrongs = [str(why)]
    finally:
        if wrongs:
            print(f"  seed {seed}; history and files: {stand.folder}")
        elif keep:
            shutil.copytree(stand.folder, os.path.join(keep, str(seed)), dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("s", "r"))
        stand.close(keep=bool(wrongs))
    return wrongs
