"""A study: its settings, and everything that is derived from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fkd.errors import FkdError
from fkd.layouts import SYNTHETIC
from fkd.study.choices import compared, contrasted, shown_model
from fkd.study.models import TEACHER, Kind, Model
from fkd.study.parts import (
    ARCHITECTURES,
    MAP_LOSSES,
    RESPONSE_LOSSES,
    Reached,
    part_of_loss,
    part_of_network,
)
from fkd.study.replicates import Replicate, replicates_of
from fkd.study.siamese import PAIR_LOSSES, Siamese
from fkd.study.students import Student, parts_of_student
from fkd.verification.protocol import Protocol

UNTOLD = ("data", "device", "memory", "shards", "size", "sizes", "threads")
UNTOLD += ("license", "max_pixels", "quarantine")
"""Settings that the paragraphs on methods omit, because they do not describe the method."""


@dataclass(frozen=True)
class Study:
    """A study, as described by its config; see :func:`fkd.study.config.complete`.

    Attributes
    ----------
    settings : dict
        The completed config.
    students : dict of str to Student
        The students, by name.
    protocols : dict of str to list of Protocol
        For each set on which models are evaluated, one protocol per number of references.
    siamese : dict of str to Siamese
        The Siamese networks, by name.
    """

    settings: dict[str, Any]
    students: dict[str, Student]
    protocols: dict[str, list[Protocol]]
    siamese: dict[str, Siamese] = field(default_factory=dict)

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that are evaluated: teacher, students, Siamese networks, models of others."""
        students = [Model(name, Kind.STUDENT, spec) for name, spec in self.students.items()]
        foreign = [Model(name, Kind.FOREIGN) for name in self.settings["models"]]
        siamese = [Model(name, Kind.SIAMESE) for name in self.siamese]
        teacher = [Model(TEACHER, Kind.TEACHER)] if self.has_teacher else []
        models = (*teacher, *students, *siamese, *foreign)
        return {model.name: model for model in models}

    @property
    def has_teacher(self) -> bool:
        """Whether there is a teacher. A study that judges models of others alone needs none."""
        return has_teacher(self.settings)

    @property
    def has_text(self) -> bool:
        """Whether there are pages of handwriting. A study that trains no student needs none."""
        return self.settings["pages"] is not None

    @property
    def described(self) -> list[str]:
        """The names of the models of others whose features are given in place of the model."""
        return [name for name, spec in self.settings["models"].items() if "features" in spec]

    def models_of(self, *kinds: Kind) -> list[str]:
        """List the names of the models of the given kinds."""
        return [name for name, model in self.models.items() if model.kind in kinds]

    def replicates_of(self, model: str) -> list[str]:
        """List the names of a model as trained under each seed, see :mod:`fkd.study.replicates`.

        Models of others have one, and so has a teacher that is not trained under every seed.
        """
        count = self.settings["replicates"]
        if model not in self.students:
            own = model == TEACHER and self.settings["teacher"]["every_seed"]
            count = count if own else 1
        return replicates_of(model, count)

    @property
    def judged_models(self) -> list[str]:
        """The names of all models that are evaluated, under each of their seeds."""
        return [name for model in self.models for name in self.replicates_of(model)]

    @property
    def verified(self) -> list[str]:
        """The names of the models that verifiers of pairs judge, and whose thresholds are set."""
        chosen = self.settings["evaluation"]["verified"]
        return [name for name in self.models if chosen is None or name in chosen]

    def student(self, name: str) -> Student:
        """Find the student of which `name` is a replicate."""
        return self.students[Replicate.of(name).model]

    def seed_of(self, name: str) -> int:
        """Return the seed under which a replicate of a model is trained."""
        model, number = Replicate.of(name)
        return self.settings["seeds"].get(model, self.settings["seed"]) + number - 1

    def teacher_of(self, name: str) -> str:
        """Name the teacher that guides a replicate of a student."""
        number = Replicate.of(name).number
        return Replicate(TEACHER, number if self.settings["teacher"]["every_seed"] else 1).name

    @property
    def trained(self) -> list[str]:
        """The names of the students that are trained, in the order of the config."""
        return [name for name, student in self.students.items() if student.is_trained]

    @property
    def teacher_is_trained(self) -> bool:
        """Whether the study trains its teacher instead of importing it."""
        return self.has_teacher and self.settings["teacher"]["weights"] is None

    @property
    def development(self) -> list[str]:
        """The names of the sets on whose genuine signatures the teacher is trained."""
        return self.settings["teacher"]["development"] if self.teacher_is_trained else []

    @property
    def lessons(self) -> list[str]:
        """The names of the editions of these sets, of which each epoch sees one of each set.

        A drawn set that is fresh has one for each epoch. They are named as replicates of models
        are, see :mod:`fkd.study.replicates`; the first bears the name of the set.
        """
        epochs = self.settings["teacher"]["training"]["epochs"]
        sets = self.settings["signatures"]
        return [
            edition
            for name in sorted(self.development)
            for edition in replicates_of(
                name, epochs if sets[name].get("draw", {}).get("fresh") else 1
            )
        ]

    @property
    def judged(self) -> list[str]:
        """The names of the sets on which models are evaluated."""
        return list(self.protocols)

    @property
    def used(self) -> list[str]:
        """The names of all sets that are used: to judge models, or to learn or set thresholds."""
        development = {*self.development, *self.settings["evaluation"]["development"]}
        drawn = {self.settings["pairs"][name]["signatures"] for name in self.pairs} - {None}
        return sorted({*self.judged, *development, *drawn, *self.whitening_sets})

    @property
    def whitening_sets(self) -> list[str]:
        """The name of the set within whose writers models are whitened; none as published."""
        whitening = self.settings["export"]["whitening"]
        return [whitening["signatures"]] if whitening else []

    @property
    def whitened_maps(self) -> dict[str, str]:
        """The feature map by which each kind of network describes signatures."""
        return (self.settings["export"]["whitening"] or {}).get("maps", {})

    @property
    def pairs(self) -> list[str]:
        """The names of the lists of pairs from which Siamese networks learn."""
        return sorted({siamese.pairs for siamese in self.siamese.values()})

    @property
    def judged_on_pairs(self) -> list[str]:
        """The names of the Siamese networks whose lists have a test part."""
        lists = self.settings["pairs"]
        return [
            name
            for name, siamese in self.siamese.items()
            if lists[siamese.pairs]["split"] == "published" or lists[siamese.pairs]["test_share"]
        ]

    @property
    def fine_tuned(self) -> dict[str, str]:
        """The Siamese networks that start from a model of the study and learn from drawn pairs.

        With each stands the model from which it starts.
        """
        return {
            name: siamese.initialize.model
            for name, siamese in self.siamese.items()
            if siamese.initialize and not siamese.initialize.file
            if self.settings["pairs"][siamese.pairs]["signatures"]
        }

    @property
    def verifiers(self) -> list[str]:
        """The names of the verifiers, such as ``wd``."""
        return self.settings["evaluation"]["verifiers"]

    @property
    def drawn_signatures(self) -> list[str]:
        """The names of the sets of synthetic signatures, which the study draws itself."""
        sets = self.settings["signatures"]
        return [name for name, entry in sets.items() if entry["layout"] == SYNTHETIC]

    @property
    def synthetic(self) -> list[str]:
        """The synthetic part of the data: ``text``, and signatures on which models are judged.

        These are ``signatures`` if all such sets are drawn, or else the drawn ones by name.
        """
        texts = ["text"] * (self.has_text and self.settings["pages"]["layout"] == SYNTHETIC)
        drawn = [name for name in self.judged if name in self.drawn_signatures]
        if drawn == self.judged:
            return [*texts, "signatures"]
        return texts + [f"the signatures of {name}" for name in drawn]

    @property
    def connected_maps(self) -> list[str]:
        """The teacher's feature maps that are connected with a student's: those to be measured."""
        connections = self.settings["geometry"]["connections"].values()
        return sorted({name for pairs in connections for name in pairs})

    @property
    def guiding_maps(self) -> list[str]:
        """The teacher's feature maps whose geometry guides at least one student."""
        return sorted({name for s in self.students.values() for name in s.guiding_maps})

    @property
    def shown(self) -> str:
        """The model that represents the study in figures that show only one."""
        shown = shown_model(self.students)
        return shown if shown in self.models else list(self.models)[-1]

    @property
    def contrasted(self) -> list[str]:
        """Two students that differ only in their geometric loss."""
        return contrasted(self.students)

    @property
    def compared(self) -> list[str]:
        """Students that differ only in their response loss."""
        return compared(self.students)

    @property
    def methods(self) -> dict[str, Any]:
        """The settings from which the paragraphs on methods are written."""
        return told(self.settings)

    def protocol(self, name: str, references: int) -> Protocol:
        """Find the protocol of a set for a number of references.

        Raises
        ------
        FkdError
            If the config does not contain such a protocol.
        """
        for protocol in self.protocols.get(name, []):
            if protocol.references == references:
                return protocol
        raise FkdError(
            f"evaluation.sets.{name}: {references} references are in none of its protocols"
        )

    def most_references(self, name: str) -> int:
        """Return the largest number of references in the protocols of a set."""
        return max(protocol.references for protocol in self.protocols[name])

    def parts_of_models(self, names: Iterable[str], losses: bool = False) -> list[Reached]:
        """List the parts that models are made of: their networks, and optionally their losses.

        Parameters
        ----------
        names : iterable of str
            The names of the models: the teacher, students and Siamese networks, under any seed.
        losses : bool
            Whether to list the losses of students and of Siamese networks, too. What guides a
            student by its maps is listed with them.
        """
        parts = []
        for name in names:
            if name in self.siamese:
                spec = self.siamese[name]
                parts.append(part_of_network(spec.architecture))
                parts += [part_of_loss(PAIR_LOSSES, spec.loss)] * losses
                continue
            student = self.students.get(Replicate.of(name).model)
            teacher = part_of_network(self.settings["teacher"]["architecture"])
            if student is None:
                parts.append(teacher)
            else:
                found = parts_of_student(student)
                parts += found if losses else found[:1]
                parts += [teacher] * (losses and student.guided_by_maps)
        return sorted(set(parts))

    @property
    def names_of_plugins(self) -> list[str]:
        """What texts and figures call the parts of plugins, in one line each."""
        tables = (ARCHITECTURES, RESPONSE_LOSSES, MAP_LOSSES, PAIR_LOSSES)
        return [
            f"{table.title} {name}: {table[name].label}, {getattr(table[name], 'name', '')}, "
            f"{origin.name}"
            for table in tables
            for name, origin in sorted(table.origins.items())
        ]


def has_teacher(settings: Mapping[str, Any]) -> bool:
    """Tell whether a completed config has a teacher, trained or imported."""
    return bool(settings["teacher"]["weights"] or settings["teacher"]["development"])


def told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings of a completed config from which paragraphs on methods are written."""
    return {key: value for key, value in settings.items() if key not in UNTOLD}


def protocols_of(evaluation: Mapping[str, Any]) -> dict[str, list[Protocol]]:
    """Make the protocols of a completed config: for each set, one per number of references."""
    shared = {key: evaluation[key] for key in ("splits", "seed")}
    return {
        name: [
            Protocol(**entry | shared | {"references": references})
            for entry in entries
            for references in entry["references"]
        ]
        for name, entries in evaluation["sets"].items()
    }
