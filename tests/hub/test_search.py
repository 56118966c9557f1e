"""Which of two models is listed first."""

import pytest

from ganzoo import plugins
from ganzoo.measures.table import find_measure


@pytest.mark.parametrize(
    ("score", "from_best_to_worst"),
    [("fd", (0.1, 2.0)), ("kid", (-0.001, 0.1)), ("coverage", (0.9, 0.1)), ("copying", (0.5, 0.55, 0.3, 0.9, 0.0))],
)
def test_the_best_score_comes_first(score, from_best_to_worst):
    goal = find_measure(plugins.load().registry, score).goal
    assert tuple(sorted(from_best_to_worst, key=goal.distance)) == from_best_to_worst
