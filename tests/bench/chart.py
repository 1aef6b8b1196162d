"""A chart of the results for the docs: bars by kind, each kind on a scale of its own; the limits of
the machine grey, Millrace blue, other queues brown, those that answer before their disk pale."""
from xml.sax.saxutils import escape

WIDTH, LABEL, VALUE, ROW = 880, 270, 240, 22
OURS, BARE, PEER, PALE = "#1f6f8b", "#9aa5ad", "#c98b4b", "#ead9c4"
SECTIONS = [
    ("End to end, jobs a second: more is better", "jobs/s",
     ["limit_e2e", "e2e", "e2e_sdk", "peer_"]),
    ("Enqueue in a pipeline, a second: more is better", None,
     ["sqlite_insert_same_batch", "enqueue"]),
    ("One at a time, microseconds: less is better", "us",
     ["one_fdatasync_median", "limit_one_median", "enqueue_one_median", "one_fdatasync_p99",
      "limit_one_p99", "enqueue_one_p99"]),
    ("Enqueue to handler at 1,000 jobs a second, microseconds: less is better", "us",
     ["limit_start_latency_median", "start_latency_median", "limit_start_latency_p99",
      "start_latency_p99"]),
    ("Waiting jobs, the broker's memory in MiB", "MiB",
     ["backlog_10k_rss_mib", "backlog_1m_rss_mib", "backlog_10m_rss_mib"]),
    ("Many loads through the SDK, jobs a second: more is better", "jobs/s", ["matrix_"]),
]
BARE_NAMES = ("limit_", "sqlite_", "one_fdatasync")


def colour(line):
    if line["name"].startswith("peer_"):
        return PALE if "before" in line.get("note", "") else PEER
    return BARE if line["name"].startswith(BARE_NAMES) else OURS


def chosen(lines, unit, names):
    """In the order of names; one that ends with _ stands for all that begin so, the best first."""
    for name in names:
        if name.endswith("_"):
            yield from sorted((line for line in lines if line["name"].startswith(name)),
                              key=lambda line: -line["value"])
        else:
            yield from (line for line in lines
                        if line["name"] == name and unit in (None, line["unit"]))


def bar(line, top, most):
    room = WIDTH - LABEL - VALUE

    def across(value):
        return LABEL + room * value / most

    middle = top + ROW / 2
    end, low, high = across(line["value"]), across(line["min"]), across(line["max"])
    beside = f" ({line['note']})" if "note" in line else ""
    yield (f'<text x="{LABEL - 8}" y="{middle + 4}" text-anchor="end">'
           f'{escape(line["name"])}</text>')
    yield (f'<rect x="{LABEL}" y="{top + 4}" width="{max(1, end - LABEL):.1f}" height="{ROW - 8}" '
           f'fill="{colour(line)}"/>')
    yield (f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} '
           f'{middle - 4}v8" stroke="#333" fill="none"/>')
    yield (f'<text x="{max(end, high) + 8:.1f}" y="{middle + 4}">'
           f'{line["value"]:,}{escape(beside)}</text>')


def svg(lines, machine):
    parts, top = [], 34
    for title, unit, names in SECTIONS:
        some = list(chosen(lines, unit, names))
        if not some:
            continue
        most = max(line["max"] for line in some) or 1
        parts.append(f'<text x="8" y="{top + 14}" font-weight="bold">{escape(title)}</text>')
        top += ROW
        for line in some:
            parts += bar(line, top, most)
            top += ROW
        top += ROW // 2
    where = f'{machine["cores"]} cores of {machine["cpu"]}, Linux {machine["kernel"]}'
    return (f'<!-- Made by tests/bench/run with its option svg. -->\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
            f'font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n'
            f'<text x="8" y="20" font-size="14">Medians of the rounds, with the lowest and the '
            f'highest; {escape(where)}</text>\n' + "\n".join(parts) + "\n</svg>\n")
