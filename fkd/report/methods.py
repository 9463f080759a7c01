"""The paragraphs on methods, ready for a paper, written from the settings of the study."""

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from fkd import __version__
from fkd.layouts import CROPS
from fkd.models.onnx_file import read_description
from fkd.preprocess import CANVAS, INPUT, SIZE
from fkd.report.data import SIGNATURES, TEXT_ROW, drawn_data, is_drawn, read_data
from fkd.report.deviations import deviations, deviations_of_sets
from fkd.report.wording import (
    TEXT_NAMES,
    forgeries_in_words,
    joined,
    pair_loss_in_words,
    recipe_in_words,
    start_in_words,
    terms_in_words,
)
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown
from fkd.study.models import in_order, label, network_label
from fkd.study.parts import ARCHITECTURES, CELLS, SHRINKAGE
from fkd.study.provenance import PACKAGES
from fkd.study.siamese import Siamese, siamese_of
from fkd.study.students import PAPER, Student, students_of
from fkd.study.study import has_teacher
from fkd.study.summary import SIGNIFICANCE, caveat

_PREPARED = (
    "ink was parted from paper by Otsu's threshold after a Gaussian blur of sigma 2, centered by its "
    f"mass on a white canvas, inverted, resized and cut to {SIZE[0]} x {SIZE[1]} pixels, of which "
    f"networks take the central {INPUT[0]} x {INPUT[1]}."
)
"""How images are prepared, as the end of a sentence."""


def write_methods(
    *,
    settings: dict,
    data: Path,
    schema: Path,
    markdown: Path,
    models: Sequence[Path] = (),
) -> None:
    """Write the paragraphs on methods, with the settings and numbers of this study.

    Parameters
    ----------
    settings : dict
        The completed config, see :func:`fkd.study.config.complete`.
    data : Path
        CSV of :func:`fkd.report.data.describe_data`.
    schema : Path
        The config's schema, whose defaults are the published values.
    markdown : Path
        The paragraphs.
    models : sequence of Path, optional
        The ONNX files of the trained networks, which know the precision that was used where the
        config leaves it to the machine.
    """
    rows = read_data(data)
    settings = _with_used_precision(settings, models)
    students = students_of(settings["students"])
    parts = [f"# Methods: {escape_markdown(settings['title'])}"]
    drawn = drawn_data(rows)
    if drawn:
        judged = (rows.loc[(SIGNATURES, name)] for name in settings["evaluation"]["sets"])
        about = (
            "Error rates on such data say nothing of real signatures."
            if any(map(is_drawn, judged))
            else "The signatures on which models are judged were not."
        )
        names = escape_markdown(joined(drawn))
        parts.append(f"**Synthetic data: {names} were drawn by a program. {about}**")
    found = [*deviations_of_sets(settings, rows), *deviations(settings, schema)]
    parts += [
        _data(settings, rows) if TEXT_ROW in rows.index else _signatures(rows),
        _training(settings, rows, students) if has_teacher(settings) else _models(settings),
        _verification(settings, rows),
        *_verifiers(settings),
        _software(),
        "## Deviations from the published protocol",
        "\n".join(f"- {line}" for line in found) or "None.",
        "Where paper and published code differ or are silent, `docs/fidelity.md` says what is done.",
    ]
    with writing(markdown) as part:
        part.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _with_used_precision(settings: Mapping, models: Iterable[Path]) -> dict:
    """Replace ``auto`` by the precision in which the teacher and the students were trained."""
    used: dict[bool, set[str]] = {False: set(), True: set()}
    for path in models:
        origin = read_description(path)["trained_with"]
        if "recipe" in origin:
            used["student" in origin].add(origin["recipe"]["precision"])
    settings, teacher = dict(settings), dict(settings["teacher"])
    for owner, is_student in ((settings, True), (teacher, False)):
        if owner["training"]["precision"] == "auto" and used[is_student]:
            precision = joined(sorted(used[is_student]), "or")
            owner["training"] = owner["training"] | {"precision": precision}
    return settings | {"teacher": teacher}


