"""A study of offline signature verification by feature-based knowledge distillation.

From scanned pages and signatures to tables of equal error rates:

    pages ─ stripes ─ text crops ─ teacher's targets ─ students ─ ONNX ─┐
    signatures ────────── prepared ───────────────────────────── features ─ scores ─ tables

`config.yaml` is the default study, which draws its own data. Other studies lie in
`workflow/studies` and run with `snakemake -d workflow/studies/NAME`.
"""

from snakemake.utils import min_version

min_version("9.13")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/terminal.smk"


report: "workflow/report/study.rst"


if study.has_text:

    include: "workflow/rules/pages.smk"


include: "workflow/rules/signatures.smk"
include: "workflow/rules/teacher.smk"
include: "workflow/rules/students.smk"
include: "workflow/rules/siamese.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/verifiers.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/benchmarks.smk"


rule all:
    default_target: True
    input:
        "results/tables/eer.csv",
        figures(),
        expand("results/models/{model}.md", model=CARDED),
        expand("results/models/pairs/{siamese}.onnx", siamese=study.siamese),
        expand("results/report/Results/{table}.html", table=RESULTS),
        "results/report/Data/data.html",
        ["results/report/Data/appearance.html"] * study.has_text,
        "results/report/Methods/methods.html",
        "results/report/Run/run_times.html",
    localrule: True


# All models as ONNX files, without an evaluation.
rule models:
    input:
        expand(
            "results/models/{model}.onnx",
            model=replicates(MODELS + list(study.siamese)),
        ),
        expand("results/models/pairs/{siamese}.onnx", siamese=study.siamese),
    localrule: True


onstart:
    workflow.folder_lock = lock_folder()
    workflow.began = time()
    claim_results(RESULTS_FOLDER, RECORDS)
    clear_leftovers(RESULTS_FOLDER, workflow.local_exec)
    check_before_first_job()
    announce()


onsuccess:
    if set(workflow.dag_settings.targets) != {"benchmarks"}:  # no run of the study
        record_run(
            out=RESULTS_FOLDER / RUNS,
            began=workflow.began,
            cores=workflow.resource_settings.cores,
            source=CHECKOUT,
        )
    describe_run(
        out=RESULTS_FOLDER / RUN,
        settings=study.settings,
        code=code_of_everything(),
        inputs=inputs_from_elsewhere(),
    )
    if not (workflow.dag_settings.targets or IS_MODULE):
        note_complete(RESULTS_FOLDER, everything())
    lead_through(RESULTS_FOLDER, CHECKOUT)
    sum_up()


onerror:
    conclude()
