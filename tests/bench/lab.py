"""The environment of a measurement: a folder on the disk to measure, processes that are started and
stopped by their id, their CPU time and memory, and a counter of the times they synced the disk."""
import array
import contextlib
import json
import mmap
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.path.join(ROOT, "build", "bin")
STOP_S = 60
RUN_S = 1800
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A measurement that gives no number, and why."""


def words(program, mode, options):
    return [f"{BIN}/tests/{program}", mode, *(f"{key}={value}" for key, value in options.items())]


class Syncs:
    """Counts the fsync and fdatasync calls of the processes that are started with its environment,
    and can make each of them slow (sync_counter.cc)."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(16))
        self._file = open(path, "r+b")
        self._map = mmap.mmap(self._file.fileno(), 16)
        self.environment = {"LD_PRELOAD": f"{BIN}/tests/bench_syncs.so",
                            "MILLRACE_BENCH_SYNCS": path}

    @property
    def calls(self):
        return struct.unpack_from("Q", self._map)[0]

    def delay(self, delay_ms):
        struct.pack_into("Q", self._map, 8, delay_ms)

    def close(self):
        self._map.close()
        self._file.close()


class Tally:
    """The file that the processes of one measurement count in (tally.h)."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(24))

    def seconds(self):
        with open(self.path, "rb") as file:
            begun, _, ended = struct.unpack("QQQ", file.read())
        if not begun < ended:
            raise Failed("a measurement ended without its times")
        return (ended - begun) / 1e9


class Running:
    """A process that was started, its standard output readable by lines."""

    def __init__(self, command, environment=None, stdin=None):
        self.name = os.path.basename(command[0])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, stdin=stdin, text=True,
                                        env={**os.environ, **(environment or {})})
        self.pid = self.process.pid

    def wait_for(self, word):
        said = []
        for line in self.process.stdout:
            said.append(line)
            if word in line:
                return line
        raise Failed(f"{self.name} did not start:\n" + "".join(said[-20:]))

    def result(self, seconds=RUN_S):
        """Waits for its end; what it said, which is one JSON object or nothing."""
        said, _ = self.process.communicate(timeout=seconds)
        if self.process.returncode:
            raise Failed(f"{self.name} ended with {self.process.returncode}: {said[-2000:]}")
        return json.loads(said) if said.strip().startswith("{") else {}

    def stop(self, kill=False):
        if self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def memory_mib(self, which="VmRSS"):
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith(which + ":"):
                    return int(line.split()[1]) / 1024
        raise Failed(f"no {which} of {self.name}")


class Server(Running):
    """A program that is not ours: with a process group of its own, and its words in a file."""

    def __init__(self, command, environment, log, stop, **who):
        self.name, self.signal, self.log = os.path.basename(command[0]), stop, log
        with open(log, "wb") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, cwd="/",
                                            stdin=subprocess.DEVNULL, start_new_session=True,
                                            env={**os.environ, **environment}, **who)
        self.pid = self.process.pid

    def said(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-1500:]

    def stop(self, kill=False):
        if self.process.poll() is None and self.signal != signal.SIGKILL:
            self.process.send_signal(self.signal)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                pass
        # What it has started goes with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


class Lab:
    """One measurement's place: made and removed with it."""

    def __init__(self, data):
        self.data = data
        self.folder = tempfile.mkdtemp(prefix="bench-", dir=data)
        self.sockets = tempfile.mkdtemp(prefix="mr-bench-")  # a socket's path must be short
        self.running = []
        self.files = 0
        self.syncs = Syncs(self.path("syncs"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.stop(kill=True)
        self.syncs.close()
        shutil.rmtree(self.folder)
        shutil.rmtree(self.sockets)

    def path(self, name):
        self.files += 1
        return f"{self.folder}/{name}-{self.files}"

    def endpoint(self):
        self.files += 1
        return f"ipc://{self.sockets}/{self.files}"

    def tally(self):
        return Tally(self.path("tally"))

    def start_command(self, command):
        process = Running(command)
        self.running.append(process)
        return process

    def spawn(self, command, environment=None, stop=signal.SIGTERM, **who):
        """A server that is not ours, its syncs counted."""
        server = Server(command, {**self.syncs.environment, **(environment or {})},
                        self.path("log"), stop, **who)
        self.running.append(server)
        return server

    def wait_a_little(self):
        """Between two looks at something that cannot wake us."""
        select.select([], [], [], 0.05)

    def numbers(self, path, count):
        """Numbers of 64 bits that another process keeps in a file; zeros before it has."""
        with open(path, "rb") as file:
            return struct.unpack(f"{count}Q", file.read(8 * count).ljust(8 * count, b"\0"))

    def start(self, program, mode, counted=False, ready=False, stdin=None, **options):
        process = Running(words(program, mode, options),
                          self.syncs.environment if counted else None, stdin=stdin)
        self.running.append(process)
        if ready:
            process.wait_for("ready")
        return process

    def run(self, program, mode, **options):
        return self.start(program, mode, **options).result()

    def samples(self, paths):
        """The microseconds that the processes of a measurement wrote, sorted."""
        every = array.array("I")
        for path in paths:
            with open(path, "rb") as file:
                every.frombytes(file.read())
        if not every:
            raise Failed("no time was written")
        return sorted(every)

    @contextlib.contextmanager
    def broker(self, folder=None, shards=1, topics="", under=(), listen=(), settings=""):
        """A millraced on files of its own, or on those of an earlier one; under another program,
        or else its syncs counted."""
        folder = folder or self.path("data")
        os.makedirs(folder, exist_ok=True)
        endpoint, config = self.endpoint(), self.path("config")
        with open(config, "w") as file:
            file.write(f"[broker]\ndata_dir = {json.dumps(folder)}\n"
                       f"listen = {json.dumps([endpoint, *listen])}\n"
                       f"shards = {shards}\n{settings}{topics}")
        process = Running([*under, f"{BIN}/millraced", "--config", config],
                          None if under else self.syncs.environment)
        process.endpoint, process.folder = endpoint, folder
        self.running.append(process)
        try:
            process.wait_for("is ready")
            yield process
        finally:
            process.stop()

    def check_syncs(self, what, before, answered, window):
        """An answer needs a sync after its job was sent, and no more than window jobs are open at a
        time: so no sync stands for more than window answers."""
        calls, least = self.syncs.calls - before, answered // window
        if calls < least:
            raise Failed(f"{what}: {answered} answers with {calls} syncs of the disk; with at most "
                         f"{window} open there must be {least}: it does not wait for its disk")
        return calls


def quantile(samples, part):
    return samples[int(part * (len(samples) - 1))]


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    uname = os.uname()
    return {"cores": os.cpu_count(), "cpu": model, "kernel": uname.release,
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            "load_before": round(os.getloadavg()[0], 2)}


def build(targets):
    done = subprocess.run([f"{ROOT}/tools/build", "release", *targets], cwd=ROOT)
    if done.returncode:
        sys.exit("bench: the build failed")
