# SPDX-License-Identifier: MIT
"""Bars and lines as SVG: small files, the same bytes from the same figures, readable on a
light and on a dark page. Used by performance.py."""

from math import floor, log10
from statistics import median

import drawsvg

# Okabe and Ito's colours, which differ for all kinds of sight; what is ours is bold, too.
STYLE = """
svg { font-family: system-ui, 'DejaVu Sans', Arial, sans-serif; font-size: 12px }
.page { fill: #ffffff } .ink { fill: #1f2328 } .dim { fill: #59636e }
.ours { fill: #0072b2 } .rival { fill: #a8b0b8 } .axis { stroke: #a8b0b8 }
.a { stroke: #0072b2 } .b { stroke: #d55e00 } .a, .b { fill: none; stroke-width: 2 }
.fa { fill: #0072b2 } .fb { fill: #d55e00 } .bold { font-weight: bold } .cut { stroke: #ffffff }
.grid { stroke: #e4e7ea }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } .ink { fill: #e6edf3 } .dim { fill: #9198a1 }
.ours { fill: #56b4e9 } .rival { fill: #59636e } .axis { stroke: #59636e }
.a { stroke: #56b4e9 } .b { stroke: #e69f00 } .fa { fill: #56b4e9 } .fb { fill: #e69f00 }
.cut { stroke: #0d1117 } .grid { stroke: #23292f }
}
"""
WIDTH, NAMES, GAP, ROW = 820, 262, 24, 20  # pixels
VALUE = 74  # room for the number behind the longest bar


def drawing(height, title):
    """An empty page with its title, which is also what a screen reader says."""
    d = drawsvg.Drawing(WIDTH, height, role="img", font_size=None)
    d.append_title(title)
    d.append_css(STYLE)
    d.append(drawsvg.Rectangle(0, 0, WIDTH, height, class_="page"))
    text(d, title, 12, 22, "ink bold")
    return d


def text(d, words, x, y, style, anchor="start"):
    d.append(drawsvg.Text(words, None, x, y, class_=style, text_anchor=anchor))


def limit(values):
    """Where bars end: at the largest, or, if few are far beyond the others, before these."""
    far = 2.5 * median(values)
    return max(values) if max(values) <= far else far


def bar(d, value, top, x, y, width, style):
    """One bar with its number; longer than the scale: with a cut before its end."""
    size = round(min(value, top) / top * width, 1)
    d.append(drawsvg.Rectangle(x, y + 4, size, ROW - 7, class_=style))
    if value > top:
        d.append(drawsvg.Line(x + size - 12, y + ROW, x + size - 7, y, stroke_width=4,
                              class_="cut"))
    return x + size + 5


def bars(title, headings, rows):
    """rows: [(name, is_ours, [(value, its label) or None for each heading])]."""
    d = drawing(60 + ROW * len(rows), title)
    width = (WIDTH - NAMES - 12) // len(headings)
    for n, (name, is_ours, _) in enumerate(rows):
        text(d, name, NAMES - 8, 69 + n * ROW, "ink bold" if is_ours else "ink", "end")
    for i, heading in enumerate(headings):
        x = NAMES + i * (width + GAP // 2)
        text(d, heading, x, 46, "dim")
        top = limit([row[2][i][0] for row in rows if row[2][i]])
        for n, (_, is_ours, values) in enumerate(rows):
            y = 54 + n * ROW
            if not values[i]:
                text(d, "not measured", x, y + 15, "dim")
                continue
            value, label = values[i]
            end = bar(d, value, top, x, y, width - VALUE - GAP, "ours" if is_ours else "rival")
            text(d, label, end, y + 15, "ink bold" if is_ours else "ink")
    return d.as_svg() + "\n"


def ticks(top):
    """Round numbers from zero up to the top, at most six."""
    step = 10.0 ** floor(log10(top))
    step *= next(n for n in (0.2, 0.5, 1, 2) if top / (n * step) <= 6)
    return [n * step for n in range(int(top / step) + 1)]


def lines(title, x_name, y_name, series):
    """series: [(name, [(x, y)])], at most two; straight axes from zero, ends labelled."""
    height, left, right, bottom = 300, 62, 150, 256
    d = drawing(height, title)
    x_top = max(x for _, points in series for x, _ in points)
    y_top = max(y for _, points in series for _, y in points)

    def place(x, y):
        return (round(left + x / x_top * (WIDTH - left - right), 1),
                round(bottom - y / y_top * (bottom - 66), 1))

    text(d, y_name, 12, 46, "dim")
    text(d, x_name, place(x_top, 0)[0], bottom + 36, "dim", "end")
    for tick in ticks(y_top):
        x, y = place(0, tick)
        d.append(drawsvg.Line(x, y, place(x_top, 0)[0], y, class_="axis" if tick == 0 else "grid"))
        text(d, f"{tick:g}", x - 8, y + 4, "dim", "end")
    for x in sorted({x for _, points in series for x, _ in points}):
        if x * 16 >= x_top:  # smaller ones would overlap
            text(d, f"{x:g}", place(x, 0)[0], bottom + 18, "dim", "middle")
    for (name, points), style in zip(series, "ab", strict=False):
        flat = [n for point in points for n in place(*point)]
        d.append(drawsvg.Lines(*flat, class_=style))
        for point in points:
            d.append(drawsvg.Circle(*place(*point), 3.5, class_="f" + style))
        x, y = place(*points[-1])
        text(d, f"{points[-1][1]:,.1f} {name}", x + 9, y + 4, "ink")
    return d.as_svg() + "\n"
