"""The networks in numbers, as the code builds them."""

from pathlib import Path

import pandas as pd
import torch

from fkd.logs import stage
from fkd.preprocess import INPUT
from fkd.storage.atomic import writing
from fkd.study.parts import ARCHITECTURES, FEATURES, code_of_part


def describe_networks(*, out: Path) -> None:
    """Describe what goes into a published-size model, what comes out, and its size.

    Parameters
    ----------
    out : Path
        Markdown: a sentence and a table.
    """
    rows = []
    # Networks with a length of their own are those of Siamese networks; see docs/pairs.md.
    for architecture in (known for known in ARCHITECTURES.values() if known.features is None):
        with torch.device("meta"):
            network = code_of_part(architecture.network)(num_classes=None)
            maps, _ = network.describe(torch.empty(2, 1, *INPUT))
        sizes = ("{2} x {3} x {1}".format(*found.shape) for found in maps.values())
        parts = (f"{name} {size}" for name, size in zip(maps, sizes, strict=True))
        count = sum(values.numel() for values in network.parameters())
        rows.append(
            {
                "network": type(network).__name__,
                "parameters": f"{count:,}",
                "feature maps": ", ".join(parts),
            }
        )
    shown = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    with writing(out) as part:
        part.write_text(
            "A model takes `image` (batch, 1, {}, {}) float32 in [0, 1], ink bright on black, and "
            "gives `feature` (batch, {}) float32 in the published size, from these networks:\n\n"
            "{}\n".format(*INPUT, FEATURES, shown),
            encoding="utf-8",
        )


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        describe_networks(out=Path(snakemake.output[0]))
