"""ResNet-18 as a student, with feature maps of the same sizes as SigNet's."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fkd.models.network import Network, scaled
from fkd.study.parts import FEATURES


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, parallel to a shortcut.

    If the block halves the map, its first convolution has stride 2 and no padding. Its shortcut is
    then a 1 x 1 convolution of stride 2, batch norm and 2 x 2 max pooling of stride 1. Both paths
    result in maps of the same size.
    """

    def __init__(self, channels_in: int, channels_out: int, halve: bool) -> None:
        super().__init__()
        stride, padding = (2, 0) if halve else (1, 1)
        self.conv1 = nn.Conv2d(
            channels_in, channels_out, 3, stride=stride, padding=padding, bias=False
        )
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut = (
            nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=2, bias=False),
                nn.BatchNorm2d(channels_out),
                nn.MaxPool2d(2, 1),
            )
            if halve
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute (B, channels_out, H', W') from (B, channels_in, H, W)."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(Network):
    """Four stages of two basic blocks each, without global pooling.

    At the published width, the network has 13,072,320 parameters without the classifier.

    Parameters
    ----------
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, there is no classifier.
    width : float
        The factor by which the channels of the convolutions are scaled.
    features : int
        The number of elements of the response.
    """

    architecture = "resnet18"

    def __init__(
        self, num_classes: int | None = None, width: float = 1.0, features: int = FEATURES
    ) -> None:
        super().__init__(num_classes, width, features)
        stem, *stages = (scaled(channels, width) for channels in (64, 64, 128, 256, 256))
        self.conv = nn.Conv2d(1, stem, 7, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(stem)
        self.pool = nn.MaxPool2d(3, 2)
        self.stages = nn.ModuleList()
        channels_in = stem
        for number, channels in enumerate(stages):
            blocks = [
                BasicBlock(channels_in, channels, halve=number > 0),
                BasicBlock(channels, channels, halve=False),
            ]
            self.stages.append(nn.ModuleList(blocks))
            channels_in = channels
        self.fc = nn.Linear(channels_in * 3 * 5, features, bias=False)
        self.fc_bn = nn.BatchNorm1d(features)
        self._complete()

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        maps = {}
        x = self.pool(F.relu(self.bn(self.conv(images))))  # (B, 64, 35, 53)
        for number, (first, second) in enumerate(self.stages, start=1):
            x = maps[f"stage{number}_block1"] = first(x)
            x = maps[f"stage{number}"] = second(x)
        # The last stage is (B, 256, 3, 5).
        feature = F.relu(self.fc_bn(self.fc(torch.flatten(x, 1))))
        return {name: maps[name] for name in self.map_sizes}, feature
