"""Curves and dots as PNG, by matplotlib where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo.files import replace_file


def draw_curve(path: Path, points: Sequence[tuple[float, float]], *, x: str, y: str) -> None:
    """Draw a curve through ``(x, y)`` points into a PNG file. Does nothing without matplotlib."""
    if (figure := _figure()) is not None:
        axes = figure.add_subplot()
        axes.plot([point[0] for point in points], [point[1] for point in points], ".-")
        axes.set_xlabel(x)
        _finish(path, figure, axes, y)


def draw_dots(path: Path, groups: Mapping[str, Sequence[float]], *, y: str) -> None:
    """Draw a column of dots for each group, its mean a bar across, into a PNG file. Does nothing without matplotlib."""
    if (figure := _figure()) is not None:
        axes = figure.add_subplot()
        for position, values in enumerate(groups.values()):
            axes.plot([position] * len(values), values, "o", alpha=0.6)
            axes.hlines(sum(values) / len(values), position - 0.25, position + 0.25, color="black")
        axes.set_xticks(range(len(groups)), groups, rotation=20 if len(groups) > 3 else 0)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        _finish(path, figure, axes, y)


def _figure() -> Any:
    if importlib.util.find_spec("matplotlib") is None:
        return None
    # Without pyplot, which keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    return Figure(figsize=(6, 4), layout="constrained")


def _finish(path: Path, figure: Any, axes: Any, y: str) -> None:
    axes.set_ylabel(y)
    # A kernel distance, being unbiased, may be below.
    axes.set_ylim(bottom=min(0, axes.dataLim.y0))
    axes.grid(axis="y", alpha=0.3)
    with replace_file(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
