"""The benchmarks, which compare the steps of the method with straightforward code.

Requires: nothing, because the data are drawn.
Gives: results/benchmarks/benchmarks.json and benchmarks.md, on request by
`snakemake --cores 2 benchmarks`.
"""


rule benchmarks:
    output:
        json="results/benchmarks/benchmarks.json",
        markdown="results/benchmarks/benchmarks.md",
    log:
        "results/logs/benchmarks.log",
    benchmark:
        "results/benchmarks/benchmarks.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    message:
        "Timing the steps of the method"
    script:
        "../scripts/benchmarks.py"
