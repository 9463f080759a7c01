"""Verification for those who act on it: compare signatures, and say how sure the answer is.

:class:`Verifier` needs no server: it reads a model, and what a study measured of it beforehand. The
service enrolls customers and compares signatures over HTTP; it needs the extra ``service``. No
other part of the project imports this one.

What can be imported from here, ``__init__.pyi`` lists.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
