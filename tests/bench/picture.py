"""A picture of the results for the docs: rates as bars, each kind on a scale of its own, the
limits of the machine grey and Millrace in colour."""
from xml.sax.saxutils import escape

WIDTH, LABEL, VALUE, ROW = 860, 270, 230, 22
OURS, BARE, PEER = "#1f6f8b", "#9aa5ad", "#c98b4b"
TITLES = {"jobs/s": "jobs a second: more is better", "us": "microseconds: less is better",
          "ratio": "ratios within a round, as the requirements name them"}


def colour(name):
    if name.startswith(("peer_", "best_")):
        return PEER
    if name.startswith(("limit_", "sqlite_", "fdatasync", "zmq_", "one_fdatasync")):
        return BARE
    return OURS


def bar(line, top, most):
    room = WIDTH - LABEL - VALUE

    def across(value):
        return LABEL + room * value / most

    middle = top + ROW / 2
    end, low, high = across(line["value"]), across(line["min"]), across(line["max"])
    yield (f'<text x="{LABEL - 8}" y="{middle + 4}" text-anchor="end">'
           f'{escape(line["name"])}</text>')
    yield (f'<rect x="{LABEL}" y="{top + 4}" width="{max(1, end - LABEL):.1f}" height="{ROW - 8}" '
           f'fill="{colour(line["name"])}"/>')
    yield (f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} '
           f'{middle - 4}v8" stroke="#333" fill="none"/>')
    yield (f'<text x="{max(end, high) + 8:.1f}" y="{middle + 4}">{line["value"]:,}'
           f'{escape(" (" + line["note"] + ")") if "note" in line else ""}</text>')


def svg(lines, machine):
    parts, top = [], 34
    for unit, title in TITLES.items():
        some = [line for line in lines if line["unit"] == unit]
        if not some:
            continue
        most = max(line["max"] for line in some) or 1
        parts.append(f'<text x="8" y="{top + 14}" font-weight="bold">{escape(title)}</text>')
        top += ROW
        for line in some:
            parts += bar(line, top, most)
            top += ROW
        top += ROW
    where = f'{machine["cores"]} cores of {machine["cpu"]}, Linux {machine["kernel"]}'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
            f'font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n'
            f'<text x="8" y="20" font-size="14">Medians of the rounds, with the lowest and the '
            f'highest; {escape(where)}</text>\n' + "\n".join(parts) + "\n</svg>\n")
