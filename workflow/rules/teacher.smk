"""The teacher, and the targets that it computes for every text crop.

Requires: results/signatures/{name}.h5 of the development sets or the file of `teacher.weights`,
and results/crops/{shard}.h5.
Gives: results/teacher/weights.safetensors, results/teacher/responses/{shard}.h5 and
results/teacher/geometry/{shard}.h5; and the same for teacher.2 and so on, if a teacher is trained
under every seed.
"""

if config["teacher"]["weights"]:

    rule import_teacher:
        input:
            data_path(config["teacher"]["weights"]),
        output:
            "results/teacher/weights.safetensors",
        log:
            "results/logs/import_teacher.log",
        benchmark:
            "results/benchmarks/import_teacher.tsv"
        conda:
            NETWORK_ENV
        resources:
            mem_mb=growing(3000),
            runtime=growing(30),
        params:
            code=code_of("import_teacher"),
            source=state_of(data_path(config["teacher"]["weights"])),
        message:
            "Importing the teacher"
        script:
            "../scripts/import_teacher.py"

else:

    rule train_teacher:
        input:
            signatures=expand("results/signatures/{name}.h5", name=study.lessons),
        output:
            weights="results/{teacher}/weights.safetensors",
            losses="results/{teacher}/losses.csv",
        log:
            "results/logs/train_teacher/{teacher}.log",
        benchmark:
            "results/benchmarks/train_teacher/{teacher}.tsv"
        conda:
            NETWORK_ENV
        threads: config["threads"]
        resources:
            mem_mb=growing(TRAINING_MB),
            runtime=growing(480),
            gpu=GPU,
        params:
            code=code_of("train_teacher", networks=[TEACHER]),
            checkpoint="results/{teacher}/checkpoint.pt",
            networks=config["networks"],
            recipe=config["teacher"]["training"],
            settings=lambda w: dict(
                architecture=config["teacher"]["architecture"],
                forgeries=config["teacher"]["forgeries"],
                seed=study.seed_of(w.teacher),
                device=config["device"],
            ),
        message:
            "Training the {wildcards.teacher}"
        script:
            "../scripts/train_teacher.py"


rule cache_responses:
    input:
        crops="results/crops/{shard}.h5",
        teacher="results/{teacher}/weights.safetensors",
    output:
        "results/{teacher}/responses/{shard}.h5",
    log:
        "results/logs/cache_responses/{teacher}/{shard}.log",
    benchmark:
        "results/benchmarks/cache_responses/{teacher}/{shard}.tsv"
    conda:
        NETWORK_ENV
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=GPU,
    params:
        code=code_of("cache_responses", networks=[TEACHER]),
        settings=dict(
            half_precision=config["teacher"]["half_precision"],
            device=config["device"],
        ),
    message:
        "Asking the responses of the {wildcards.teacher}, shard {wildcards.shard}"
    script:
        "../scripts/cache_responses.py"


rule cache_geometry:
    input:
        crops="results/crops/{shard}.h5",
        teacher="results/{teacher}/weights.safetensors",
    output:
        "results/{teacher}/geometry/{shard}.h5",
    log:
        "results/logs/cache_geometry/{teacher}/{shard}.log",
    benchmark:
        "results/benchmarks/cache_geometry/{teacher}/{shard}.tsv"
    conda:
        NETWORK_ENV
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=GPU,
    params:
        code=code_of("cache_geometry", networks=[TEACHER]),
        settings=dict(
            maps=study.connected_maps,
            radius=config["geometry"]["radius"],
            device=config["device"],
        ),
    message:
        "Spanning the maps of the {wildcards.teacher} by trees, shard {wildcards.shard}"
    script:
        "../scripts/cache_geometry.py"
