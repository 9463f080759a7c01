"""SigNet, the network of the teacher and of some students."""

from collections import OrderedDict

from torch import Tensor, nn

from fkd.models.network import Network, scaled
from fkd.study.parts import FEATURES


def _conv(channels_in: int, channels_out: int, kernel: int, **options: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels_in, channels_out, kernel, bias=False, **options),
            bn=nn.BatchNorm2d(channels_out),
            relu=nn.ReLU(),
        )
    )


def _fc(features_in: int, features_out: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            fc=nn.Linear(features_in, features_out, bias=False),
            bn=nn.BatchNorm1d(features_out),
            relu=nn.ReLU(),
        )
    )


class SigNet(Network):
    """Five convolutional layers and two fully connected layers.

    At the published width, the network has 15,792,160 parameters without the classifier. Its
    modules have the names that the published weights use.

    Parameters
    ----------
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, there is no classifier.
    width : float
        The factor by which the channels of the convolutions are scaled.
    features : int
        The number of elements of the response, and of the fully connected layer before it.
    """

    architecture = "signet"

    def __init__(
        self, num_classes: int | None = None, width: float = 1.0, features: int = FEATURES
    ) -> None:
        super().__init__(num_classes, width, features)
        c1, c2, c3, c4, c5 = (scaled(channels, width) for channels in (96, 256, 384, 384, 256))
        self.conv_layers = nn.Sequential(
            OrderedDict(
                conv1=_conv(1, c1, 11, stride=4),
                maxpool1=nn.MaxPool2d(3, 2),
                conv2=_conv(c1, c2, 5, padding=2),
                maxpool2=nn.MaxPool2d(3, 2),
                conv3=_conv(c2, c3, 3, padding=1),
                conv4=_conv(c3, c4, 3, padding=1),
                conv5=_conv(c4, c5, 3, padding=1),
                maxpool3=nn.MaxPool2d(3, 2),
            )
        )
        self.fc_layers = nn.Sequential(
            OrderedDict(fc1=_fc(c5 * 3 * 5, features), fc2=_fc(features, features))
        )
        self._complete()

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        maps = {}
        x = images
        for name, layer in self.conv_layers.named_children():
            x = layer(x)
            if name in self.map_sizes:
                maps[name] = x
        # (B, 256, 3, 5). flatten() goes by channel, row and column in any memory layout.
        return maps, self.fc_layers(x.flatten(1))
