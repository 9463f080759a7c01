"""The report: figures, the paper's tables, the paragraphs on methods and the model cards.

Requires: the results of the other stages, from pages to scores.
Gives: results/figures, further files in results/tables, results/models/{model}.md, and the tables
as HTML pages in results/report.
"""


rule figure_pipeline:
    input:
        pages="results/pages/pages.csv",
        crops=expand("results/crops/{shard}.h5", shard=SHARDS),
        teacher="results/teacher/weights.safetensors",
        signatures=f"results/signatures/{JUDGED}.h5",
        features=f"results/features/{JUDGED}/{SHOWN}.h5",
        scores=f"results/scores/{JUDGED}/{SHOWN}-{study.most_references(JUDGED)}.h5",
        metrics=expand(
            "results/metrics/{name}/{model}-{references}.csv",
            name=JUDGED,
            model=COMPARED,
            references=study.most_references(JUDGED),
        ),
    output:
        **figure("pipeline"),
    log:
        "results/logs/figure_pipeline.log",
    benchmark:
        "results/benchmarks/figure_pipeline.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_pipeline", networks=[TEACHER]),
        settings=dict(
            student=SHOWN,
            is_drawn=JUDGED in study.drawn_signatures,
            students=config["students"],
            maps=study.guiding_maps or ["conv2"],
            radius=config["geometry"]["radius"],
            max_pixels=config["max_pixels"],
            seed=config["seed"],
        ),
    message:
        "Drawing the study in one picture"
    script:
        "../scripts/figure_pipeline.py"


rule figure_page:
    input:
        stripes=expand("results/stripes/{shard}.h5", shard=SHARDS),
        crops=expand("results/crops/{shard}.h5", shard=SHARDS),
    output:
        **figure("page"),
    log:
        "results/logs/figure_page.log",
    benchmark:
        "results/benchmarks/figure_page.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_page"),
        seed=config["seed"],
    message:
        "Drawing a page with its stripes and cuts"
    script:
        "../scripts/figure_page.py"


rule figure_tree:
    input:
        signatures=f"results/signatures/{JUDGED}.h5",
        teacher="results/teacher/weights.safetensors",
    output:
        **figure("tree"),
    log:
        "results/logs/figure_tree.log",
    benchmark:
        "results/benchmarks/figure_tree.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_tree", networks=[TEACHER]),
        settings=dict(
            maps=study.guiding_maps,
            radius=config["geometry"]["radius"],
            seed=config["seed"],
        ),
    message:
        "Drawing the teacher's trees over a signature"
    script:
        "../scripts/figure_tree.py"


rule figure_contrast:
    input:
        signatures=f"results/signatures/{JUDGED}.h5",
        teacher="results/teacher/weights.safetensors",
        students=expand(
            "results/students/{student}/weights.safetensors", student=study.contrasted
        ),
    output:
        **figure("contrast"),
    log:
        "results/logs/figure_contrast.log",
    benchmark:
        "results/benchmarks/figure_contrast.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_contrast", networks=[TEACHER, *study.contrasted]),
        settings=dict(
            students={name: config["students"][name] for name in study.contrasted},
            maps=study.guiding_maps,
            connections=config["geometry"]["connections"],
            radius=config["geometry"]["radius"],
            seed=config["seed"],
        ),
    message:
        "Drawing the contrast of teacher and students"
    script:
        "../scripts/figure_contrast.py"


rule figure_losses:
    input:
        LOSSES,
    output:
        **figure("losses"),
    log:
        "results/logs/figure_losses.log",
    benchmark:
        "results/benchmarks/figure_losses.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_losses", names=True),
        students=config["students"],
    message:
        "Drawing the losses over the epochs"
    script:
        "../scripts/figure_losses.py"


rule figure_references:
    input:
        metrics,
    output:
        **figure("references"),
    log:
        "results/logs/figure_references.log",
    benchmark:
        "results/benchmarks/figure_references.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_references", names=True),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Drawing error rates against the number of references"
    script:
        "../scripts/figure_references.py"


rule figure_splits:
    input:
        metrics,
    output:
        **figure("splits"),
    log:
        "results/logs/figure_splits.log",
    benchmark:
        "results/benchmarks/figure_splits.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_splits"),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Drawing the error rates of every split"
    script:
        "../scripts/figure_splits.py"


rule figure_curves:
    input:
        expand(
            "results/scores/{{name}}/{model}-{{references}}.h5",
            model=study.models,
        ),
    output:
        **figure("curves/{name}-{references}", set="{name}"),
    log:
        "results/logs/figure_curves/{name}-{references}.log",
    benchmark:
        "results/benchmarks/figure_curves/{name}-{references}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_curves", names=True),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Drawing the error curves of {wildcards.name}, {wildcards.references} references"
    script:
        "../scripts/figure_curves.py"


rule figure_ranks:
    input:
        metrics,
    output:
        **figure("ranks"),
    log:
        "results/logs/figure_ranks.log",
    benchmark:
        "results/benchmarks/figure_ranks.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_ranks"),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Drawing the ranks of models and what tells them apart"
    script:
        "../scripts/figure_ranks.py"


rule figure_writers:
    input:
        expand(
            "results/scores/{{name}}/{model}-{{references}}.h5",
            model=study.models,
        ),
    output:
        **figure("writers/{name}-{references}", set="{name}"),
    log:
        "results/logs/figure_writers/{name}-{references}.log",
    benchmark:
        "results/benchmarks/figure_writers/{name}-{references}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_writers"),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Drawing the error rates of each writer of {wildcards.name}, {wildcards.references} references"
    script:
        "../scripts/figure_writers.py"


