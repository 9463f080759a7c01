"""The training of the students.

Requires: results/crops/{shard}.h5, and results/{teacher}/responses/{shard}.h5 and
results/{teacher}/geometry/{shard}.h5 if the student's loss needs them.
Gives: results/students/{student}/weights.safetensors and losses.csv. `replicates` trains each
student under several seeds: resnet18_cl, resnet18_cl.2 and so on.
"""


rule random_student:
    output:
        "results/students/{student}/weights.safetensors",
    log:
        "results/logs/random_student/{student}.log",
    benchmark:
        "results/benchmarks/random_student/{student}.tsv"
    wildcard_constraints:
        student=any_of(replicates(sorted(set(study.students) - set(study.trained)))),
    group:
        "model"
    conda:
        NETWORK_ENV
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        code=code_of("random_student", networks=lambda w: [w.student]),
        networks=config["networks"],
        settings=lambda w: dict(
            architecture=study.student(w.student).architecture,
            seed=study.seed_of(w.student),
        ),
    message:
        "Drawing the weights of {wildcards.student}"
    script:
        "../scripts/random_student.py"


rule train_student:
    input:
        crops=expand("results/crops/{shard}.h5", shard=SHARDS),
        responses=student_responses,
        geometry=student_geometry,
        teacher=student_teacher,
    output:
        weights="results/students/{student}/weights.safetensors",
        losses="results/students/{student}/losses.csv",
    log:
        "results/logs/train_student/{student}.log",
    benchmark:
        "results/benchmarks/train_student/{student}.tsv"
    wildcard_constraints:
        student=any_of(replicates(study.trained)),
    conda:
        NETWORK_ENV
    threads: config["threads"]
    resources:
        mem_mb=growing(TRAINING_MB),
        runtime=growing(480),
        gpu=GPU,
    params:
        code=code_of("train_student", networks=lambda w: [w.student], losses=True),
        checkpoint="results/students/{student}/checkpoint.pt",
        networks=config["networks"],
        recipe=config["training"],
        settings=student_settings,
    message:
        "Training {wildcards.student}"
    script:
        "../scripts/train_student.py"
