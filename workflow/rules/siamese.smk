"""Siamese networks, from lists of pairs to tables.

Requires: the pair files in `pairs`, or results/signatures/{name}.h5 of the sets from which pairs are
drawn; the weights of teacher or students if a network starts from these.
Gives: results/siamese/pairs/{pairs}.h5 and results/siamese/audits/{pairs}.csv, the lists and what
their parts have in common; results/quarantine/pairs/{pairs}.csv, the pairs that were set aside;
results/siamese/models/{siamese}/weights.safetensors and losses.csv; results/models/pairs/{siamese}.onnx,
which takes two images and gives a score; results/siamese/rates and results/siamese/scores; and the
tables results/tables/pairs.csv, pairs_audit.csv and fine_tuning.csv.
"""


rule list_pairs:
    input:
        lambda w: pairs_inputs(w.pairs),
    output:
        pairs="results/siamese/pairs/{pairs}.h5",
        audit="results/siamese/audits/{pairs}.csv",
        quarantine="results/quarantine/pairs/{pairs}.csv",
    log:
        "results/logs/list_pairs/{pairs}.log",
    benchmark:
        "results/benchmarks/list_pairs/{pairs}.tsv"
    priority: 100  # check_signatures waits for it
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_of("list_pairs"),
        source=pairs_state,
        settings=pairs_settings,
    message:
        "Listing the pairs {wildcards.pairs}"
    script:
        "../scripts/list_pairs.py"


rule train_siamese:
    input:
        pairs=lambda w: f"results/siamese/pairs/{study.siamese[w.siamese].pairs}.h5",
        start=siamese_start,
    output:
        weights="results/siamese/models/{siamese}/weights.safetensors",
        losses="results/siamese/models/{siamese}/losses.csv",
    log:
        "results/logs/train_siamese/{siamese}.log",
    benchmark:
        "results/benchmarks/train_siamese/{siamese}.tsv"
    conda:
        NETWORK_ENV
    threads: config["threads"]
    resources:
        mem_mb=growing(TRAINING_MB),
        runtime=growing(480),
        gpu=GPU,
    params:
        code=code_of("train_siamese", networks=lambda w: [w.siamese], losses=True),
        source=siamese_state,
        checkpoint="results/siamese/models/{siamese}/checkpoint.pt",
        networks=config["networks"],
        settings=lambda w: dict(
            config["siamese"][w.siamese],
            seed=study.seed_of(w.siamese),
            device=config["device"],
        ),
    message:
        "Training the Siamese network {wildcards.siamese}"
    script:
        "../scripts/train_siamese.py"


rule export_siamese:
    input:
        "results/siamese/models/{siamese}/weights.safetensors",
    output:
        "results/models/pairs/{siamese}.onnx",
    log:
        "results/logs/export_siamese/{siamese}.log",
    benchmark:
        "results/benchmarks/export_siamese/{siamese}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(3000),
        runtime=growing(15),
    params:
        code=code_of("export_siamese", networks=lambda w: [w.siamese]),
    message:
        "Exporting the score of {wildcards.siamese}"
    script:
        "../scripts/export_siamese.py"


rule evaluate_pairs:
    input:
        pairs=lambda w: f"results/siamese/pairs/{study.siamese[w.siamese].pairs}.h5",
        weights="results/siamese/models/{siamese}/weights.safetensors",
    output:
        rates="results/siamese/rates/{siamese}.csv",
        scores="results/siamese/scores/{siamese}.h5",
    log:
        "results/logs/evaluate_pairs/{siamese}.log",
    benchmark:
        "results/benchmarks/evaluate_pairs/{siamese}.tsv"
    conda:
        NETWORK_ENV
    threads: config["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        code=code_of("evaluate_pairs", networks=lambda w: [w.siamese]),
        device=config["device"],
    message:
        "Judging {wildcards.siamese} on pairs"
    script:
        "../scripts/evaluate_pairs.py"


rule write_pairs:
    input:
        rates=expand(
            "results/siamese/rates/{siamese}.csv", siamese=study.judged_on_pairs
        ),
        audits=expand("results/siamese/audits/{pairs}.csv", pairs=study.pairs),
        checked=CHECKS,
    output:
        csv="results/tables/pairs.csv",
        markdown="results/tables/pairs.md",
        audit_csv="results/tables/pairs_audit.csv",
        audit_markdown="results/tables/pairs_audit.md",
    log:
        "results/logs/write_pairs.log",
    benchmark:
        "results/benchmarks/write_pairs.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_pairs", names=True),
        published=content_of(PUBLISHED_PAIRS),
        title=config["title"],
        siamese=config["siamese"],
    message:
        "Writing the tables of pairs"
    script:
        "../scripts/write_pairs.py"


rule write_fine_tuning:
    input:
        differences=differences,
        checked=CHECKS,
    output:
        csv="results/tables/fine_tuning.csv",
        markdown="results/tables/fine_tuning.md",
    log:
        "results/logs/write_fine_tuning.log",
    benchmark:
        "results/benchmarks/write_fine_tuning.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_fine_tuning", names=True),
        siamese=config["siamese"],
        settings=dict(
            title=config["title"],
            starts=study.fine_tuned,
            writers={name: config["pairs"][name]["writers"] for name in study.pairs},
        ),
    message:
        "Writing the table of fine-tuning"
    script:
        "../scripts/write_fine_tuning.py"


rule figure_pairs:
    input:
        pairs=lambda w: f"results/siamese/pairs/{study.siamese[w.siamese].pairs}.h5",
        scores="results/siamese/scores/{siamese}.h5",
    output:
        **figure("pairs/{siamese}", model="{siamese}"),
    log:
        "results/logs/figure_pairs/{siamese}.log",
    benchmark:
        "results/benchmarks/figure_pairs/{siamese}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_pairs"),
    message:
        "Drawing the surest pairs of {wildcards.siamese}"
    script:
        "../scripts/figure_pairs.py"


rule figure_siamese:
    input:
        expand("results/siamese/models/{siamese}/losses.csv", siamese=study.siamese),
    output:
        **figure("siamese"),
    log:
        "results/logs/figure_siamese.log",
    benchmark:
        "results/benchmarks/figure_siamese.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_siamese"),
    message:
        "Drawing the training of Siamese networks"
    script:
        "../scripts/figure_siamese.py"
