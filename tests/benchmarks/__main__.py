"""``python -m benchmarks``, with this folder's parent on Python's path: run all and write both tables."""

import argparse
import json
from pathlib import Path

import pandas as pd
import torch

from benchmarks import (
    geometry,
    independent,
    pairs,
    preprocessing,
    service,
    steps,
    training,
    verification,
)
from fkd.device import memory_kept
from fkd.study.provenance import processor

TARGETS = {
    "normalize": ">= 8",
    "teacher_targets": ">= 10",
    "cache_stage": ">= 0.7",
    "nac_loss": ">= 6",
    "nac_memory": ">= 3",
    "fkd_step": "<= 1.10",
    **{
        f"{kind}_{architecture}_{precision}": wanted
        for kind, wanted in (("step", ">= 0.9"), ("guided_step", ">= 0.9"), ("limit", "–"))
        for architecture in steps.NETWORKS
        for precision in steps.DTYPES
    },
    "pair_step": "<= 2.1",
    "wd_cedar": ">= 20",
    "wd_gpds": ">= 40",
    "wi_split": ">= 4",
    "wi_memory": ">= 1",
    "train_memory": ">= 1",
    "verification": "<= 1.5",
    "service_1": "<= 1.5",
    "service_8": "<= 1.5",
    "service_32": "<= 1.5",
    "explanation": ">= 1",
}
"""What the ratios should be on two CPU cores."""

ON_GPU = {
    "cuda_cache_stage": "crops a second through the cache stage, writing included",
    "cuda_student": "minutes for a student of all losses, 60,000 crops, 60 epochs, batch 64",
    "cuda_step": "a step of it against one with CL alone, data on the device",
}


MODULES = (
    preprocessing,
    geometry,
    training,
    steps,
    pairs,
    verification,
    independent,
    service,
)


def main() -> None:
    """Run the benchmarks and write them as JSON and Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-k", default="", help="only benchmarks whose name holds this text")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    with memory_kept():  # as in a training, for both sides
        for module in MODULES:
            for benchmark in module.benchmarks():
                if arguments.k in benchmark.name:
                    rows.append(benchmark.measure())
                    print(json.dumps(rows[-1]), flush=True)
    arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    arguments.markdown.write_text(markdown(rows, arguments.threads))


def markdown(rows: list[dict], threads: int) -> str:
    """Show the rows as a table, and what was not measured."""
    table = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            "name": table["name"],
            "what": table["what"],
            "ours": [f"{r['ours']:.4g} {r['unit']}" for r in rows],
            "baseline": [f"{r['baseline']:.4g} {r['unit']}" for r in rows],
            "ratio": [f"{r['ratio']:.3g}" for r in rows],
            "wanted": [TARGETS[r["name"]] for r in rows],
            "runs": table["runs"],
        }
    )
    on_gpu = "".join(f"- `{name}`: {what}: not measured\n" for name, what in ON_GPU.items())
    return (
        "# Benchmarks\n\n"
        f"{threads} threads on {processor()}, PyTorch {torch.__version__}. Times are medians; both "
        "sides alternate in one process, and are checked to give the same result. The ratio is "
        "baseline / ours, but ours / baseline for `fkd_step`, `pair_step` and `service`.\n\n"
        f"{shown.to_markdown(index=False)}\n\nOn a GPU:\n\n{on_gpu}"
    )


if __name__ == "__main__":
    main()
