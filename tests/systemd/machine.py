"""A machine under test: a systemd booted in a container over a throw-away copy of a Debian.

It needs namespaces of the host, which tests/systemd/run has created: mounts and processes
end with them. Every wait is for a state, with a time limit; every step is a line of the day's log.
"""
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = os.path.join(ROOT, "build", "debian", "root")
PACKAGES = os.path.join(ROOT, "build", "packages")
BOOT_SECONDS_MAX, STATE_SECONDS_MAX = 90, 60
PAUSE_SECONDS = 0.1  # between two looks at a state


class Failed(AssertionError):
    """A command failed, or a state did not come."""


def waited(look, what, seconds=STATE_SECONDS_MAX):
    """The first true answer of look()."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        signal.sigtimedwait([], PAUSE_SECONDS)


class Machine:
    def __init__(self, name):
        self.name = f"machine-{name}"
        self.folder = tempfile.mkdtemp(prefix="millrace-machine-")
        self.root = os.path.join(self.folder, "root")
        self.process = None
        self.leader = None
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "machine", self.folder], check=True)
        os.makedirs(PACKAGES, exist_ok=True)  # there may be none yet
        for part in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.folder, part))
        options = f"lowerdir={BASE},upperdir={self.folder}/upper,workdir={self.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", self.root], check=True)
        with open(f"{self.root}/etc/machine-id", "w"):
            pass
        self.boot()

    def say(self, words):
        print(f"  {time.strftime('%H:%M:%S')} {words}", flush=True)

    def boot(self):
        console = open(os.path.join(self.folder, "console"), "w")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "-q", "-D", self.root, "--boot", "--register=no", "--keep-unit",
             "--private-network", "--console=pipe", f"--machine={self.name}",
             f"--bind-ro={PACKAGES}:/packages"],
            stdout=console, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        console.close()
        self.leader = None
        waited(self._is_up, "the machine is up\n" + self.console(), BOOT_SECONDS_MAX)
        self.say(f"{self.name} is up")

    def _is_up(self):
        if self.process.poll() is not None:
            raise Failed("systemd-nspawn ended: " + self.console())
        if self.leader is None:
            try:
                with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
                    self.leader = int(file.read().split()[0])
            except (OSError, IndexError):
                return False
        said = self.sh("systemctl is-system-running", check=False)
        return "running" in said or "degraded" in said

    def console(self):
        with open(os.path.join(self.folder, "console"), errors="replace") as file:
            return file.read()[-2000:]

    def sh(self, command, check=True, seconds=120):
        """What a shell command within says, both outputs; a failure is one of the test."""
        entered = subprocess.run(
            ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "env", "-i",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
             "DEBIAN_FRONTEND=noninteractive", "bash", "-c", command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            timeout=seconds, check=False, text=True, errors="replace")
        if check and entered.returncode != 0:
            raise Failed(f"{command}\nended with {entered.returncode}: {entered.stdout[-3000:]}\n" +
                         self.sh("journalctl -n 40 --no-pager -o short-precise", check=False))
        return entered.stdout.strip()

    def fails(self, command):
        """What a command says that has to fail."""
        said = self.sh(f"{{ {command}; }} && echo SUCCEEDED", check=False)
        assert not said.endswith("SUCCEEDED"), f"{command}: {said}"
        return said

    def until(self, command, pattern=".", seconds=STATE_SECONDS_MAX):
        """Until a command's words match."""
        seen = [""]

        def look():
            seen[0] = self.sh(command, check=False)
            return re.search(pattern, seen[0])
        try:
            waited(look, f"{command} ~ {pattern}", seconds)
        except Failed as why:
            raise Failed(f"{why}; last: {seen[0][-1500:]}\n" + self.sh(
                "systemctl --no-pager --failed; journalctl -n 40 --no-pager", check=False)) from None
        return seen[0]

    def show(self, unit, name):
        return self.sh(f"systemctl show -P {name} {shlex.quote(unit)}")

    def until_active(self, *units):
        for unit in units:
            self.until(f"systemctl is-active {shlex.quote(unit)}", "^active$")

    def write(self, path, text):
        self.sh(f"mkdir -p {shlex.quote(os.path.dirname(path))}")
        self.sh(f"printf %s {shlex.quote(text)} > {shlex.quote(path)}")

    def drop_in(self, unit, text):
        self.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.sh("systemctl daemon-reload")

    def no_drop_in(self, unit):
        self.sh(f"rm /etc/systemd/system/{unit}.d/test.conf && systemctl daemon-reload")

    def apt(self, words):
        said = self.sh(f"cd /packages && apt-get -y --no-install-recommends {words}", seconds=240)
        self.say(f"apt {words}")
        return said

    def http(self, path, port=7380):
        """The whole answer to a GET."""
        request = f"GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
        return self.sh(f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{request}' >&3 && cat <&3")

    def reboot(self):
        self.sh("systemctl reboot", check=False)
        self.process.wait(BOOT_SECONDS_MAX)
        self.say("rebooted")
        self.boot()

    def close(self):
        if self.process.poll() is None:
            with open(os.path.join(ROOT, "build", "logs", f"{self.name}.journal"), "w") as file:
                file.write(self.sh("journalctl --no-pager -o short-precise", check=False))
            self.sh("systemctl poweroff --force", check=False)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["umount", "-l", self.root, self.folder], check=False)
        os.rmdir(self.folder)


if __name__ == "__main__":
    Machine("trial").close()  # whether one can be booted here
