"""The network of a PyTorch article on Siamese networks (seed of the ICDAR 2011 study)."""

import torch
from torch import Tensor, nn

from fkd.models.network import Network, scaled


def _conv(channels_in: int, channels_out: int, kernel: int, padding: int = 0) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, kernel, padding=padding),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    ]


class ArticleCNN(Network):
    """Four convolutions and three fully connected layers, the last of which gives two numbers.

    At the published width, the first fully connected layer takes 30,976 numbers.

    Parameters
    ----------
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, there is no classifier.
    width : float
        The factor by which the channels of the convolutions and of the two hidden layers are
        scaled.
    features : int
        The number of elements of the response.
    """

    architecture = "article_cnn"

    def __init__(
        self, num_classes: int | None = None, width: float = 1.0, features: int = 2
    ) -> None:
        super().__init__(num_classes, width, features)
        c1, c2, c3, c4 = (scaled(channels, width) for channels in (96, 256, 384, 256))
        first, second = (scaled(units, width) for units in (1024, 128))
        self.convolutions = nn.Sequential(
            *_conv(1, c1, 11),
            nn.MaxPool2d(3, 2),
            *_conv(c1, c2, 5, padding=2),
            nn.MaxPool2d(3, 2),
            nn.Dropout2d(0.3),
            *_conv(c2, c3, 3, padding=1),
            *_conv(c3, c4, 3, padding=1),
            nn.MaxPool2d(3, 2),
            nn.Dropout2d(0.3),
        )
        self.fc = nn.Sequential(
            nn.Linear(c4 * 11 * 11, first),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, features),
        )
        self._complete()

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        x = self.convolutions(self.take(images))  # (B, 256, 11, 11)
        return {}, self.fc(torch.flatten(x, 1))
