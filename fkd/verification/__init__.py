"""Verification: how well features tell a writer's signatures from forgeries.

What can be imported from here, ``__init__.pyi`` lists. It is loaded when it is first asked
for: who reads rates needs no support vector machine.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
