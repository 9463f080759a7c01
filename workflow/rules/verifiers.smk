"""Verifiers whose thresholds are set beforehand, and verification across sets.

Requires: results/features of judged sets and of `evaluation.development`, and results/scores.
Gives: results/machines, the machines of pairs; results/pairs, the scores and rates of verifiers of pairs; results/verifiers, the thresholds
and calibrations; results/evidence, what they are worth on judged sets; and the tables
results/tables/across.csv and verifiers.csv.
"""


rule train_wi:
    input:
        development_features,
    output:
        "results/machines/{model}.h5",
    log:
        "results/logs/train_wi/{model}.log",
    benchmark:
        "results/benchmarks/train_wi/{model}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=growing(6000),
        runtime=growing(120),
    params:
        code=code_of("train_wi"),
        settings={
            key: config["evaluation"][key]
            for key in ("development_references", "seed", "C", "gamma")
        },
    message:
        "Training the machine of pairs of {wildcards.model}"
    script:
        "../scripts/train_wi.py"


rule evaluate_wi:
    input:
        unpack(machine),
        features="results/features/{name}/{model}.h5",
    output:
        metrics="results/pairs/{verifier}/{name}/{model}-{references}.csv",
        scores="results/pairs/{verifier}/{name}/{model}-{references}.h5",
    log:
        "results/logs/evaluate_wi/{verifier}/{name}/{model}-{references}.log",
    benchmark:
        "results/benchmarks/evaluate_wi/{verifier}/{name}/{model}-{references}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_of("evaluate_wi"),
        protocol=pair_protocol,
    message:
        "Verifying {wildcards.name} by {wildcards.model}, {wildcards.references} references, {wildcards.verifier}"
    script:
        "../scripts/evaluate_wi.py"


rule set_verifier:
    input:
        development_features,
    output:
        "results/verifiers/{verifier}/{model}-{references}.h5",
    log:
        "results/logs/set_verifier/{verifier}/{model}-{references}.log",
    benchmark:
        "results/benchmarks/set_verifier/{verifier}/{model}-{references}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
    params:
        code=code_of("set_verifier"),
        settings=verifier_settings,
    message:
        "Setting thresholds of {wildcards.model}, {wildcards.references} references, {wildcards.verifier}"
    script:
        "../scripts/set_verifier.py"


rule judge_verifier:
    input:
        scores=scores_of_verifier,
        verifier=verifiers_of_model,
    output:
        "results/evidence/{verifier}/{name}/{model}-{references}.csv",
    log:
        "results/logs/judge_verifier/{verifier}/{name}/{model}-{references}.log",
    benchmark:
        "results/benchmarks/judge_verifier/{verifier}/{name}/{model}-{references}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_of("judge_verifier"),
    message:
        "Measuring thresholds of {wildcards.model} on {wildcards.name}, {wildcards.references} references, {wildcards.verifier}"
    script:
        "../scripts/judge_verifier.py"


rule write_across:
    input:
        metrics=lambda w: metrics(w) + pair_metrics(),
        checked=CHECKS,
        leaks=LEAKS,
    output:
        csv="results/tables/across.csv",
        markdown="results/tables/across.md",
    log:
        "results/logs/write_across.log",
    benchmark:
        "results/benchmarks/write_across.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_across"),
        title=config["title"],
        students=config["students"],
    message:
        "Writing the table across sets"
    script:
        "../scripts/write_across.py"


rule write_verifiers:
    input:
        evidence=lambda w: evidence(),
        checked=CHECKS,
        leaks=LEAKS,
    output:
        csv="results/tables/verifiers.csv",
        markdown="results/tables/verifiers.md",
    log:
        "results/logs/write_verifiers.log",
    benchmark:
        "results/benchmarks/write_verifiers.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_verifiers"),
        settings=dict(
            title=config["title"],
            development=config["evaluation"]["development"],
            learned=study.development,
            replicates=config["replicates"],
        ),
        students=config["students"],
    message:
        "Writing the table of thresholds and evidence"
    script:
        "../scripts/write_verifiers.py"


rule figure_evidence:
    input:
        scores=lambda w: scores_of_verifier(w)[0],
        verifier=lambda w: verifiers_of_model(w)[0],
    output:
        **figure(
            "evidence/{name}/{verifier}/{model}-{references}",
            set="{name}",
            verifier="{verifier}",
        ),
    log:
        "results/logs/figure_evidence/{name}/{verifier}/{model}-{references}.log",
    benchmark:
        "results/benchmarks/figure_evidence/{name}/{verifier}/{model}-{references}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_evidence"),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Drawing the evidence of {wildcards.model} on {wildcards.name}, {wildcards.references} references, {wildcards.verifier}"
    script:
        "../scripts/figure_evidence.py"
