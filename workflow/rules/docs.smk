"""The measured parts of README.md: filled, never typed.

Requires: the results of the default study and of the study iam-cedar, each run as README.md says,
and of the benchmarks.
Gives: README.md, its parts between markers anew, and the figures that it shows in docs/figures;
with `snakemake --cores 2 docs`.
"""

IAM_CEDAR = "workflow/studies/iam-cedar"


rule describe_networks:
    output:
        "results/docs/networks.md",
    log:
        "results/logs/describe_networks.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("describe_networks"),
    message:
        "Describing the networks"
    script:
        "../scripts/describe_networks.py"


rule describe_runs:
    input:
        "results/tables/run_times.csv",
        f"{IAM_CEDAR}/results/tables/run_times.csv",
    output:
        "results/docs/runs.md",
    log:
        "results/logs/describe_runs.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("describe_runs"),
        commands=["snakemake --cores 2", f"snakemake --cores 2 -d {IAM_CEDAR}"],
    message:
        "Describing what studies take"
    script:
        "../scripts/describe_runs.py"


rule docs:
    input:
        "results/figures/pipeline.png",
        "results/figures/appearance.png",
        "results/figures/tree.png",
        "results/docs/networks.md",
        "results/docs/runs.md",
        "results/benchmarks/benchmarks.md",
        f"{IAM_CEDAR}/results/tables/table4.md",
        f"{IAM_CEDAR}/results/tables/table5.md",
        f"{IAM_CEDAR}/results/figures/references.png",
    output:
        update("README.md"),
    log:
        "results/logs/docs.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("fill_documents"),
        figures="docs/figures",
    message:
        "Filling the measured parts of {output}"
    script:
        "../scripts/fill_documents.py"
