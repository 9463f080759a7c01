"""ResNet-18 as a student: its maps have the sizes of SigNet's."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fkd.models.network import Network, scaled
from fkd.study.parts import FEATURES


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut.

    Where the block halves the map, its first convolution has no padding, and the
    shortcut is a 1 x 1 convolution of stride 2, batch norm and a 2 x 2 maximum of
    stride 1, which together leave maps of the same size.
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
        """Map (B, channels_in, H, W) to (B, channels_out, H', W')."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(Network):
    """Four stages of two basic blocks, without global pooling.

    13,072,320 parameters without the classifier.

    Parameters
    ----------
    num_classes : int, optional
        Writers to tell apart; without it there is no classifier.
    width : float
        Scales the channels of the convolutions.
    features : int
        Elements of the response.
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
        feature = F.relu(self.fc_bn(self.fc(torch.flatten(x, 1))))
        return {name: maps[name] for name in self.map_sizes}, feature
