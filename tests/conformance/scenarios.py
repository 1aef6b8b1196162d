"""The definition of a scenario, and the list of all; the scenarios are in produce.py, work.py, ask.py."""
import dataclasses
import json
import os
import typing

from messages import Failure

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sdk", "wire", "vectors.json")
ALL = []


@dataclasses.dataclass
class Scenario:
    name: str
    words: str  # what it shows, in a sentence
    role: str
    stage: dict  # options of the Stage
    play: typing.Callable


def scenario(role, **stage):
    """The function becomes a scenario: its name with hyphens, and the first line of its comment."""
    def add(play):
        words = play.__doc__.split("\n")[0]
        ALL.append(Scenario(play.__name__.replace("_", "-"), words, role, stage, play))
        return play
    return add


def vector(name):
    with open(VECTORS, encoding="utf-8") as file:
        return next(v for v in json.load(file)["good"] if v["name"] == name)


def must(holds, words):
    if not holds:
        raise Failure(words)


def same(got, wanted, what):
    must(got == wanted, f"{what} is {got!r}, not {wanted!r}")
