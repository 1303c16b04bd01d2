"""A small bar chart as Markdown, which Dagster's pages show as a picture.

Dagster shows Markdown of up to a thousand characters where it stands and any longer one behind a click (`MetadataEntry`
of its UI), so a chart has as many bars as fit. It is one image in the text itself: nothing is stored or fetched beside
it. What is drawn comes from whoever calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

MOST_BARS = 10
"""Bars in a chart, at most."""

LONGEST_LABEL = 60
"""Characters of a label, at most."""

LONGEST_CHART = 999
"""Characters of a chart, at most: one more, and Dagster hides it behind a click."""

COLORS = {"blue": "#bcf", "red": "#f99", "orange": "#fd8"}
"""What bars are drawn in: pale, since labels stand on them."""

_WIDTH, _ROW, _MARGIN = 500, 22, 6
_UNENCODED = " '()+,-./:;="
"""Of what a chart is full of, the characters that neither Markdown nor an address reads as something else."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Args:
        label: What it stands for; drawn as it is, never read as markup.
        parts: How long its parts are, none below zero, in the order of the chart's colors.
    """

    label: str
    parts: tuple[int, ...]


def bar_chart(bars: Sequence[Bar], colors: Sequence[str], *, caption: str) -> str:
    """Return the chart of the first bars, as many as fit, over its caption.

    Args:
        bars: Longest first; none at all give the caption only.
        colors: Those of `COLORS` that a bar's parts are drawn in.
        caption: Says in Markdown what is shown; a line of it, shorter than half a chart.
    """
    for count in range(min(len(bars), MOST_BARS), 0, -1):
        image = quote(_svg(bars[:count], colors), safe=_UNENCODED)
        chart = f"![bars](<data:image/svg+xml,{image}>)\n\n{caption}"
        if len(chart) <= LONGEST_CHART:
            return chart
    return caption


def _svg(bars: Sequence[Bar], colors: Sequence[str]) -> str:
    height = _ROW * len(bars)
    # White behind it, for Dagster's dark theme; the margin is of the view, so that no text has to name its place.
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}' "
        f"viewBox='-{_MARGIN} 0 {_WIDTH} {height}' style='background:#fff;font:13px sans-serif'>"
    )
    texts = "".join(f"<text y='{_ROW * row + 15}'>{_text(bar)}</text>" for row, bar in enumerate(bars))
    return f"{head}{_paths(bars, colors)}{texts}</svg>"


def _paths(bars: Sequence[Bar], colors: Sequence[str]) -> str:
    """Return one path for each color, of thick lines: far shorter than rectangles."""
    longest = max(1, *(sum(bar.parts) for bar in bars))
    paths = []
    for place, color in enumerate(colors):
        lines = []
        for row, bar in enumerate(bars):
            start, end = (
                round(sum(bar.parts[:until]) / longest * (_WIDTH - _MARGIN)) - _MARGIN for until in (place, place + 1)
            )
            lines += [f"M{start} {_ROW * row + _ROW // 2}H{end}"] if end > start else []
        paths.append(f"<path stroke='{COLORS[color]}' stroke-width='{_ROW - 4}' d='{''.join(lines)}'/>")
    return "".join(paths)


def _text(bar: Bar) -> str:
    """Return how long a bar is, and what it stands for; a dot for what cannot be drawn, such as a control character."""
    label = bar.label if len(bar.label) <= LONGEST_LABEL else f"{bar.label[: LONGEST_LABEL - 1]}…"
    numbers = " + ".join(f"{part:,}" for part in bar.parts)
    return f"{numbers}: {escape(''.join(it if it.isprintable() else '.' for it in label))}"
