"""Resources that the broker cannot get: space on a full or read-only disk, a port, a reader."""
import os
import socket
import subprocess

import pytest

from millrace_wire import BIN, ENQUEUE, JOBS, Broker, Client

NOBODY = 65534


def ended(broker, **more):
    run = subprocess.run([f"{BIN}/millraced", "--config", broker.config], capture_output=True,
                         text=True, timeout=20, check=False, **more)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def idle():
    broker = Broker()
    yield broker
    broker.close()


def test_a_read_only_data_directory_is_refused_with_what_to_do(idle):
    if os.geteuid() != 0:
        os.chmod(idle.folder, 0o500)
        code, said = ended(idle)
        os.chmod(idle.folder, 0o700)
    else:  # root may write everywhere: use another user
        os.chmod(idle.folder, 0o755)
        code, said = ended(idle, user=NOBODY, group=NOBODY)
    assert code == 74 and idle.folder in said


def test_a_data_directory_that_is_not_there_is_refused(idle):
    with open(idle.config, "w") as file:
        file.write(f'[broker]\ndata_dir = "{idle.folder}/none"\nlisten = ["{idle.endpoint}"]\n')
    code, said = ended(idle)
    assert code == 74 and f"{idle.folder}/none" in said


def test_a_port_in_use_is_refused(idle):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with open(idle.config, "w") as file:
            file.write(f'[broker]\ndata_dir = "{idle.folder}"\n'
                       f'listen = ["tcp://127.0.0.1:{port}"]\n')
        code, said = ended(idle)
    assert code == 74 and "another program uses this address" in said


def test_another_number_of_shards_on_the_same_folder_is_refused(idle):
    idle.start()
    assert idle.stop() == 0
    with open(idle.config) as file:
        text = file.read()
    with open(idle.config, "w") as file:
        file.write(text.replace("shards = 1", "shards = 2"))
    code, said = ended(idle)
    assert code == 78 and "was created with shards = 1" in said


@pytest.fixture
def small_disk():
    """A broker on a file system of 12 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    broker = Broker(settings="disk_free_bytes_min = 4194304")
    disk = f"{broker.folder}/disk"
    os.mkdir(disk)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], check=False,
                             capture_output=True)
    if mounted.returncode != 0:
        broker.close()
        pytest.skip("this machine may not mount")
    with open(broker.config) as file:
        text = file.read()
    with open(broker.config, "w") as file:
        file.write(text.replace(f'data_dir = "{broker.folder}"', f'data_dir = "{disk}"'))
    broker.disk = disk
    broker.start()
    yield broker
    if broker.process.poll() is None:
        broker.kill()
    subprocess.run(["umount", disk], check=True)
    broker.close()


def fill(producer, acknowledged=0):
    """Enqueues until it is refused: (what was acknowledged, the code)."""
    while True:
        kind, answer = producer.ask_any(ENQUEUE, topic="t", partition=0,
                                        jobs=[{"payload": b"x" * 60_000}] * 4)
        if kind != 128:
            return acknowledged, answer["code"]
        acknowledged += 4


def test_at_the_watermark_enqueue_is_refused_and_everything_else_goes_on(small_disk):
    producer = Client(small_disk.endpoint, "producer")
    acknowledged, code = fill(producer)
    assert code == "disk_full" and acknowledged > 0
    w = Client(small_disk.endpoint, "worker")
    w.ask(32, topics=["t"], credit=acknowledged)
    for job in w.deliveries(acknowledged):
        assert w.settle(job) == []
    assert w.topic()["completed"] == acknowledged


def test_a_disk_that_fills_behind_the_broker_loses_nothing_that_was_acknowledged(small_disk):
    producer = Client(small_disk.endpoint, "producer")
    first = producer.enqueue(5)
    # Without a buffer, that would be written again when the file is closed.
    with open(f"{small_disk.disk}/filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"\0" * 65_536)
        except OSError:
            pass
    # Refused, or the broker stops by itself at a failed commit: never an empty promise.
    acknowledged = 5
    producer.patience_ms = 3_000
    try:
        acknowledged, code = fill(producer, 5)
        assert code == "disk_full"
    except AssertionError:
        assert small_disk.process.wait(10) == 74
    os.unlink(f"{small_disk.disk}/filler")
    if small_disk.process.poll() is None:
        small_disk.kill()
    small_disk.start()
    producer = Client(small_disk.endpoint)
    assert first["count"] == 5 and producer.topic()["available"] >= acknowledged


def test_a_start_on_a_full_disk_waits_for_space(small_disk):
    first = Client(small_disk.endpoint, "producer").enqueue(5)
    small_disk.kill()
    with open(f"{small_disk.disk}/filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"\0" * 65_536)
        except OSError:
            pass
    small_disk.process = subprocess.Popen([f"{BIN}/millraced", "--config", small_disk.config],
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True)
    said = []
    for line in small_disk.process.stdout:
        said.append(line)
        if "waits for free space" in line:
            os.unlink(f"{small_disk.disk}/filler")
        if "is ready" in line:
            break
    assert any("waits for free space" in line for line in said) and "is ready" in said[-1]
    assert first["count"] == 5 and Client(small_disk.endpoint).topic()["available"] == 5


def test_a_client_that_never_reads_does_not_disturb_others(broker):
    Client(broker.endpoint, "producer").enqueue(200, payload=b"x" * 2_000)
    deaf = Client(broker.endpoint)
    for _ in range(30_000):  # answers of many megabytes that nobody takes
        deaf.send(JOBS, topic="t", limit=200)
    other = Client(broker.endpoint, "producer")
    assert other.enqueue(10)["count"] == 10
    with open(f"/proc/{broker.process.pid}/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert resident < 1 << 30
    deaf.socket.close(0)
    assert other.enqueue(10)["count"] == 10
