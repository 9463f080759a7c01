"""What a run says on the terminal: how long it will take, a line for each stage, and its outcome.

Where the output goes to a terminal, a line for each stage and a bar replace Snakemake's lines for each
job, which the log of the run still has. `--quiet` and `--verbose` mean the same as elsewhere.
"""

import logging
import sys
from collections import Counter

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

from fkd.report.narrowing import narrowing
from fkd.report.outcome import outcome
from fkd.report.run_times import expected_time, in_words, known_run

# What the lines of stages replace.
OF_JOBS = {
    LogEvent.GROUP_INFO,
    LogEvent.JOB_FINISHED,
    LogEvent.JOB_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.PROGRESS,
}
# What Snakemake says between jobs.
REMARKS = {"Select jobs to execute..."}


class StageLines(logging.Handler):
    """A line for each stage that is done, and a bar of all jobs below them."""

    def __init__(self, jobs):
        super().__init__()
        self.stages = {job.jobid: job.rule.name for job in jobs}
        self.jobs = Counter(self.stages.values())
        self.left = Counter(self.jobs)
        self.began = {}
        self.width = max(map(len, self.jobs), default=0)
        self.bar = tqdm(
            total=len(self.stages), unit="job", leave=False, dynamic_ncols=True
        )

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_STARTED:
            for stage in filter(None, map(self.stages.get, record.jobs)):
                self.began.setdefault(stage, time())
                self.bar.set_description_str(stage)
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.stages:
            stage = self.stages[record.job_id]
            self.left[stage] -= 1
            self.bar.update()
            if not self.left[stage]:
                took = in_words(time() - self.began.get(stage, workflow.began))
                count = self.jobs[stage]
                jobs = "1 job" if count == 1 else f"{count} jobs"
                tqdm.write(f"{stage:{self.width}}  {jobs:>8}  {took}", file=sys.stderr)

    def give_way(self, record):
        """Let Snakemake's other messages pass, on a line of their own."""
        event = getattr(record, "event", None)
        passes = event not in OF_JOBS and record.msg not in REMARKS
        if passes:
            self.bar.clear()
        return passes

    def close(self):
        self.bar.close()
        super().close()


def is_quiet():
    """Tell whether the user wants to see nothing of this kind."""
    quiet = workflow.output_settings.quiet or ()
    return bool({Quietness.ALL, Quietness.PROGRESS} & set(quiet))


def announce():
    """Say how long the jobs will take, and replace the lines of jobs if there is a terminal."""
    if is_quiet():
        return
    jobs = list(workflow.dag.needrun_jobs())
    measured = RESULTS_FOLDER / "benchmarks"
    stages = [Path(job.rule.script).stem for job in jobs if job.rule.script]
    cores = workflow.resource_settings.cores or 1
    elsewhere = known_run(
        CHECKOUT / "workflow/known_runs.csv", config["title"], config["size"]
    )
    print(expected_time(stages, measured, cores, elsewhere), file=sys.stderr)
    handlers = [one for one in logger.handlers if one.name == "DefaultStreamHandler"]
    settings = workflow.output_settings
    if settings.verbose or settings.printshellcmds:
        return
    for handler in handlers:
        if handler.is_tty:
            workflow.stage_lines = StageLines(jobs)
            handler.addFilter(workflow.stage_lines.give_way)
            logger.addHandler(workflow.stage_lines)


def conclude():
    """Take the bar away, also where a job has failed."""
    if lines := getattr(workflow, "stage_lines", None):
        logger.removeHandler(lines)
        lines.close()


def sum_up():
    """Say what a run led to: what narrowed its data, the best model, and how to see the rest."""
    conclude()
    if Quietness.ALL in (workflow.output_settings.quiet or ()):
        return
    if place := workflow.storage_settings.default_storage_prefix:
        print(f"Results: {place}/{RESULTS_FOLDER}")  # what they say is not known here
        return
    layouts = {name: config["signatures"][name]["layout"] for name in study.used}
    print(*narrowing(RESULTS_FOLDER, layouts), sep="\n")
    print(
        *outcome(RESULTS_FOLDER, JUDGED, study.most_references(JUDGED)),
        sep="\n",
    )
