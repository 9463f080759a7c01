"""The evaluation of models, from weights to tables.

Requires: the weights of teacher and students, the ONNX files or features of `models`, and
results/signatures/{name}.h5.
Gives: results/whitening, results/models/{model}.onnx, results/features, results/scores and
results/metrics, results/differences, the tables results/tables/eer.csv and eer.md, and results/tables/run_times.csv and run_times.md.
"""


rule fit_whitening:
    input:
        weights=model_weights,
        signatures=[f"results/signatures/{name}.h5" for name in study.whitening_sets],
    output:
        "results/whitening/{model}.h5",
    log:
        "results/logs/fit_whitening/{model}.log",
    benchmark:
        "results/benchmarks/fit_whitening/{model}.tsv"
    group:
        "model"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        code=code_of("fit_whitening", networks=lambda w: [w.model]),
        maps=study.whitened_maps,
    message:
        "Measuring how signatures of a writer differ for {wildcards.model}"
    script:
        "../scripts/fit_whitening.py"


rule export_onnx:
    input:
        weights=model_weights,
        whitening=["results/whitening/{model}.h5" for _ in study.whitening_sets],
    output:
        "results/models/{model}.onnx",
    log:
        "results/logs/export_onnx/{model}.log",
    benchmark:
        "results/benchmarks/export_onnx/{model}.tsv"
    group:
        "model"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(3000),
        runtime=growing(15),
    params:
        code=code_of("export_onnx", networks=lambda w: [w.model]),
        precision=config["export"]["precision"],
    message:
        "Exporting {wildcards.model}"
    script:
        "../scripts/export_onnx.py"


rule extract_features:
    input:
        model=lambda w: onnx_file(w.model),
        signatures="results/signatures/{name}.h5",
    output:
        "results/features/{name}/{model}.h5",
    log:
        "results/logs/extract_features/{name}/{model}.log",
    benchmark:
        "results/benchmarks/extract_features/{name}/{model}.tsv"
    wildcard_constraints:
        model=any_of(sorted({*study.judged_models} - {*DESCRIBED})),
    group:
        "model"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        code=code_of("extract_features"),
        source=model_state,
    message:
        "Describing the signatures of {wildcards.name} by {wildcards.model}"
    script:
        "../scripts/extract_features.py"


rule import_features:
    input:
        features=features_file,
        signatures="results/signatures/{name}.h5",
    output:
        "results/features/{name}/{model}.h5",
    log:
        "results/logs/import_features/{name}/{model}.log",
    benchmark:
        "results/benchmarks/import_features/{name}/{model}.tsv"
    wildcard_constraints:
        model=any_of(DESCRIBED),
    group:
        "model"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(3000),
        runtime=growing(15),
    params:
        code=code_of("import_features"),
        source=lambda w: state_of(features_file(w)),
    message:
        "Taking the features of {wildcards.name} by {wildcards.model}"
    script:
        "../scripts/import_features.py"


rule evaluate_wd:
    input:
        "results/features/{name}/{model}.h5",
    output:
        metrics="results/metrics/{name}/{model}-{references}.csv",
        scores="results/scores/{name}/{model}-{references}.h5",
    log:
        "results/logs/evaluate_wd/{name}/{model}-{references}.log",
    benchmark:
        "results/benchmarks/evaluate_wd/{name}/{model}-{references}.tsv"
    group:
        "model"
    conda:
        "../../envs/cpu.yaml"
    # Scores do not depend on threads and memory, which determine how many writers and how many
    # splits are computed at the same time.
    threads: 4
    resources:
        mem_mb=growing(2400),
        runtime=growing(20),
    params:
        code=code_of("evaluate_wd"),
        settings=evaluation_settings,
    message:
        "Verifying {wildcards.name} by {wildcards.model}, {wildcards.references} references"
    script:
        "../scripts/evaluate_wd.py"


rule compare_models:
    input:
        expand(
            "results/scores/{{name}}/{model}-{{references}}.h5",
            model=study.judged_models,
        ),
    output:
        "results/differences/{name}-{references}.csv",
    log:
        "results/logs/compare_models/{name}-{references}.log",
    benchmark:
        "results/benchmarks/compare_models/{name}-{references}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_of("compare_models"),
        students=config["students"],
        starts=study.fine_tuned,
    message:
        "Comparing models on {wildcards.name}, {wildcards.references} references, over writers"
    script:
        "../scripts/compare_models.py"


rule write_tables:
    input:
        metrics=metrics,
        differences=differences,
        checked=CHECKS,
        leaks=LEAKS,
    output:
        csv="results/tables/eer.csv",
        markdown="results/tables/eer.md",
    log:
        "results/logs/write_tables.log",
    benchmark:
        "results/benchmarks/write_tables.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_tables"),
        title=config["title"],
        students=config["students"],
        synthetic=study.synthetic,
    message:
        "Writing the tables"
    script:
        "../scripts/write_tables.py"


rule sum_up_times:
    input:
        figures(),
        expand("results/models/{model}.md", model=MODELS[:1]),
        "results/tables/methods.md",
        expand("results/tables/{table}.md", table=RESULTS),
    output:
        csv="results/tables/run_times.csv",
        markdown="results/tables/run_times.md",
    log:
        "results/logs/sum_up_times.log",
    benchmark:
        "results/benchmarks/sum_up_times.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("sum_up_times"),
        measured="results/benchmarks",
    message:
        "Summing up where the time went"
    script:
        "../scripts/sum_up_times.py"