def _data(config: Mapping, rows: pd.DataFrame) -> str:
    """Describe the text, and the preparation of text and signatures."""
    text, crops = rows.loc[TEXT_ROW], config["crops"]
    each = "each piece" if crops["ratio_per"] == "interval" else "all pieces of a line at once"
    most = crops["max_per_page"]
    kept = f"At most {most} pieces of a page were kept, drawn at random. " if most else ""
    canvases = joined((f"{rows} x {columns}" for rows, columns in crops["canvases"]), "or")
    gray = config["pages"]["ink_gray"]
    ink = (
        "Where a page has two levels alone, its ink got a gray level drawn from "
        f"{gray[0]} to {gray[1]}. "
        if gray
        else ""
    )
    held_out = (
        "Validation crops are from other pages than training crops, or from other lines where a "
        "writer has one page."
    )
    pages = f"{text['pages']:,.0f} pages by "
    cut = (
        "Pages were cut into lines, the spaces between words were closed, and each line was cut "
        "into neighboring pieces whose ratio of width to height was drawn from "
        f"{crops['ratios'][0]:g} to {crops['ratios'][1]:g} for {each}. "
    )
    if text["layout"] == CROPS:
        pages = cut = ""
        held_out = "Validation crops are other images than training crops."
        if config["pages"].get("pattern"):
            held_out = held_out.replace(".", ", from other pages where a writer has several.")
    return (
        f"**Text.** Students learned from {TEXT_NAMES.get(text['layout'], text['layout'])}: "
        f"{pages}{text['writers']:,.0f} writers. {cut}{kept}{ink}Pieces of text and signatures were "
        f"prepared alike: {_PREPARED} The canvas of a "
        f"piece of text was drawn from {canvases} pixels; that of signatures has {_size(CANVAS)}. "
        f"This gave {text['training']:,.0f} text crops for training and {text['validation']:,.0f} "
        f"for validation. {held_out}{_aside(text)}{_came_prepared(rows)}"
    )


def _signatures(rows: pd.DataFrame) -> str:
    """Describe the preparation of signatures, in a study without text."""
    return (
        f"**Signatures.** Signatures were prepared: {_PREPARED} The canvas has {_size(CANVAS)}."
        f"{_came_prepared(rows)}"
    )


def _came_prepared(rows: pd.DataFrame) -> str:
    """Name the sets whose images came prepared, if there are any."""
    prepared = [name for (_, name), row in rows.iterrows() if row["layout"] == "npz"]
    named = escape_markdown(joined(prepared)) if prepared else ""
    return f" The signatures of {named} came prepared." if prepared else ""


def _models(config: Mapping) -> str:
    """Describe the models of a study that has no teacher."""
    siamese = siamese_of(config["siamese"])
    trained = [f"{_siamese(name, spec)}." for name, spec in siamese.items()]
    said = trained or ["This study trains no network."]
    return " ".join(["**Models.**", *said, *_others(config)])


def _others(config: Mapping) -> list[str]:
    """Name the models of others, and those of which features came in their place."""
    models = config["models"]
    kinds = (
        ("Trained by others, and judged as they came", [n for n in models if "onnx" in models[n]]),
        (
            "Judged by features that were computed elsewhere",
            [n for n in models if "features" in models[n]],
        ),
    )
    return [f"{what}: {escape_markdown(joined(names))}." for what, names in kinds if names]


