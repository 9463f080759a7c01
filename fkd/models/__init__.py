"""The networks, and what is done with a trained one: weights, ONNX, features.

Layers, sizes and initialization are read from the published network graphs; no
layer has a bias but batch norm.

What can be imported from here, ``__init__.pyi`` lists. It is loaded when it is first asked
for, so that a stage that reads ONNX files does without PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
