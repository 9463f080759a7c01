"""The small network of a Keras notebook on Siamese networks for ICDAR 2011."""

import torch
from torch import Tensor, nn

from fkd.models.network import Network, scaled


class CustomCNN(Network):
    """Two convolutions and one fully connected layer, for images of three equal channels.

    At the published width, the network has 1,807,296 parameters.

    Parameters
    ----------
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, there is no classifier.
    width : float
        The factor by which the channels of the convolutions are scaled.
    features : int
        The number of elements of the response.
    """

    architecture = "custom_cnn"

    def __init__(
        self, num_classes: int | None = None, width: float = 1.0, features: int = 256
    ) -> None:
        super().__init__(num_classes, width, features)
        first, second = (scaled(channels, width) for channels in (4, 16))
        self.layers = nn.Sequential(
            nn.Conv2d(3, first, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Conv2d(first, second, 3),
            nn.ReLU(),
            nn.MaxPool2d(5),
            nn.Dropout(0.25),
        )
        self.fc = nn.Linear(second * 21 * 21, features)
        self._complete()

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        x = self.layers(self.take(images))  # (B, 16, 21, 21)
        return {}, torch.relu(self.fc(torch.flatten(x, 1)))