def _training(config: Mapping, rows: pd.DataFrame, students: Mapping[str, Student]) -> str:
    """Describe the training of the teacher and of the students."""
    networks, recipe, geometry = config["networks"], config["training"], config["geometry"]
    trained = [student for student in students.values() if student.is_trained]
    published = [name for name in in_order(students) if PAPER.get(name) == students[name]]
    parts = [f"**Training.** {_teacher(config, rows)}"]
    if any(student.guiding_maps for student in trained):
        parts.append(
            "Of each text crop it gave, for every map that guides a student, the minimal spanning "
            "tree over the map's vectors by their squared distances, and the Neighborhood Affinity "
            "Contrast of each vector: the share of its squared distances that falls to its "
            f"neighbors, the vectors at most {geometry['radius']} hops away on the tree."
        )
    if any(student.compared_maps for student in trained):
        parts.append(_connections(config, trained))
    if any(student.guided_by_response for student in trained):
        parts.append("Its response is the feature before its classifier.")
    if trained:
        terms = dict.fromkeys(  # each once, in this order
            term
            for name in published
            for term in terms_in_words(students[name], geometry["radius"], geometry["half"])
        )
        parts.append(
            "Students learned from the text, guided by the teacher as far as their losses say. "
            + (f"A student's loss is the sum of its terms: {'; '.join(terms)}. " if terms else "")
            + f"They were trained by {recipe_in_words(recipe)}. The weights of the last epoch are "
            "the model. Students of one network started from the same weights and saw the same "
            "batches."
        )
    if published:
        parts.append(
            f"The students are {escape_markdown(joined(label(n, students) for n in published))}."
        )
    for name in in_order(set(students) - set(published)):
        parts.append(f"{_unpublished_student(name, students[name], config)}.")
    parts += [f"{_siamese(name, spec)}." for name, spec in siamese_of(config["siamese"]).items()]
    parts += _others(config)
    start = {"code": "as in the published code", "xavier": "by Xavier's rule"}
    seeds = [str(config["seed"])]
    seeds += [f"{label(name, students)} from {seed}" for name, seed in config["seeds"].items()]
    parts.append(
        f"Networks have {networks['width']:g} times the published channels and a response of "
        f"{networks['features']:,} elements; weights were drawn "
        f"{start[networks['initialization']]}, all at random from seed "
        f"{escape_markdown(', '.join(seeds))}."
    )
    return " ".join([*parts, *_whitening(config)])


def _whitening(config: Mapping) -> list[str]:
    """Say by which feature maps models describe signatures, if not by their responses."""
    whitening = config["export"]["whitening"]
    if not whitening:
        return []
    rows, columns = CELLS
    maps = [
        f"{name} of {escape_markdown(network_label(network))}"
        for network, name in whitening["maps"].items()
    ]
    what = f"{joined(maps)}, averaged over {rows} x {columns} cells" if maps else "their responses"
    return [
        f"Models describe signatures by {what}, centered and whitened cell by cell within the "
        f"writers of {escape_markdown(whitening['signatures'])}, genuine signatures and forgeries "
        f"apart (shrinkage {SHRINKAGE:g}), and scaled to equal length."
    ]


def _unpublished_student(name: str, student: Student, config: Mapping) -> str:
    """Describe a student that the paper does not have."""
    geometry = config["geometry"]
    terms = terms_in_words(student, geometry["radius"], geometry["half"]) or ["random weights"]
    network = _network(student.architecture)
    return f"Student {escape_markdown(name)}, {network}: {joined(terms)}"


def _siamese(name: str, spec: Siamese) -> str:
    """Describe a Siamese network."""
    network = f", {_network(spec.architecture)}" if spec.architecture else ""
    start = f", started from {escape_markdown(start_in_words(spec))}" if spec.initialize else ""
    return (
        f"Siamese network {escape_markdown(name)}{network}{start}, learned from the pairs "
        f"{escape_markdown(spec.pairs)}: {escape_markdown(pair_loss_in_words(spec))}"
    )


def _network(architecture: str) -> str:
    """Name a network, and the plugin that it is of."""
    return escape_markdown(network_label(architecture) + ARCHITECTURES.plugin(architecture))


