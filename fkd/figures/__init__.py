"""The figures of a study, each a stage in a module of its own.

All figures share one style, see :mod:`fkd.study.style`, and are written as SVG and PNG.
"""
