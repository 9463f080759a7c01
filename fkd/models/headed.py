"""Networks of others with a head of one's own, which may be all that is trained."""

import torch
from torch import Tensor, nn

from fkd.models.network import Network


class Headed(Network):
    """A trunk that others designed or trained, and a fully connected layer with ReLU on it.

    A subclass sets ``fc`` and defines :meth:`trunk`.

    Attributes
    ----------
    is_frozen : bool
        Whether the trunk stays as it is. Then :meth:`describe` also takes what the trunk said
        beforehand, so that a training asks it but once for each image.
    fc : Linear
        The head.
    """

    is_frozen: bool = False
    fc: nn.Linear

    def trunk(self, images: Tensor) -> Tensor:
        """Describe images without the head, (B, 1, H, W) in [0, 1] to (B, inputs of the head)."""
        raise NotImplementedError

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        seen = images if images.ndim == 2 else self.trunk(images)  # (B, inputs of the head)
        return {}, torch.relu(self.fc(seen))
