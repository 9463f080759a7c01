"""The signatures, from images to prepared sets.

Requires: the sets in `signatures`, unless they are drawn.
Gives: results/signatures/{name}.h5, the images prepared for the networks,
results/quarantine/signatures/{name}.csv, the list of files that were set aside; the same for
{name}.2 and so on, if a drawn set is fresh in each epoch;
results/quarantine/copies.csv, signatures that two sets have in common; and the comparison of crops
and signatures in results/tables/appearance.csv and appearance.md; and of drawn signatures with those of people in
realism.csv and realism.md, if there are both.
"""


rule draw_signatures:
    output:
        directory("results/synthetic/signatures/{name}/{part}"),
    log:
        "results/logs/draw_signatures/{name}/{part}.log",
    benchmark:
        "results/benchmarks/draw_signatures/{name}/{part}.tsv"
    priority: 50
    group:
        "set"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_of("draw_signatures"),
        settings=drawing_settings,
    message:
        "Drawing the signatures of {wildcards.name}, part {wildcards.part}"
    script:
        "../scripts/draw_signatures.py"


rule prepare_signatures:
    input:
        unpack(signatures_inputs),
    output:
        signatures="results/signatures/{name}.h5",
        quarantine="results/quarantine/signatures/{name}.csv",
    log:
        "results/logs/prepare_signatures/{name}.log",
    benchmark:
        "results/benchmarks/prepare_signatures/{name}.tsv"
    priority: 50
    group:
        "set"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        code=code_of("prepare_signatures", layouts=True),
        source=signatures_state,
        settings=signatures_settings,
    message:
        "Preparing the signatures of {wildcards.name}"
    script:
        "../scripts/prepare_signatures.py"


rule check_signatures:
    input:
        signatures=expand("results/signatures/{name}.h5", name=study.used),
        quarantine=expand("results/quarantine/signatures/{name}.csv", name=study.used),
        pairs=expand("results/siamese/pairs/{name}.h5", name=study.pairs),
    output:
        "results/quarantine/copies.csv",
    log:
        "results/logs/check_signatures.log",
    benchmark:
        "results/benchmarks/check_signatures.tsv"
    priority: 100
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("check_signatures"),
        settings=dict(
            teacher=study.development,
            verifiers=config["evaluation"]["development"],
            judged=list(study.judged),
            max_share=config["quarantine"]["max_share"],
        ),
    message:
        "Comparing the sets of signatures"
    script:
        "../scripts/check_signatures.py"


rule compare_appearance:
    input:
        crops=expand("results/crops/{shard}.h5", shard=SHARDS),
        signatures=expand(
            "results/signatures/{name}.h5", name=config["evaluation"]["sets"]
        ),
    output:
        **figure("appearance"),
        csv="results/tables/appearance.csv",
        markdown="results/tables/appearance.md",
    log:
        "results/logs/compare_appearance.log",
    benchmark:
        "results/benchmarks/compare_appearance.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_of("compare_appearance"),
        seed=config["seed"],
    message:
        "Comparing crops with signatures"
    script:
        "../scripts/compare_appearance.py"


rule compare_drawn:
    input:
        expand("results/signatures/{name}.h5", name=study.used),
    output:
        **figure("realism"),
        csv="results/tables/realism.csv",
        markdown="results/tables/realism.md",
    log:
        "results/logs/compare_drawn.log",
    benchmark:
        "results/benchmarks/compare_drawn.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_of("compare_drawn"),
        settings=dict(drawn=DRAWN, seed=config["seed"]),
    message:
        "Telling drawn signatures from real ones"
    script:
        "../scripts/compare_drawn.py"
