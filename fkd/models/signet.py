"""SigNet, the expert teacher; a student as well in the first study."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from fkd.errors import FkdError
from fkd.models.network import FEATURES, Network, load_tensors, scaled

BATCH_NORM_COUNTER = "num_batches_tracked"


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
    """Five convolutional and two fully connected layers.

    15,792,160 parameters without the classifier. The modules carry the names of
    the public weights.

    Parameters
    ----------
    num_classes : int, optional
        Writers to tell apart; without it there is no classifier.
    width : float
        Scales the channels of the convolutions.
    features : int
        Elements of the response, and of the fully connected layer before it.
    """

    map_sizes = {"conv1": (35, 53), "conv2": (17, 26), "conv3": (8, 12), "conv5": (8, 12)}  # noqa: RUF012

    initialization = ("he", "he")

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
        # flatten() reads channel, row, column, whatever the memory layout.
        return maps, self.fc_layers(x.flatten(1))


def read_public_weights(path: Path | str) -> SigNet:
    """Read the published weights of SigNet.

    Parameters
    ----------
    path : Path or str
        ``signet.pth``: a tuple whose first member is the state of the network
        without classifiers. Loaded without running any code in it.

    Returns
    -------
    SigNet
        In evaluation mode, without classifier.

    Raises
    ------
    FkdError
        Where the file is missing, is no such tuple, or does not fit.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise FkdError(f"{path}: no such file (teacher.weights).") from None
    except Exception as error:  # unpickling a foreign file fails in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FkdError(
            f"{path}: cannot be loaded as weights alone, and code in it is never run ({reason})."
        ) from None
    state = content[0] if isinstance(content, tuple | list) and content else content
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise FkdError(f"{path}: expected a tuple whose first member maps names to tensors.")
    network = SigNet()
    # Weights saved before PyTorch 0.4.1 lack batch norm's counters, which count nothing here.
    counters = {k: v for k, v in network.state_dict().items() if k.endswith(BATCH_NORM_COUNTER)}
    load_tensors(network, counters | state, path)
    return network.eval()