def _teacher(config: Mapping, rows: pd.DataFrame) -> str:
    """Say where the teacher comes from, or how it was trained."""
    teacher = config["teacher"]
    network = _network(teacher["architecture"])
    if teacher["weights"]:
        file = escape_markdown(Path(teacher["weights"]).name)
        return f"The teacher is SigNet, with weights trained by others ({file})."
    rows_of_sets = [(name, rows.loc[(SIGNATURES, name)]) for name in teacher["development"]]
    sets = joined(
        f"{escape_markdown(name)} ({row['genuine']:,.0f} of {row['writers']:,.0f} writers)"
        for name, row in rows_of_sets
    )
    fresh = [
        escape_markdown(name)
        for name in teacher["development"]
        if config["signatures"][name].get("draw", {}).get("fresh")
    ]
    others = f"Each epoch saw other signatures of the writers of {joined(fresh)}. " if fresh else ""
    return (
        f"The teacher, {network}, was trained to tell apart the writers of genuine signatures"
        f"{forgeries_in_words(teacher['forgeries'])}: "
        f"{sets}, each seen through a random window of {_size(INPUT)} pixels. {others}"
        f"It was trained by "
        f"{recipe_in_words(teacher['training'])}."
    )


def _connections(config: Mapping, trained: list[Student]) -> str:
    """Say which maps of the teacher and of the students are compared."""
    texts = []
    for architecture in dict.fromkeys(s.architecture for s in trained if s.compared_maps):
        pairs = config["geometry"]["connections"][architecture]
        used = [
            m
            for m in pairs
            if any(m in s.compared_maps for s in trained if s.architecture == architecture)
        ]
        network = escape_markdown(network_label(architecture))
        texts.append(f"its {joined(used)} to {joined(pairs[m] for m in used)} of {network}")
    return f"Maps are compared in pairs, {joined(texts)}."


def _verification(config: Mapping, rows: pd.DataFrame) -> str:
    """Describe the protocols of verification and the error rates."""
    settings = config["evaluation"]
    sets = [_set(name, rows.loc[(SIGNATURES, name)]) for name in settings["sets"]]
    protocols = [
        _protocol(name, protocol)
        for name, protocols in settings["sets"].items()
        for protocol in protocols
    ]
    return (
        f"**Verification.** Models were judged as feature extractors on {joined(sets)}, writer by "
        f"writer. In each of {settings['splits']} random splits (seed {settings['seed']}) a support "
        "vector machine for each writer (radial basis functions, "
        f"C = {settings['C']:g}, gamma = {_power(settings['gamma'])}) learned the writer's genuine "
        "references against references of all other writers, with the positives weighted by "
        "negatives / positives and features divided by their standard deviation over the "
        f"references. {' '.join(protocols)} The equal error rate (EER) is taken where the rate of "
        "rejected genuine signatures and that of accepted skilled forgeries are closest, with one "
        "global threshold or with a threshold for each writer. All thresholds are a posteriori: "
        "they are chosen on the very scores whose errors are counted. Rates are given as mean and "
        "population standard deviation over the splits; models are compared over the paired splits "
        "by Wilcoxon's signed-rank test, and all at once by Friedman's followed by Nemenyi's, at "
        f"{SIGNIFICANCE:.0%}. {caveat(config['replicates'])}"
    )


