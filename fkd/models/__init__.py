"""The networks, their weights, their export as ONNX, and the features that they compute.

Layers, sizes and initialization follow the published network graphs. No layer has a bias except
batch norm.

``__init__.pyi`` lists the names that can be imported from this package. Each is loaded on its
first use, so that stages that only read ONNX files do not need PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
