"""The work of e2e through the SDK by each way to a broker: its socket, TCP on loopback, and TCP with
keys (CURVE), where every client has a key of its own. And what the check of a key costs."""
import json
import socket
import subprocess

import lab as labs
from core_measures import BATCH, WINDOW
from results import Group, Line

PERMISSIONS = ("produce", "work", "work")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_jobs(lab, size, broker, keys=()):
    """Jobs a second from the first enqueue to the last handler's end."""
    tally = lab.tally()
    producer, *others = [{"key": key} for key in keys] or [{}] * 3
    workers = [lab.start("bench_sdk", "work", ready=True, broker=broker, tally=tally.path,
                         jobs=size.jobs, **other) for other in others]
    lab.run("bench_sdk", "produce", broker=broker, tally=tally.path, jobs=size.jobs,
            payload=size.payload, window=BATCH * WINDOW, **producer)
    for worker in workers:
        worker.result()
    return size.jobs / tally.seconds()


def over_ipc(lab, results, size):
    with lab.broker() as broker:
        results.add("e2e_ipc", run_jobs(lab, size, broker.endpoint))


def over_tcp(lab, results, size):
    address = f"tcp://127.0.0.1:{free_port()}"
    with lab.broker(listen=[address]):
        results.add("e2e_tcp", run_jobs(lab, size, address))


def new_keys(lab, address):
    """A broker's folder with its key, and a key file for each client."""
    folder = lab.path("keys")
    run = [f"{labs.BIN}/millrace", "keys"]
    subprocess.run([*run, "init", "--dir", folder], check=True, stdout=subprocess.DEVNULL)
    files = []
    for at, role in enumerate(PERMISSIONS):
        files.append(f"{folder}/client-{at}.key")
        subprocess.run([*run, "new", f"client-{at}", "--may", role, "--topics", "*", "--dir", folder,
                        "--broker", address, "--out", files[-1]], check=True,
                       stdout=subprocess.DEVNULL)
    return folder, files


def over_curve(lab, results, size):
    address = f"tcp://127.0.0.1:{free_port()}"
    folder, files = new_keys(lab, address)
    settings = (f"[access]\nkeys_dir = {json.dumps(folder + '/keys')}\n"
                f"broker_key_file = {json.dumps(folder + '/broker.key')}\n")
    with lab.broker(listen=[address], settings=settings) as broker:
        cpu = broker.cpu_seconds()
        results.add("e2e_curve", run_jobs(lab, size, address, files))
        results.add("curve_cpu_seconds_per_million",
                    (broker.cpu_seconds() - cpu) / size.jobs * 1e6)


def key_check(lab, results, size):
    """What a message with one job costs to read without a key, and how much more with one; a message
    with many jobs costs the same more."""
    said = lab.run("bench_access", "parse", messages=20_000 if size.quick else 100_000,
                   payload=size.payload)
    for name, value in said.items():
        results.add(name, value)


LINES = [
    Line("e2e_ipc", "jobs/s"), Line("e2e_tcp", "jobs/s", "e2e_ipc"),
    Line("e2e_curve", "jobs/s", "e2e_ipc"),
    Line("e2e_tcp_vs_ipc", "ratio", "e2e_ipc", of="e2e_tcp"),
    Line("e2e_curve_vs_ipc", "ratio", "e2e_ipc", of="e2e_curve"),
    Line("curve_cpu_seconds_per_million", "s"),
    Line("message_read_ns", "ns"), Line("key_check_ns", "ns", "message_read_ns"),
]
GROUPS = {"transports": Group([over_ipc, over_tcp, over_curve, key_check], LINES)}
