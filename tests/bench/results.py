"""The measurements of each round, and the result lines that are calculated from them.

A ratio is taken within each round, between two measurements that stood beside each other in time;
its value is the median of the rounds' ratios.
"""
import statistics
from dataclasses import dataclass


@dataclass
class Line:
    name: str
    unit: str
    over: str = ""  # the name of what it is set against
    of: str = ""    # a line that is a ratio: of what


@dataclass
class Group:
    """Measurements that stand beside each other in a round, and the lines they give."""
    steps: list
    lines: list
    once: bool = False  # in the first round only


class Results:
    def __init__(self):
        self.samples = {}  # name -> [value of each round]
        self.notes = {}    # name -> a word to the reader
        self.missing = {}  # peer -> why it was not measured

    def add(self, name, value, note=""):
        self.samples.setdefault(name, []).append(value)
        if note:
            self.notes[name] = note

    def ratios(self, name, over):
        return [one / other for one, other in zip(self.samples[name], self.samples[over]) if other]

    def line(self, line):
        """The line as it stands in the JSON; None when it was not measured."""
        of = line.of or line.name
        if of not in self.samples or (line.of and line.over not in self.samples):
            return None
        beside = self.ratios(of, line.over) if line.over in self.samples else []
        values = beside if line.of else self.samples[of]
        if not values:
            return None
        result = {"name": line.name, "value": shorter(statistics.median(values)), "unit": line.unit,
                  "ratio": shorter(statistics.median(beside)) if beside else None,
                  "ratio_to": line.over if beside else None,
                  "min": shorter(min(values)), "max": shorter(max(values))}
        if of in self.notes:
            result["note"] = self.notes[of]
        return result

    def lines(self, wanted):
        return [found for found in map(self.line, wanted) if found]


def shorter(value):
    """Four digits: more would be noise."""
    return float(f"{value:.4g}") if abs(value) < 1000 else round(value)


def table(found):
    width = max(len(line["name"]) for line in found) + 2
    yield f"{'':{width}}{'median':>12} {'unit':10}{'[lowest, highest]':>24}   ratio"
    for line in found:
        spread = f"[{line['min']:,}, {line['max']:,}]"
        beside = f"   {line['ratio']:g} of {line['ratio_to']}" if line["ratio_to"] else ""
        if line["unit"] == "ratio":
            beside = f"   to {line['ratio_to']}"
        note = f"   ({line['note']})" if "note" in line else ""
        yield (f"{line['name']:{width}}{line['value']:>12,} {line['unit']:10}{spread:>24}"
               f"{beside}{note}")
