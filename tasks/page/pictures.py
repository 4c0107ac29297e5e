"""Distributions, drawn."""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .blocks import Picture

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

COLOURS = ("#1f6feb", "#c0762b", "#888888", "#2a9d4a", "#8a4fbf")
BINS = 48


def draw_distributions(
    caption: str, unit: str, values: Mapping[str, "np.ndarray"], *, shares: bool = False
) -> list[Picture]:
    """Draw histograms over one axis.

    Args:
        caption: What the picture shows.
        unit: Label of the axis.
        values: (n,) by name; those without values are left out.
        shares: Draw each as shares of its own whole, for wholes of different size.

    Returns:
        The picture; none where there is nothing to draw.
    """
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    drawn = {name: found for name, found in values.items() if len(found)}
    if not drawn:
        return []
    low = min(float(found.min()) for found in drawn.values())
    high = max(float(found.max()) for found in drawn.values())
    is_whole = all(np.issubdtype(found.dtype, np.integer) for found in drawn.values())
    edges = _find_edges(low, high, is_whole=is_whole)
    counted = {name: np.histogram(found, edges)[0] for name, found in drawn.items()}

    def plot(axes: "Axes") -> None:
        if is_whole:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for colour, (name, counts) in zip(COLOURS, counted.items(), strict=False):
            heights = 100 * counts / counts.sum() if shares else counts
            axes.stairs(heights, edges, fill=True, color=colour, alpha=0.3)
            axes.stairs(heights, edges, color=colour, label=name)
        axes.set(xlabel=unit, ylabel="per cent of each" if shares else "count")
        axes.set_title(caption, loc="left", fontsize=10)
        if len(counted) > 1:
            axes.legend(frameon=False)

    return [Picture(caption, _save(plot))]


def _find_edges(low: float, high: float, *, is_whole: bool) -> "np.ndarray":
    """Place the edges of the bins; whole numbers get bins of whole widths around them."""
    import numpy as np

    if not is_whole:
        margin = 0 if high > low else 0.5
        return np.linspace(low - margin, high + margin, BINS + 1)
    width = max(1, int(np.ceil((high - low + 1) / BINS)))
    return np.arange(low - 0.5, high + width, width)


def _save(plot: Callable[["Axes"], None]) -> bytes:
    """Draw on a fresh figure and return it as SVG, the same bytes for the same drawing."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    target = io.BytesIO()
    # parse_math: a dollar in a name is a dollar
    with mpl.rc_context({"svg.hashsalt": "burnish", "text.parse_math": False}):
        figure = Figure(figsize=(7, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        plot(axes)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()
