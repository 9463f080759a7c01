"""What people look at first: each figure of a study is a stage in a module of its own.

All are drawn in one style, :mod:`fkd.figures.style`, as SVG and PNG.
"""
