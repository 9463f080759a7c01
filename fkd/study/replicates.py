"""Replicates: the same model, trained once more under another seed.

The first replicate of ``resnet18_cl`` bears the model's name. The second, ``resnet18_cl.2``, was
trained under the next seed, and so on. Names in a config have no dots.
"""

from typing import NamedTuple


class Replicate(NamedTuple):
    """A model as trained under one seed.

    Attributes
    ----------
    model : str
        The model's name in the config.
    number : int
        The number of the seed, from 1.
    """

    model: str
    number: int

    @classmethod
    def of(cls, name: str) -> "Replicate":
        """Find model and number in a replicate's name.

        Examples
        --------
        >>> from fkd.study.replicates import Replicate
        >>> Replicate.of("resnet18_cl.2")
        Replicate(model='resnet18_cl', number=2)
        >>> Replicate.of("resnet18_cl").number
        1
        """
        model, dot, number = name.rpartition(".")
        return cls(model, int(number)) if dot and number.isdigit() else cls(name, 1)

    @property
    def name(self) -> str:
        """The replicate's name in files."""
        return f"{self.model}.{self.number}" if self.number > 1 else self.model


def replicates_of(model: str, count: int) -> list[str]:
    """List the names of the first replicates of a model.

    Parameters
    ----------
    model : str
        The model's name in the config.
    count : int
        The number of replicates, from 1.
    """
    return [Replicate(model, number).name for number in range(1, count + 1)]
