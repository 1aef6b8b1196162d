"""examples/quickstart as a new user runs it: real pictures, kill -9, no lost job, no process left."""
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PICTURES = "/usr/share/backgrounds/mate/nature"


def quickstart(*arguments, timeout=400, env=None):
    return subprocess.run([f"{ROOT}/examples/quickstart", *arguments], capture_output=True,
                          text=True, timeout=timeout, check=False, env=env)


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
    assert "lost            0" in ended.stdout and "dead, for no retry can help" in ended.stdout
    assert "no image" in ended.stdout
    # What it says of looking further works: the broker again, and its dead jobs.
    start, look = [shlex.split(line.strip().rstrip("& ")) for line in ended.stdout.splitlines()
                   if "/build/bin/" in line]
    broker = subprocess.Popen(start, stderr=subprocess.DEVNULL)
    try:
        listed = subprocess.run(look, capture_output=True, text=True, timeout=30, check=False)
        assert listed.returncode == 0 and listed.stdout.count("dead") == 3
    finally:
        broker.terminate()
        assert broker.wait(20) == 0


def odd_folder(folder, good):
    """A folder as people have them, and worse; how many of its files count as pictures."""
    inside = folder / "-a folder's \"name\"\n"
    inside.mkdir()
    names = ["line\nbreak.jpg", "end\n.jpg", " two  blanks.jpg", "quote'\"$(date)`.jpg", "-rf.jpg",
             "tab\tand\\n.jpg", "%s[1].jpg", "\udcff\udcfe.jpg", "\x1b[31mred.JPEG"]
    for name in names:
        shutil.copy(good, inside / name)
    (inside / "empty.jpg").touch()
    (inside / "prose.png").write_text("this is not a picture\n" * 100)
    with open(inside / "huge.tif", "wb") as file:
        file.truncate(20 << 30)
    os.symlink("/proc/self/mem", inside / "unreadable.jpg")
    os.symlink("nowhere", inside / "dangling.jpg")
    os.symlink("itself.jpg", inside / "itself.jpg")
    os.symlink("/dev/zero", inside / "device.jpg")
    (inside / "folder.jpg").mkdir()
    os.mkfifo(inside / "pipe.jpg")
    return inside, len(names), 4


def test_whatever_lies_in_the_folder_it_ends_and_explains(tmp_path):
    folder, good, bad = odd_folder(tmp_path, f"{PICTURES}/Aqua.jpg")
    ended = quickstart("--json", "--", str(folder))
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["pictures"] == good + bad + 1
    assert (summary["completed"], summary["dead"]) == (3 * good, 3 * (bad + 1)), ended.stderr
    assert (summary["waiting"], summary["lost"]) == (0, 0)
    made = [f for f in os.listdir(summary["output"]) if f.count(".") == 1]
    assert len(made) == 3 * good and all(name.isascii() and name.isprintable() for name in made)


def test_a_picture_that_hangs_is_said_to_wait(tmp_path, pictures):
    """A program that never ends on one picture: the others are done, and the rest is explained."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "vipsheader").write_text(
        "#!/bin/sh\ncase $(readlink /proc/self/fd/0) in\n"
        "  */Aqua.jpg) exec tail --pid=$PPID -f /dev/null ;;\nesac\nexec /usr/bin/vipsheader \"$@\"\n")
    (programs / "vipsheader").chmod(0o755)
    ended = quickstart(pictures, env=dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}"))
    assert ended.returncode == 0, ended.stderr
    assert "waiting         3" in ended.stdout and "completed       9" in ended.stdout
    assert "waiting; they go on" in ended.stdout and "Aqua.jpg" in ended.stdout
    # For what, and until when.
    notes = ended.stdout.split("waiting; they go on")[1]
    assert re.search(r"thumbnails/0/\d+, .*Aqua.jpg:\n +\S.*(attempt|run|wait)", notes), notes
    assert "they failed and wait to retry" in ended.stdout


def test_wrong_arguments_say_so(tmp_path):
    assert quickstart("/no/such/folder").returncode == 64
    assert quickstart("--what").returncode == 64
    ended = quickstart(str(tmp_path))
    assert ended.returncode == 1 and "no pictures" in ended.stderr
