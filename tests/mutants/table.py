"""The list of planted bugs (bugs/, one file for each room), its checks, and the page generated from it."""
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIST = "tests/mutants/bugs"
PAGE = "docs/mutants.md"
# units: sources that are compiled anew beside the changed ones; program: the one that the bug goes
# into, where the room does not say it.
OPTIONAL = {"units", "program"}
KEYS = {"name", "breaks", "suite", "test", "edits"} | OPTIONAL


def read_mutants():
    mutants = []
    for name in sorted(os.listdir(os.path.join(ROOT, LIST))):
        with open(os.path.join(ROOT, LIST, name)) as file:
            mutants += json.load(file)
    return mutants


def slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def mistakes(mutants):
    """Sentences: what no longer applies, or is no entry."""
    names = [m.get("name", "") for m in mutants]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"{name}: there are two of that name"
    for mutant in mutants:
        unknown = set(mutant) - KEYS
        missing = KEYS - OPTIONAL - set(mutant)
        if unknown or missing:
            yield f"{mutant.get('name')}: unknown {sorted(unknown)}, missing {sorted(missing)}"
            continue
        for edit in mutant["edits"]:
            path = os.path.join(ROOT, edit["file"])
            if not os.path.isfile(path):
                yield f"{mutant['name']}: there is no {edit['file']}"
                continue
            with open(path) as file:
                count = file.read().count(edit["old"])
            if count != 1:
                yield f"{mutant['name']}: its text stands {count} times in {edit['file']}"


def cell(text):
    return text.replace("|", "\\|")


def table_text(mutants):
    lines = [
        "# Mutation tests: the planted bugs",
        "",
        "A test that nothing can make fail proves nothing. Each bug of this list is planted by",
        "`tests/mutants/run`, one at a time, and the test beside it has to go red; it has to pass",
        "without the bug. `tests/run mutants` tries a sample of ten, another every day;",
        "`tests/run mutants --all` tries them all, and `--repeat 10` each test ten times, for a bug",
        "that is seen by chance is not seen. A text that no longer applies is a failure, and",
        "`tests/tidy/check.py` says so at once.",
        "",
        "The list is in [tests/mutants/bugs](../tests/mutants/bugs), a file a room. An entry has a name,",
        "what it breaks, the suite and the test that see it, and its edits: a text that stands once in a",
        "file, and what takes its place. This page is made of the list by",
        "`tests/mutants/run --table`.",
        "",
        f"{len(mutants)} bugs:",
        "",
        "| the bug | in | what it breaks | seen by |",
        "|---|---|---|---|",
    ]
    for mutant in mutants:
        file = mutant["edits"][0]["file"]
        lines.append(f"| {cell(mutant['name'])} | `{file}` | {cell(mutant['breaks'])} | "
                     f"{mutant['suite']} `{cell(mutant['test'])}` |")
    return "\n".join(lines) + "\n"