def _verifiers(config: Mapping) -> list[str]:
    """Describe verifiers of pairs, thresholds that are set beforehand, and intervals."""
    settings, parts = config["evaluation"], []
    sets = escape_markdown(joined(settings["development"] or ["none"]))
    if "wi" in settings["verifiers"]:
        parts.append(
            "Writer-independent verification (wi) judges pairs of signatures by the absolute "
            "difference of their features. One support vector machine (radial basis functions, "
            f"C = {settings['C']:g}, gamma = {_power(settings['gamma'])}, both classes of equal "
            f"weight) learned from writers of {sets}: {settings['development_references']} genuine "
            "signatures of each, paired with each other, and as many pairs with other writers. It "
            "was trained once for all splits, sets and numbers of references."
        )
    distances = [name for name in ("cosine", "Euclidean") if name.lower() in settings["verifiers"]]
    if distances:
        parts.append(
            f"The {joined(distances)} distance{'s' * (len(distances) > 1)} between features "
            "compared the same pairs, without training."
        )
    if set(settings["verifiers"]) - {"wd"}:
        fusion = {"max": "largest", "mean": "mean", "min": "smallest", "median": "median"}
        parts.append(
            "The score of a signature is the "
            f"{fusion[settings['fusion']]} of its comparisons with the references."
        )
    if settings["development"]:
        parts.append(
            f"Thresholds and calibrations were set beforehand, on writers of {sets}, who were "
            "enrolled and tested as the judged ones; a machine of pairs judged each half of them "
            "after it had learned from the other half. Thresholds aim at equal errors, and at a "
            "rate of accepted skilled forgeries of 1 % and of 0.1 % at most. Likelihood ratios come "
            f"from {settings['calibration']} calibration and are judged by Cllr, in bits."
        )
    students = ""
    if config["replicates"] > 1:
        own = " with a teacher of its own" if config["teacher"]["every_seed"] else ""
        students = (
            f" Each student was trained under {config['replicates']} seeds, each{own or ' anew'}; "
            "rates are means over the seeds."
        )
    drawn = "judged writers" + " and development writers" * bool(settings["development"])
    drawn += " and training seeds" * (config["replicates"] > 1)
    parts.append(f"Intervals are 95 % percentile bootstraps over {drawn}.{students}")
    return [f"**Verifiers and intervals.** {' '.join(parts)}"]


def _set(name: str, row: pd.Series) -> str:
    """Describe a set of signatures by its numbers."""
    copies = f", {row['copies']:,.0f} of all copies of one image" if row["copies"] else ""
    aside = f", {row['set_aside']:,.0f} files set aside" if row["set_aside"] else ""
    return (
        f"{escape_markdown(name)} ({row['writers']:,.0f} writers, {row['genuine']:,.0f} genuine signatures, "
        f"{row['skilled']:,.0f} skilled forgeries{copies}{aside})"
    )


def _aside(row: pd.Series) -> str:
    """Say how many files of the text were set aside, if any were."""
    count = row["set_aside"]
    return f" {count:,.0f} files could not be used and were set aside." if count else ""


def _protocol(name: str, protocol: Mapping) -> str:
    """Describe how many signatures of a set are references and tests."""
    references = joined(map(str, protocol["references"]), "or")
    negatives = protocol.get("negatives")
    fewer = f", refusing {negatives} of each other writer" if negatives else ""
    genuine, skilled = protocol["test_genuine"], protocol["test_skilled"]
    tests = "all other" if genuine == "rest" else f"{genuine} other"
    enough = " Writers with too few signatures are left out." * (
        protocol.get("writers") == "enough"
    )
    return (
        f"Of {escape_markdown(name)}, {references} references a writer{fewer}; tested on {tests} "
        f"genuine signatures and {skilled} skilled forgeries a writer.{enough}"
    )


def _software() -> str:
    """Name the versions of this program and of the packages that affect the numbers."""
    packages = joined(f"{title} {version(name)}" for name, title in PACKAGES.items())
    return (
        f"**Software.** fkd {__version__} on Python {platform.python_version()}, with {packages}."
    )


def _power(value: float) -> str:
    """Write a power of two below 2^-4 as such a power, and any other number in digits."""
    exponent = math.log2(value)
    return f"2^{exponent:.0f}" if exponent == round(exponent) < -4 else f"{value:g}"


def _size(size: tuple[int, int]) -> str:
    """Write numbers of rows and columns."""
    return f"{size[0]} x {size[1]}"
