"""picture.py RESULTS PICTURE: draws how the cost of a request grows with the number in flight."""

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["svg.hashsalt"] = "libfal"
from matplotlib import pyplot  # noqa: E402

growth = json.loads(Path(sys.argv[1]).read_text())["growth"]
sizes = {200: "200 B", 64 << 10: "64 KiB", 16 << 20: "16 MiB"}
figure, axes = pyplot.subplots(1, len(sizes), figsize=(10, 3.2), layout="constrained")
for axis, (size, title) in zip(axes, sizes.items()):
    for client, label, colour in [("libfal", "libfal", "#d9482b"), ("curl", "libcurl", "#4a6fa5")]:
        points = sorted((int(key.split("/")[1]), found[client]) for key, found in growth.items() if key.startswith(f"{size}/"))
        cost = [statistics.median(run["cpu_seconds"] / run["requests"] * 1e6 for run in runs) for _, runs in points]
        axis.plot([in_flight for in_flight, _ in points], cost, marker="o", label=label, color=colour)
    axis.set(xscale="log", title=f"responses of {title}", xlabel="requests in flight", ylim=(0, None))
    axis.set_xticks([in_flight for in_flight, _ in points], [f"{in_flight}" for in_flight, _ in points])
    axis.minorticks_off()
axes[0].set_ylabel("CPU µs a request")
axes[0].legend(frameon=False)
figure.savefig(sys.argv[2], metadata={"Date": None})
