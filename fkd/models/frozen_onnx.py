"""A feature extractor of others, read from an ONNX file, with a head that is trained."""

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from fkd.errors import FkdError
from fkd.models.extractor import Extractor
from fkd.models.headed import Headed
from fkd.models.network import initialize
from fkd.models.onnx_file import read_onnx
from fkd.models.trial import try_out
from fkd.preprocess import INPUT
from fkd.seeding import entropy
from fkd.study.parts import ONNX, architecture_of


class FrozenOnnx(Headed):
    """An ONNX model that stays as it is, and a head.

    The model is run by onnxruntime and by nothing else. Its bytes are among the network's weights,
    so that a file of weights is whole without the file that it was made from.

    Parameters
    ----------
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, there is no classifier.
    width : float
        Has no meaning here.
    features : int
        The number of elements of the response.
    inputs : int
        The number of elements of the model's feature.
    size : int
        The number of bytes of the model.
    """

    architecture = ONNX
    is_frozen = True

    def __init__(
        self,
        num_classes: int | None = None,
        width: float = 1.0,
        features: int = 128,
        inputs: int = 1,
        size: int = 0,
    ) -> None:
        super().__init__(num_classes, width, features)
        self.settings |= {"inputs": inputs, "size": size}
        self.register_buffer("model", torch.zeros(size, dtype=torch.uint8))
        self.fc = nn.Linear(inputs, features)
        self._extractor: Extractor | None = None
        self._complete()

    @classmethod
    def of(cls, path: Path | str, features: int, seed: int) -> "FrozenOnnx":
        """Make a network of a model in a file.

        Parameters
        ----------
        path : Path or str
            The file, a model as :class:`fkd.models.extractor.Extractor` takes it. It is tried
            first, see :func:`fkd.models.trial.try_out`.
        features : int
            The number of elements of the response.
        seed : int
            The study's seed, from which the weights of the head are drawn.

        Raises
        ------
        FkdError
            If the model cannot be used, or takes a fixed number of images a pass.
        """
        try_out(path)
        model, extractor = read_onnx(path), Extractor(path)
        if extractor.fixed_batch is not None:
            raise FkdError(
                f"{path}: takes {extractor.fixed_batch} images a pass. A network on pairs needs a "
                "model of any number of images; export it with a free batch size."
            )
        content = model.SerializeToString()
        inputs = extractor(np.zeros((1, *INPUT), np.uint8)).shape[1]
        network = cls(None, 1.0, features, inputs, len(content))
        network.model.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        draw = torch.Generator().manual_seed(entropy(seed, "weights", ONNX) >> 1)
        initialize(network, *architecture_of(ONNX).initialization, draw)
        return network

    @property
    def parameter_count(self) -> int:
        """The number of parameters, with the constants of the model."""
        constants = self.proto().graph.initializer
        return super().parameter_count + sum(int(np.prod(tensor.dims)) for tensor in constants)

    def proto(self) -> onnx.ModelProto:
        """Return the model."""
        return onnx.load_from_string(self.model.cpu().numpy().tobytes())

    def trunk(self, images: Tensor) -> Tensor:
        if self._extractor is None:
            self._extractor = Extractor("the frozen model", model=self.proto())
        seen = self._extractor(images.detach().squeeze(1).cpu().numpy())
        return torch.from_numpy(seen).to(images.device)
