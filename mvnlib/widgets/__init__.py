"""Explorers: a derivative and its finite difference side by side, in Jupyter and in a built page.

In Jupyter the numbers come from Python, so any function and any candidate gradient can be explored. In the
page the same front end runs on JavaScript that :func:`mvnlib.javascript` prints from the table of
identities; before any script runs, and in print, the page shows a figure drawn from the same numbers. In a plain
shell ``.save("page.html")`` writes such a page.
"""

from mvnlib.widgets.derivative import Explorer, explore
from mvnlib.widgets.em import MixtureExplorer, explore_em
from mvnlib.widgets.neumann import NeumannExplorer, explore_neumann
from mvnlib.widgets.segment import SEGMENTS, SegmentExplorer, explore_segment

__all__ = [
    "SEGMENTS",
    "Explorer",
    "MixtureExplorer",
    "NeumannExplorer",
    "SegmentExplorer",
    "explore",
    "explore_em",
    "explore_neumann",
    "explore_segment",
]
