#!/usr/bin/env python3
"""The house rules that a program can judge. Last line: N passed, N failed.

Each rule is a function that yields what breaks it, as "file: what is wrong".
"""
import os
import re
import shutil
import subprocess
import sys

from words import plain_words

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LINES_MAX = 500
# Formats without a comment, texts that are not ours to write, and pages that open with a title.
NO_COMMENT = ("LICENSE", ".json", ".gitignore", ".clang-format", ".1", ".8", "/changelog")
INPUTS = "tests/fuzz/corpus/"  # bytes, of no format
PUBLIC_ONLY = ("workers/", "producers/", "cli/", "examples/")
HTTP_DOOR, HTTP_USERS = "http/server.h", ("producers/gateway/", "broker/admin/", "broker/config.cc")
# Keys are read by the broker and the gateway, and written by the command line.
ACCESS_PROGRAMS = ("cli/", "producers/gateway/")
AUDIT_DOORS = {"audit/log.h": "broker/", "audit/reader.h": "cli/"}  # the writer, the reader
# Headers outside our tree that broker/core may not include either: it is pure.
IMPURE = {"thread", "mutex", "condition_variable", "future", "fstream", "filesystem", "iostream",
          "random", "ctime"}
NAP = re.compile(r"\b(?:sleep_for|sleep_until|usleep|nanosleep|sleep)\b\s*[( ]")


def files():
    """What is tracked, and what is new and not ignored."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    found = {}
    for name in sorted(set(listed.split("\0")) - {""}):
        path = os.path.join(ROOT, name)
        if not os.path.isfile(path) or os.path.islink(path):
            continue
        with open(path, "rb") as file:
            data = file.read()
        if b"\0" not in data[:8192] and not name.startswith(INPUTS):
            found[name] = data.decode()
    return found


def is_cpp(name):
    return name.endswith((".cc", ".h", ".cc.in"))


def includes(text):
    """(line, bracket, header) of each include."""
    for at, line in enumerate(text.split("\n"), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if found:
            yield at, found.group(1), found.group(2)


def short_files(tree):
    for name, text in tree.items():
        count = text.count("\n")
        if count > LINES_MAX and name != "LICENSE":
            yield f"{name}: {count} lines, at most {LINES_MAX}"


def opening_comments(tree):
    for name, text in tree.items():
        if name.endswith(NO_COMMENT):
            continue
        lines = text.split("\n")
        first = next((line for line in lines if not line.startswith("#!")), "")
        own = re.sub(r"\.cc$", ".h", name)
        if is_cpp(name):
            # A .cc may leave the word to its header, which it then includes first.
            included = re.match(r'#include "(?:.*/)?([^/"]+)"', first)
            well = first.startswith("//") or (
                own != name and own in tree and bool(included) and
                included.group(1) == os.path.basename(own))
        else:
            well = first.startswith(("#", "--", "//", '"""', "<!--"))
        if not well:
            yield f"{name}: opens without a comment of what it owns"


def pure_core(tree):
    for name, text in tree.items():
        if not (name.startswith("broker/core/") and is_cpp(name)):
            continue
        for at, bracket, header in includes(text):
            if bracket == '"' and not header.startswith("core/"):
                yield f'{name}:{at}: "{header}" is of another room'
            if bracket == "<" and ("/" in header or "." in header or header in IMPURE):
                yield f"{name}:{at}: <{header}> is not of the standard library's pure part"


def no_tests_outside(tree):
    for name, text in tree.items():
        if not is_cpp(name) or name.startswith("tests/"):
            continue
        for at, _, header in includes(text):
            if "tests/" in header or header.startswith("gtest"):
                yield f"{name}:{at}: includes {header}"


def public_headers_only(tree):
    ours = re.compile(r"^(?:wire|core|storage|net|runtime|admin|broker|sdk|http|access|audit)/")
    for name, text in tree.items():
        if not (name.startswith(PUBLIC_ONLY) and is_cpp(name)):
            continue
        room = os.path.dirname(name)
        for at, bracket, header in includes(text):
            if header == HTTP_DOOR and name.startswith(HTTP_USERS):
                continue
            if header.startswith("access/") and name.startswith(ACCESS_PROGRAMS):
                continue
            if name.startswith(AUDIT_DOORS.get(header, "/")):
                continue
            if ours.match(header) or (bracket == '"' and header.startswith("millrace/")):
                yield f"{name}:{at}: {header}; of ours it may include <millrace/...> only"
            elif bracket == '"' and os.path.normpath(os.path.join(room, header)) not in tree:
                yield f"{name}:{at}: {header} is not of its own folder"


def access_stands_alone(tree):
    for name, text in tree.items():
        if not (name.startswith("access/") and is_cpp(name)):
            continue
        for at, bracket, header in includes(text):
            if (bracket == '"' and not header.startswith(("access/", "wire/"))) or (
                    header.startswith("millrace/") and header != "millrace/result.h"):
                yield f"{name}:{at}: {header}; of ours access/ includes access/ and wire/ alone"


