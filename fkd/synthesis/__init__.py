"""Handwriting and signatures drawn from a model of the hand, for the default study.

A hand has a style (:mod:`~fkd.synthesis.style`) that turns an alphabet
(:mod:`~fkd.synthesis.letters`) into the writer's own letter shapes. Words become targets of
the pen (:mod:`~fkd.synthesis.spelling`), targets become movements
(:mod:`~fkd.synthesis.strokes`), and movements leave ink on paper
(:mod:`~fkd.synthesis.ink`).
"""

from fkd.synthesis.handwriting import draw_pages
from fkd.synthesis.signatures import draw_signatures

__all__ = ["draw_pages", "draw_signatures"]
