"""Shared by the programs of this folder: options, progress, the last line."""
import argparse
import os
import shutil
import sys
import time

import judge
from testbed import Stuck


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(64)


def count(text):
    value = int(text)
    if not 1 <= value <= 10_000_000:
        raise argparse.ArgumentTypeError("a count is a whole number from 1 on")
    return value


count.__name__ = "count"


def parser(about):
    made = Parser(prog=os.path.basename(sys.argv[0]), description=about)
    made.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000,
                      help="of all random choices (default: another one each run)")
    made.add_argument("--keep", metavar="FOLDER", help="keep history and log there")
    return made


class Progress:
    """A line each tenth."""

    def __init__(self, total, what):
        self.total, self.what, self.tenth, self.begun = total, what, 0, time.monotonic()

    def at(self, done, note=""):
        if done * 10 // self.total > self.tenth:
            self.tenth = done * 10 // self.total
            took = time.monotonic() - self.begun
            print(f"  {done} of {self.total} {self.what}, {took:.0f} s {note}", flush=True)


def keep_files(bed, folder):
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    bed.log.flush()
    for path in (bed.path, bed.log.name, bed.config):
        shutil.copy(path, folder)


def run(bed, options, cycles, scenario, enqueued_min, what="cycles"):
    """One bed, one scenario of so many cycles, one verdict."""
    print(f"seed {options.seed}", flush=True)
    found = []
    try:
        scenario(bed, Progress(cycles, what))
        bed.settle_down()
        found = judge.violations(bed.path, enqueued_min)
    except Stuck as why:
        found = [str(why)]
    except Exception:
        bed.close(keep=True)
        print(f"history and log: {bed.folder}", file=sys.stderr)
        raise
    seen = ", ".join(f"{number} {kind}" for kind, number in sorted(bed.counted.items()))
    print(f"  events: {seen}")
    for each in found[:20]:
        print(f"  violation: {each}")
    keep_files(bed, options.keep)
    if found:
        print(f"  seed {options.seed}; history and log: {bed.folder}")
    bed.close(keep=bool(found))
    bad = len(found) > 0
    print(f"{0 if bad else cycles} passed, {len(found)} failed")
    return 1 if bad else 0
