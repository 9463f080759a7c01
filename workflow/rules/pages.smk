"""The text, from pages of handwriting to text crops.

Requires: the pages in `pages.path`, unless they are drawn.
Gives: results/crops/{shard}.h5, the text crops on which students are trained, and
results/quarantine/text.csv, the list of pages and crops that were set aside.
"""


rule draw_pages:
    output:
        directory("results/synthetic/pages/{part}"),
    log:
        "results/logs/draw_pages/{part}.log",
    benchmark:
        "results/benchmarks/draw_pages/{part}.tsv"
    group:
        "pages"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_of("draw_pages"),
        settings=lambda w: drawn_in(w.part, config["pages"]["draw"]),
    message:
        "Drawing pages of handwriting, part {wildcards.part}"
    script:
        "../scripts/draw_pages.py"


rule list_pages:
    input:
        **pages_inputs(),
    output:
        pages="results/pages/pages.csv",
        quarantine="results/pages/set_aside.csv",
    log:
        "results/logs/list_pages.log",
    benchmark:
        "results/benchmarks/list_pages.tsv"
    group:
        "pages"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=code_of("list_pages"),
        source=pages_state(),
        settings=dict(
            layout=pages_source()[0],
            pattern=pages_source()[2],
            shards=config["shards"],
            validation_share=config["pages"]["validation_share"],
            seed=config["seed"],
        ),
    message:
        "Listing the pages"
    script:
        "../scripts/list_pages.py"


rule segment_pages:
    input:
        "results/pages/pages.csv",
    output:
        stripes="results/stripes/{shard}.h5",
        quarantine="results/stripes/{shard}.set_aside.csv",
    log:
        "results/logs/segment_pages/{shard}.log",
    benchmark:
        "results/benchmarks/segment_pages/{shard}.tsv"
    group:
        "shard"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_of("segment_pages"),
        settings=dict(
            max_pixels=config["max_pixels"],
            min_rows=config["pages"]["min_rows"],
            min_columns=config["pages"]["min_columns"],
            ink_gray=config["pages"]["ink_gray"],
            ready_made=config["pages"]["layout"] == CROPS,
            seed=config["seed"],
        ),
    message:
        "Cutting pages into stripes, shard {wildcards.shard}"
    script:
        "../scripts/segment_pages.py"


rule make_crops:
    input:
        "results/stripes/{shard}.h5",
    output:
        crops="results/crops/{shard}.h5",
        quarantine="results/crops/{shard}.set_aside.csv",
    log:
        "results/logs/make_crops/{shard}.log",
    benchmark:
        "results/benchmarks/make_crops/{shard}.tsv"
    group:
        "shard"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_of("make_crops"),
        settings=dict(config["crops"], seed=config["seed"]),
    message:
        "Cutting stripes into crops, shard {wildcards.shard}"
    script:
        "../scripts/make_crops.py"


rule check_text:
    input:
        pages="results/pages/pages.csv",
        crops=expand("results/crops/{shard}.h5", shard=SHARDS),
        page_lists=[
            "results/pages/set_aside.csv",
            *expand("results/stripes/{shard}.set_aside.csv", shard=SHARDS),
        ],
        crop_lists=expand("results/crops/{shard}.set_aside.csv", shard=SHARDS),
    output:
        "results/quarantine/text.csv",
    log:
        "results/logs/check_text.log",
    benchmark:
        "results/benchmarks/check_text.tsv"
    priority: 100
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code_of("check_text"),
        max_share=config["quarantine"]["max_share"],
    message:
        "Counting what was set aside of the text"
    script:
        "../scripts/check_text.py"
