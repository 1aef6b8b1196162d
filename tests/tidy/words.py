"""Words that the project does not use in messages, opening comments, headings of the docs and file names.

Each of them was used once, and readers had to guess its meaning; the list has the word to use instead.
Add a word when a reader had to ask, and only if it is wrong in every message, comment and heading.
"""
import re

# A regular expression for each word, and the words to use instead.
WORDS = {
    r"(?:is|are) well": "is valid, is healthy, is intact, succeeded",
    r"ills": "errors, faults, damage",
    r"desk": "service",
    r"gate": "limiter, check",
    r"meddlers?": "a hostile client",
    r"liars?": "a malicious client",
    r"strangers?": "an unknown client, a new user",
    r"somebody|whoever": "who it is: a client, a worker, an operator",
    r"(?:is|are|was|were|be) told": "is notified, gets the answer",
    r"faith|vouche[sd]|believe[sd]?": "trusted, confirmed, accepted",
    r"mend(?:s|ed|ing)?": "fix, correct",
    r"anew": "again, restarted",
    r"to be had": "available",
    r"turned away": "refused",
    r"handed (?:over|out)": "enqueued, sent, assigned",
    r"cut short": "truncated",
    r"writ(?:ing|ten) back": "checkpointed",
    r"at the (?:most|least)": "at most, at least",
    r"bad minute": "the event itself: many deaths within a minute",
    r"yardstick": "reference",
}
PATTERN = re.compile("|".join(f"({word})" for word in
                              (rf"(?<![a-z])(?:{word})(?![a-z])" for word in WORDS)), re.IGNORECASE)
MESSAGES = ("broker/", "audit/", "http/", "sdk/", "workers/", "cli/", "producers/", "examples/")
OPENING = MESSAGES + ("tests/", "tools/", "packaging/", "cmake/", "systemd/")
NOT_OURS = ("tests/tidy/words.py", "tests/fuzz/corpus/", "packaging/changelog")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def texts(name, text):
    """(line number, text) of the file's name, headings, opening comment and messages; line 0 is the name."""
    yield 0, name.replace("_", " ").replace("/", " ").replace("-", " ")
    lines = text.split("\n")
    if name.endswith(".md"):
        fenced = False
        for at, line in enumerate(lines, 1):
            fenced ^= line.startswith("```")
            if line.startswith("#") and not fenced:
                yield at, line
        return
    if name.startswith(OPENING):
        mark = "//" if name.endswith((".cc", ".h")) else "--" if name.endswith(".sql") else "#"
        for at, line in enumerate(lines, 1):
            if not line.startswith(mark):
                break
            yield at, line
        if name.endswith(".py"):
            head = re.match(r'(?:#![^\n]*\n)?"""(.*?)"""', text, re.DOTALL)
            for at, line in enumerate(head.group(1).split("\n") if head else (), 1):
                yield at, line
    if name.startswith(MESSAGES) and name.endswith((".cc", ".h", ".cc.in")):
        for at, line in enumerate(lines, 1):
            if re.match(r"\s*(?://|#\s*include)", line):
                continue
            for literal in LITERAL.findall(line):
                if " " in literal:
                    yield at, literal


def plain_words(tree):
    """The texts of texts() have none of WORDS."""
    instead = list(WORDS.values())
    for name, text in tree.items():
        if name.startswith(NOT_OURS):
            continue
        for at, line in texts(name, text):
            for found in PATTERN.finditer(line):
                place = f"{name}:{at}" if at else f"the file name {name}"
                yield f'{place}: "{found.group()}"; use: {instead[found.lastindex - 1]}'
