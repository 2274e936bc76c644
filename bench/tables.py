"""Tables of figures, in Markdown."""

import statistics


def number(value, sign="-"):
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:{sign},.{digits}f}"


def spread(values, sign="-"):
    """The median, and the lowest and the highest beside it. The sign "+" marks positive numbers, too."""
    middle = number(statistics.median(values), sign)
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}–{number(max(values))})"


def ratio(ours, theirs):
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    # A difference that noise exceeds has no ratio.
    return f"{ours / theirs:.2f}" if ours > 0 and theirs > 0 else "–"


def table(heads, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows])


def compared(first, columns, found, subject="libfal", alone=()):
    """A row for each peer. `columns` maps a head to what reads a column's figure from a run. Columns in `alone` have no ratio."""
    heads = [first]
    for head in columns:
        heads += [head] if head in alone else [head, "libfal ÷ it"]
    rows = []
    for name, runs in found.items():
        rows.append([name])
        for head, of in columns.items():
            ours, theirs = list(map(of, found[subject])), list(map(of, runs))
            rows[-1] += [spread(theirs)] + ([] if head in alone else [ratio(ours, theirs)])
    return table(heads, rows)


def rate(run):
    return run["requests"] / run["seconds"]


def cpu(run):
    return run["cpu_seconds"] / run["requests"] * 1e6


REQUESTS = {"requests/s": rate, "median µs": lambda run: run["median_us"], "CPU µs a request": cpu}
