"""picture.py RESULTS PICTURE: draws how the cost of a request grows with the number in flight."""

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# Without a background, and in colours that can be read on white and on black.
LINES = "#7b8490"
names = ["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"]
matplotlib.rcParams |= dict.fromkeys(names, LINES) | {"svg.fonttype": "none", "svg.hashsalt": "libfal", "font.size": 11}
from matplotlib import pyplot  # noqa: E402

CLIENTS = [("libfal", "libfal", "#e8590c", "-"), ("curl", "libcurl", "#228be6", "--")]
# The size of a response, its name, and the unit of its cost in seconds.
SIZES = [(200, "200 B", "µs", 1e-6), (64 << 10, "64 KiB", "µs", 1e-6), (16 << 20, "16 MiB", "ms", 1e-3)]

growth = json.loads(Path(sys.argv[1]).read_text())["growth"]["found"]
figure, axes = pyplot.subplots(1, len(SIZES), figsize=(10, 3.4), layout="constrained")
for axis, (size, title, unit, scale) in zip(axes, SIZES):
    loads = sorted(int(key.split("/")[1]) for key in growth if key.startswith(f"{size}/"))
    for client, label, colour, style in CLIENTS:
        runs = [growth[f"{size}/{in_flight}"][client] for in_flight in loads]
        costs = [[run["cpu_seconds"] / run["requests"] / scale for run in of] for of in runs]
        axis.plot(loads, [statistics.median(of) for of in costs], style, marker="o", label=label, color=colour)
        axis.fill_between(loads, [min(of) for of in costs], [max(of) for of in costs], color=colour, alpha=0.2, linewidth=0)
    axis.set(xscale="log", title=f"responses of {title}", xlabel="requests in flight", ylabel=f"CPU {unit} a request", ylim=(0, None))
    axis.set_xticks(loads, [f"{in_flight:,}" for in_flight in loads])
    axis.minorticks_off()
    axis.grid(axis="y", alpha=0.3)
axes[0].legend(frameon=False)
figure.savefig(sys.argv[2], metadata={"Date": None}, transparent=True)
