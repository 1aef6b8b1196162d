"""examples/quickstart as a stranger runs it: real pictures, kill -9, nothing lost, nothing left."""
import json
import os
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PICTURES = "/usr/share/backgrounds/mate/nature"


def quickstart(*arguments, timeout=400):
    return subprocess.run([f"{ROOT}/examples/quickstart", *arguments], capture_output=True,
                          text=True, timeout=timeout, check=False)


@pytest.fixture
def pictures(tmp_path):
    for name in ("LadyBird.jpg", "FreshFlower.jpg", "Aqua.jpg", "Garden.jpg"):
        shutil.copy(f"{PICTURES}/{name}", tmp_path)
    return str(tmp_path)


def processes_of(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if word.encode() in file.read():
                    found.append(pid)
        except OSError:
            continue
    return found


def test_every_picture_is_done_or_explained_and_nothing_stays_behind(pictures):
    for _ in range(2):  # a second run works
        ended = quickstart(pictures, "--json")
        assert ended.returncode == 0, ended.stderr
        summary = json.loads(ended.stdout)
        assert (summary["pictures"], summary["jobs"]) == (5, 15)
        assert (summary["completed"], summary["dead"], summary["lost"]) == (12, 3, 0)
        assert len([f for f in os.listdir(summary["output"]) if f.count(".") == 1]) == 12
        assert "kill -9 of worker" in ended.stderr and "kill -9 of the broker" in ended.stderr
        assert processes_of(f"{ROOT}/build/quickstart") == []


def test_the_table_shows_the_corrupt_picture(pictures):
    ended = quickstart(pictures)
    assert ended.returncode == 0, ended.stderr
    assert "lost            0" in ended.stdout and "is dead:" in ended.stdout
    assert "no image" in ended.stdout
    # What it says of looking further works: the broker again, and its dead jobs.
    start, look = [line.strip().rstrip("& ").split() for line in ended.stdout.splitlines()
                   if "/build/bin/" in line]
    broker = subprocess.Popen(start, stderr=subprocess.DEVNULL)
    try:
        listed = subprocess.run(look, capture_output=True, text=True, timeout=30, check=False)
        assert listed.returncode == 0 and listed.stdout.count("dead") == 3
    finally:
        broker.terminate()
        assert broker.wait(20) == 0


def test_wrong_arguments_say_so(tmp_path):
    assert quickstart("/no/such/folder").returncode == 64
    assert quickstart("--what").returncode == 64
    ended = quickstart(str(tmp_path))
    assert ended.returncode == 1 and "no pictures" in ended.stderr
