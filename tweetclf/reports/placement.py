"""Labels of points that lie on no other label or point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Box", "Placed", "place_labels"]

Box = tuple[float, float, float, float]

# Right and left first: that is where eyes look for the name of a point.
_ANGLES = (0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 338, 202, 67, 113, 293, 247)
_RADII = (9.0, 16.0, 26.0, 38.0, 52.0, 68.0)
_POINT = 6.0


@dataclass(frozen=True)
class Placed:
    """Where a label goes.

    Parameters
    ----------
    x, y : float
        Middle of the near edge of the label, in pixels.
    align : {"left", "center", "right"}
        Which edge of the text stands at `x`.
    leader : bool
        Whether the label is so far off that a line must lead to it.
    """

    x: float
    y: float
    align: str
    leader: bool


def _overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def _outside(box: Box, frame: Box) -> float:
    area = (box[2] - box[0]) * (box[3] - box[1])
    return area - _overlap(box, frame)


def _candidates(
    x: float, y: float, width: float, height: float
) -> list[tuple[Placed, Box]]:
    found = []
    for step, radius in enumerate(_RADII):
        for angle in _ANGLES:
            dx = radius * math.cos(math.radians(angle))
            dy = radius * math.sin(math.radians(angle))
            align = "left" if dx > 1 else "right" if dx < -1 else "center"
            left = {"left": 0.0, "right": -width, "center": -width / 2}[align] + x + dx
            # Above and below, the label must clear the point with its whole height.
            middle = y + dy + math.copysign(height / 2 - 3, dy) * (abs(dy) > 1)
            box = (left, middle - height / 2, left + width, middle + height / 2)
            anchor = x + dx
            found.append((Placed(anchor, middle, align, step > 1), box))
    return found


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    obstacles: Sequence[Box] = (),
) -> list[Placed]:
    """Place one label a point, greedily, so that they overlap least.

    Parameters
    ----------
    points : sequence of (x, y)
        Points in pixels.
    sizes : sequence of (width, height)
        Sizes of the labels in pixels.
    frame : (left, bottom, right, top)
        Where labels may stand.
    obstacles : sequence of (left, bottom, right, top), optional
        What else labels should not hide.

    Returns
    -------
    list of Placed
        In order of the points.
    """
    taken: list[Box] = [
        (x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in points
    ]
    found: dict[int, Placed] = {}
    # Crowded points choose first: they have the fewest places left.
    crowd = [sum(math.dist(p, q) < 60 for q in points) for p in points]
    order = sorted(range(len(points)), key=lambda i: (-crowd[i], i))
    boxes: dict[int, Box] = {}
    # A second and third round mend what the first could not foresee.
    for index in order * 3:
        others = [box for i, box in enumerate(taken) if i != index]
        others += [box for i, box in boxes.items() if i != index]
        others += obstacles
        rest = [point for i, point in enumerate(points) if i != index]
        costs = [
            (_cost(points[index], placed, box, others, rest, frame) + rank, rank)
            for rank, (placed, box) in enumerate(
                _candidates(*points[index], *sizes[index])
            )
        ]
        chosen = min(costs)[1]
        found[index], boxes[index] = _candidates(*points[index], *sizes[index])[chosen]
    return [found[index] for index in range(len(points))]


def _distance(box: Box, point: tuple[float, float]) -> float:
    x = max(box[0] - point[0], 0.0, point[0] - box[2])
    y = max(box[1] - point[1], 0.0, point[1] - box[3])
    return math.hypot(x, y)


def _cost(
    point: tuple[float, float],
    placed: Placed,
    box: Box,
    others: Sequence[Box],
    rest: Sequence[tuple[float, float]],
    frame: Box,
) -> float:
    hidden = sum(_overlap(box, other) for other in others)
    # A label that is nearer to another point would be read as that point's.
    own = _distance(box, point)
    nearest = min((_distance(box, other) for other in rest), default=math.inf)
    confusing = 0.0 if placed.leader else max(own + 2 - nearest, 0.0)
    return 20 * hidden + 40 * _outside(box, frame) + 15 * confusing