def http_by_its_door(tree):
    for name, text in tree.items():
        if not is_cpp(name) or name.startswith("tests/"):
            continue
        for at, bracket, header in includes(text):
            if name.startswith("http/"):
                if header.startswith("millrace/") or (bracket == '"' and not header.startswith("http/")):
                    yield f"{name}:{at}: {header}; of ours http/ includes http/ alone"
            elif header.startswith("http/") and not (
                    header == HTTP_DOOR and name.startswith(HTTP_USERS)):
                yield f"{name}:{at}: {header}; {HTTP_DOOR} is for {', '.join(HTTP_USERS)} alone"


def audit_by_its_doors(tree):
    for name, text in tree.items():
        if not is_cpp(name) or name.startswith("tests/"):
            continue
        for at, bracket, header in includes(text):
            if name.startswith("audit/"):
                if header.startswith("millrace/") or (bracket == '"' and not header.startswith("audit/")):
                    yield f"{name}:{at}: {header}; of ours audit/ includes audit/ alone"
            elif header.startswith("audit/") and not name.startswith(AUDIT_DOORS.get(header, "/")):
                yield f"{name}:{at}: {header}; audit/log.h is for broker/, audit/reader.h for cli/"


def no_naps(tree):
    for name, text in tree.items():
        if not name.startswith("tests/") or name.startswith("tests/tidy/"):
            continue
        if not (is_cpp(name) or name.endswith(".py") or text.startswith("#!")):
            continue
        for at, line in enumerate(text.split("\n"), 1):
            code = re.sub(r'"[^"]*"|\'[^\']*\'|//.*|#.*', "", line)
            if NAP.search(code):
                yield f"{name}:{at}: sleeps; wait for what you need instead"


def formatted(tree):
    program = shutil.which("clang-format") or shutil.which("clang-format-14")
    if not program:
        print("            (clang-format is not installed: format is not checked)")
        return
    sources = [name for name in tree if name.endswith((".cc", ".h"))]
    said = subprocess.run([program, "--dry-run", "-Werror", *sources], cwd=ROOT,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
    yield from sorted({line.split(":")[0] + ": not as clang-format writes it"
                       for line in said.split("\n") if "error:" in line})


def decided_packages(tree):
    """A row of a table in docs/decisions.md has the package as its first cell."""
    decided = set()
    for line in tree["docs/decisions.md"].split("\n"):
        if line.startswith("| `"):
            decided.update(re.findall(r"`([^`]+)`", line.split("|")[1]))
    for line in tree["tools/packages.txt"].split("\n"):
        package = line.split()[0] if line.strip() and not line.startswith("#") else ""
        if package and package not in decided:
            yield f"tools/packages.txt: {package} has no row in docs/decisions.md"


def planted_bugs(tree):
    """tests/mutants: each text to replace stands once in its file, and the page says the list."""
    sys.path.insert(0, os.path.join(ROOT, "tests", "mutants"))
    sys.dont_write_bytecode = True
    import table  # pylint: disable=import-outside-toplevel
    mutants = table.read_mutants()
    yield from table.mistakes(mutants)
    if tree.get(table.PAGE) != table.table_text(mutants):
        yield f"{table.PAGE}: not what {table.LIST} says; tests/mutants/run --table writes it"


def named_places(tree):
    """docs/contributing.md: each path in backticks is there."""
    page = "docs/contributing.md"
    for path in sorted(set(re.findall(r"`([.\w-]+/[\w./-]+)`", tree[page]))):
        if not path.startswith("build/") and not os.path.exists(os.path.join(ROOT, path)):
            yield f"{page}: {path} does not exist"


RULES = [
    (short_files, f"no file over {LINES_MAX} lines"),
    (opening_comments, "a file opens with a comment of what it owns"),
    (pure_core, "broker/core includes only the standard library and core/"),
    (no_tests_outside, "nothing includes tests/"),
    (public_headers_only, "workers, producers, cli, examples include only <millrace/...> of ours, "
                          f"the gateway {HTTP_DOOR} too, cli audit/reader.h"),
    (access_stands_alone, "access/ includes nothing else of ours but wire/"),
    (http_by_its_door, f"http/ includes nothing else of ours, and is included as {HTTP_DOOR}"),
    (audit_by_its_doors, "audit/ includes nothing else of ours; broker includes audit/log.h, cli audit/reader.h"),
    (no_naps, "no sleep in tests"),
    (formatted, "clang-format has nothing to say"),
    (decided_packages, "a row in docs/decisions.md for each package"),
    (planted_bugs, "planted bugs apply, and their page is of today"),
    (named_places, "what docs/contributing.md names exists"),
    (plain_words, "messages, opening comments, headings and file names use the field's words"),
]


def main():
    tree, failed = files(), 0
    for rule, words in RULES:
        wrong = list(rule(tree))
        failed += bool(wrong)
        print(f"[{'  FAILED  ' if wrong else '       OK '}] {words}")
        for each in wrong:
            print(f"    {each}")
    print(f"{len(RULES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