rule figure_scores:
    input:
        "results/scores/{name}/{model}-{references}.h5",
    output:
        **figure("scores/{name}/{model}-{references}", set="{name}"),
    log:
        "results/logs/figure_scores/{name}/{model}-{references}.log",
    benchmark:
        "results/benchmarks/figure_scores/{name}/{model}-{references}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_scores"),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Drawing the scores of {wildcards.model} on {wildcards.name}"
    script:
        "../scripts/figure_scores.py"


rule figure_features:
    input:
        "results/features/{name}/{model}.h5",
    output:
        **figure("features/{name}/{model}", set="{name}"),
    log:
        "results/logs/figure_features/{name}/{model}.log",
    benchmark:
        "results/benchmarks/figure_features/{name}/{model}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_features"),
        settings=dict(students=config["students"], drawn=study.drawn_signatures),
    message:
        "Mapping the features of {wildcards.name} by {wildcards.model}"
    script:
        "../scripts/figure_features.py"


rule figure_correlations:
    input:
        teacher="results/features/{name}/teacher.h5",
        features=expand("results/features/{{name}}/{model}.h5", model=study.compared),
    output:
        **figure("correlations/{name}", set="{name}"),
    log:
        "results/logs/figure_correlations/{name}.log",
    benchmark:
        "results/benchmarks/figure_correlations/{name}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_correlations"),
        students=config["students"],
    message:
        "Drawing the correlations with the teacher on {wildcards.name}"
    script:
        "../scripts/figure_correlations.py"


rule figure_hardest:
    input:
        signatures="results/signatures/{name}.h5",
        scores="results/scores/{name}/{model}-{references}.h5",
    output:
        **figure("hardest/{name}/{model}-{references}", set="{name}"),
    log:
        "results/logs/figure_hardest/{name}/{model}-{references}.log",
    benchmark:
        "results/benchmarks/figure_hardest/{name}/{model}-{references}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("figure_hardest"),
    message:
        "Drawing the hardest cases of {wildcards.model} on {wildcards.name}"
    script:
        "../scripts/figure_hardest.py"


rule write_paper_table:
    input:
        metrics=metrics,
        signatures=expand("results/signatures/{name}.h5", name=study.judged),
        leaks=LEAKS,
    output:
        csv="results/tables/table{table}.csv",
        markdown="results/tables/table{table}.md",
        latex="results/tables/table{table}.tex",
    log:
        "results/logs/write_paper_table/{table}.log",
    benchmark:
        "results/benchmarks/write_paper_table/{table}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_paper_table"),
        published=content_of(PUBLISHED),
        settings=dict(
            title=config["title"],
            students=config["students"],
            synthetic=study.synthetic,
            layouts={
                name: config["signatures"][name]["layout"] for name in study.judged
            },
            protocols=PROTOCOLS,
        ),
    message:
        "Writing table {wildcards.table} of the paper"
    script:
        "../scripts/write_paper_table.py"


rule describe_data:
    input:
        pages=["results/pages/pages.csv"] * study.has_text,
        crops=expand("results/crops/{shard}.h5", shard=SHARDS) * study.has_text,
        text_aside=["results/quarantine/text.csv"] * study.has_text,
        signatures=expand("results/signatures/{name}.h5", name=study.used),
        signatures_aside=expand(
            "results/quarantine/signatures/{name}.csv", name=study.used
        ),
    output:
        csv="results/tables/data.csv",
        markdown="results/tables/data.md",
    log:
        "results/logs/describe_data.log",
    benchmark:
        "results/benchmarks/describe_data.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("describe_data"),
        settings=dict(
            text_layout=config["pages"]["layout"] if study.has_text else None,
            layouts={
                name: config["signatures"][name]["layout"] for name in study.used
            },
            development=study.development,
            thresholds=config["evaluation"]["development"],
            protocols=PROTOCOLS,
        ),
    message:
        "Counting text and signatures"
    script:
        "../scripts/describe_data.py"


rule write_methods:
    input:
        data="results/tables/data.csv",
        models=expand("results/models/{model}.onnx", model=TRAINED),
    output:
        "results/tables/methods.md",
    log:
        "results/logs/write_methods.log",
    benchmark:
        "results/benchmarks/write_methods.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_methods", names=True),
        defaults=content_of(SCHEMA),
        # A digest, because Snakemake prints parameters that have changed.
        settings=digest_of(study.methods),
    message:
        "Writing the paragraphs on methods"
    script:
        "../scripts/write_methods.py"


rule write_cards:
    input:
        models=expand("results/models/{model}.onnx", model=CARDED),
        teacher=expand("results/models/{model}.onnx", model=MODELS[:1]),
        eer="results/tables/eer.csv",
        data="results/tables/data.csv",
        verifiers=["results/tables/verifiers.csv"] if VERIFIED else [],
    output:
        expand("results/models/{model}.md", model=CARDED),
    log:
        "results/logs/write_cards.log",
    benchmark:
        "results/benchmarks/write_cards.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_cards", names=True),
        settings=dict(title=config["title"], license=config["license"]),
    message:
        "Writing the models' cards"
    script:
        "../scripts/write_cards.py"


rule write_hypertext:
    input:
        "results/tables/{table}.md",
    output:
        report(
            "results/report/{category}/{table}.html",
            caption="../report/table.rst",
            category="{category}",
            labels={"table": "{table}"},
        ),
    log:
        "results/logs/write_hypertext/{category}/{table}.log",
    benchmark:
        "results/benchmarks/write_hypertext/{category}/{table}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("write_hypertext"),
    message:
        "Showing {wildcards.table} as a page"
    script:
        "../scripts/write_hypertext.py"
