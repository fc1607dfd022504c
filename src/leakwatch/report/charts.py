"""The report's pictures: SVG drawn here, coloured by the style sheet, so that they follow dark mode and print.

No script, no library: a line for what is open, bars for what came and went, and thin bars inside tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from markupsafe import Markup

from leakwatch.report.words import Words

# Units of the view box; the style sheet gives the real size.
_WIDTH, _HEIGHT = 680, 232
_LEFT, _RIGHT = 62, 18
_LINE_TOP, _LINE_BASE = 20, 126
_BAR_MIDDLE, _BAR_REACH = 188, 26
_LABEL_LINE = 142
_LAST_LABEL = 24  # how far the last amount may stand out to the right of its point

_NICE_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_MOST_INTERVALS = 4


def bar(share: Decimal, kind: str) -> Markup:
    """Return a thin bar for a table cell, `share` (0 to 1) of the cell's width; decoration beside a written number."""
    width = max(Decimal("0.6"), min(Decimal(1), share) * 100) if share > 0 else Decimal(0)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100" height="4"/><rect class="fill {}" width="{}" height="4"/></svg>'
    ).format(kind, f"{width:.1f}")


def trend(line: Mapping[str, Any], currency: str, words: Words) -> Markup:
    """Return the trend: money at risk as a line, new and fixed findings as bars under it. Two points or more."""
    points: Sequence[Mapping[str, Any]] = line["points"]
    amounts = [_in_currency(point["at_risk"], currency) for point in points]
    step, top = _scale(max(amounts))
    band = (_WIDTH - _LEFT - _RIGHT) / len(points)
    across = [_LEFT + band * (place + 0.5) for place in range(len(points))]
    up = [_LINE_BASE - float(amount / top) * (_LINE_BASE - _LINE_TOP) for amount in amounts]
    parts = [
        _grid(step, top, currency, words),
        _marks(line["marks"], points, across, band),
        _line(across, up, points, amounts, currency, words),
        _bars(points, across, band, words),
        _weeks(points, across, words),
    ]
    described = words(
        "trend.described",
        first=words.money(amounts[0], currency, whole=True),
        last=words.money(amounts[-1], currency, whole=True),
        start=words.day(points[0]["end"]),
        end=words.day(points[-1]["end"]),
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="trend-t trend-d">'
        '<title id="trend-t">{}</title><desc id="trend-d">{}</desc>{}</svg>'
    ).format(
        _WIDTH,
        _HEIGHT,
        words("trend.money", currency=currency),
        described,
        Markup("").join(parts),
    )


def _in_currency(amounts: Sequence[Mapping[str, Any]], currency: str) -> Decimal:
    return next((Decimal(one["amount"]) for one in amounts if one["currency"] == currency), Decimal(0))


def _scale(largest: Decimal) -> tuple[Decimal, Decimal]:
    """Return the distance of two grid lines and the top of the scale, both round numbers."""
    if largest <= 0:
        return Decimal(1), Decimal(1)
    power = Decimal(10) ** (largest / _MOST_INTERVALS).adjusted()
    step = next(power * nice for nice in _NICE_STEPS if power * nice * _MOST_INTERVALS >= largest)
    return step, step * (largest / step).to_integral_value(ROUND_CEILING)


def _grid(step: Decimal, top: Decimal, currency: str, words: Words) -> Markup:
    rows: list[Markup] = []
    level = Decimal(0)
    while level <= top:
        height = _LINE_BASE - float(level / top) * (_LINE_BASE - _LINE_TOP)
        rows.append(
            Markup(
                '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>'
            ).format(
                "axis" if level == 0 else "grid",
                _LEFT,
                _WIDTH - _RIGHT,
                _px(height),
                _px(height),
                _LEFT - 8,
                _px(height + 3.5),
                words.compact(level, currency),
            )
        )
        level += step
    return Markup("").join(rows)


def _line(
    across: Sequence[float],
    up: Sequence[float],
    points: Sequence[Mapping[str, Any]],
    amounts: Sequence[Decimal],
    currency: str,
    words: Words,
) -> Markup:
    path = " ".join(f"{_px(x)},{_px(y)}" for x, y in zip(across, up, strict=True))
    area = f"{_px(across[0])},{_LINE_BASE} {path} {_px(across[-1])},{_LINE_BASE}"
    dots = [
        Markup('<circle class="dot{}" cx="{}" cy="{}" r="3.4"><title>{}: {}</title></circle>').format(
            "" if point["complete"] else " hollow",
            _px(x),
            _px(y),
            words.day(point["end"]),
            words.money(amount, currency, whole=True),
        )
        for x, y, point, amount in zip(across, up, points, amounts, strict=True)
    ]
    falling = up[-2] < up[-1]
    last = Markup('<text class="value" x="{}" y="{}">{}</text>').format(
        _px(min(across[-1] + _LAST_LABEL, _WIDTH - _RIGHT)),
        _px(up[-1] + (18 if falling else -10)),
        words.compact(amounts[-1], currency),
    )
    shape = Markup('<polygon class="area" points="{}"/><polyline class="line" points="{}"/>').format(area, path)
    return shape + Markup("").join(dots) + last


def _bars(points: Sequence[Mapping[str, Any]], across: Sequence[float], band: float, words: Words) -> Markup:
    most = max((max(point["new"], point["fixed"]) for point in points), default=0) or 1
    width = min(band * 0.5, 26)
    rows = [
        Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            _LEFT, _WIDTH - _RIGHT, _BAR_MIDDLE, _BAR_MIDDLE
        )
    ]
    for point, middle in zip(points, across, strict=True):
        for kind, sign in (("new", -1), ("fixed", 1)):
            count = point[kind]
            if not count:
                continue
            height = max(2.0, count / most * _BAR_REACH)
            top = _BAR_MIDDLE - height if sign < 0 else _BAR_MIDDLE
            rows.append(
                Markup(
                    '<rect class="{0}" x="{1}" y="{2}" width="{3}" height="{4}"><title>{5}: {6} {7}</title></rect>'
                    '<text class="count" x="{8}" y="{9}">{7}</text>'
                ).format(
                    kind,
                    _px(middle - width / 2),
                    _px(top),
                    _px(width),
                    _px(height),
                    words.day(point["end"]),
                    words(f"trend.{kind}"),
                    words.number(count),
                    _px(middle),
                    _px(top - 4 if sign < 0 else top + height + 11),
                )
            )
    return Markup("").join(rows)


def _weeks(points: Sequence[Mapping[str, Any]], across: Sequence[float], words: Words) -> Markup:
    return Markup("").join(
        Markup('<text class="week" x="{}" y="{}">{}</text>').format(
            _px(middle), _LABEL_LINE, words.short_day(point["end"])
        )
        for point, middle in zip(points, across, strict=True)
    )


def _marks(
    marks: Sequence[Mapping[str, Any]], points: Sequence[Mapping[str, Any]], across: Sequence[float], band: float
) -> Markup:
    start = date.fromisoformat(points[0]["start"])
    left = across[0] - band / 2
    rows: list[Markup] = []
    for number, mark in enumerate(marks, start=1):
        place = left + (date.fromisoformat(mark["date"]) - start).days / 7 * band
        rows.append(
            Markup(
                '<line class="mark" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text class="mark-number" x="{0}" y="{3}">'
                "{4}</text>"
            ).format(_px(place), _LINE_TOP - 6, _LINE_BASE, _LINE_TOP - 10, number)
        )
    return Markup("").join(rows)


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
