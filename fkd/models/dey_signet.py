"""The convolutional Siamese network that its authors call SigNet, too.

S. Dey et al., SigNet: Convolutional Siamese network for writer independent offline signature
verification, 2017.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from fkd.models.network import Network, scaled


class ResponseNorm(nn.Module):
    """Local response normalization, with the numbers of Table 1 of Dey et al.

    x_c / (k + alpha / n * the sum of x_j^2 over the n channels nearest to c)^(3/4), with n = 5,
    alpha = 1e-4 and k = 2. It is :class:`torch.nn.LocalResponseNorm`, four times as fast on a
    processor: the sum is a convolution, and the power takes two roots.
    """

    size, alpha, k = 5, 1e-4, 2.0

    def forward(self, x: Tensor) -> Tensor:
        channel = torch.arange(x.shape[1], device=x.device)
        near = (channel[:, None] - channel).abs() <= self.size // 2
        weight = near.to(x.dtype)[:, :, None, None] * (self.alpha / self.size)
        root = torch.rsqrt(conv2d(x.square(), weight) + self.k)
        return x * (root * root.sqrt())


class DeySigNet(Network):
    """Four convolutions and two fully connected layers (Table 1 of Dey et al.).

    At the published width, the first fully connected layer takes 108,800 numbers.

    Parameters
    ----------
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, there is no classifier.
    width : float
        The factor by which the channels of the convolutions and of the hidden layer are scaled.
    features : int
        The number of elements of the response.
    """

    architecture = "dey_signet"

    def __init__(
        self, num_classes: int | None = None, width: float = 1.0, features: int = 128
    ) -> None:
        super().__init__(num_classes, width, features)
        c1, c2, c3, c4 = (scaled(channels, width) for channels in (96, 256, 384, 256))
        hidden = scaled(1024, width)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, c1, 11),
            nn.ReLU(),
            ResponseNorm(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c1, c2, 5, padding=2),
            nn.ReLU(),
            ResponseNorm(),
            nn.MaxPool2d(3, 2),
            nn.Dropout(0.3),
            nn.Conv2d(c2, c3, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c3, c4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Dropout(0.3),
        )
        self.fc = nn.Sequential(
            nn.Linear(c4 * 17 * 25, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, features),
        )
        self._complete()

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        x = self.convolutions(self.take(images))  # (B, 256, 17, 25)
        return {}, self.fc(torch.flatten(x, 1))
