"""A study: its settings, and what follows from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fkd.errors import FkdError
from fkd.layouts import SYNTHETIC
from fkd.study.choices import compared, contrasted, shown_model
from fkd.study.models import TEACHER, Kind, Model
from fkd.study.parts import ARCHITECTURES, RESPONSE_LOSSES
from fkd.study.students import Student
from fkd.verification.protocol import Protocol

UNTOLD = ("data", "device", "memory", "shards", "size", "sizes", "threads")
UNTOLD += ("license", "max_pixels", "quarantine")
"""Settings that are no method: how a study is divided, where it runs, what it refuses or allows."""


@dataclass(frozen=True)
class Study:
    """A study as its config describes it, see :func:`fkd.study.config.complete`.

    Attributes
    ----------
    settings : dict
        The completed config.
    students : dict of str to Student
        The students by name.
    protocols : dict of str to list of Protocol
        For each set that is judged a protocol for each number of references.
    """

    settings: dict[str, Any]
    students: dict[str, Student]
    protocols: dict[str, list[Protocol]]

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that are judged: the teacher, the students, those of others."""
        students = [Model(name, Kind.STUDENT, spec) for name, spec in self.students.items()]
        foreign = [Model(name, Kind.FOREIGN) for name in self.settings["models"]]
        return {model.name: model for model in (Model(TEACHER, Kind.TEACHER), *students, *foreign)}

    def models_of(self, *kinds: Kind) -> list[str]:
        """Name the models of some kinds."""
        return [name for name, model in self.models.items() if model.kind in kinds]

    @property
    def trained(self) -> list[str]:
        """The students that are trained, in the order of the config."""
        return [name for name, student in self.students.items() if student.is_trained]

    @property
    def teacher_is_trained(self) -> bool:
        """Whether the study trains its teacher, rather than import it."""
        return self.settings["teacher"]["weights"] is None

    @property
    def development(self) -> list[str]:
        """The sets on whose genuine signatures the teacher is trained."""
        return self.settings["teacher"]["development"] if self.teacher_is_trained else []

    @property
    def judged(self) -> list[str]:
        """The sets on which models are judged."""
        return list(self.protocols)

    @property
    def used(self) -> list[str]:
        """The sets that are judged or train the teacher."""
        return sorted({*self.judged, *self.development})

    @property
    def drawn_signatures(self) -> list[str]:
        """The sets of signatures that the study draws itself."""
        sets = self.settings["signatures"]
        return [name for name, entry in sets.items() if entry["layout"] == SYNTHETIC]

    @property
    def synthetic(self) -> list[str]:
        """What of the data is drawn and not real: the text, the judged signatures, or both."""
        texts = ["text"] * (self.settings["pages"]["layout"] == SYNTHETIC)
        return texts + ["signatures"] * bool(set(self.drawn_signatures) & set(self.judged))

    @property
    def connected_maps(self) -> list[str]:
        """The teacher's maps that any network's map answers: of these geometry is measured."""
        connections = self.settings["geometry"]["connections"].values()
        return sorted({name for pairs in connections for name in pairs})

    @property
    def guiding_maps(self) -> list[str]:
        """The teacher's maps whose geometry guides a student."""
        return sorted({name for s in self.students.values() for name in s.guiding_maps})

    @property
    def shown(self) -> str:
        """The model that stands for the study, where a figure shows one."""
        return shown_model(self.students)

    @property
    def contrasted(self) -> list[str]:
        """Students that differ by their geometric loss alone."""
        return contrasted(self.students)

    @property
    def compared(self) -> list[str]:
        """Students that differ by their response loss alone."""
        return compared(self.students)

    @property
    def methods(self) -> dict[str, Any]:
        """The settings of which the words on methods are made."""
        return {key: value for key, value in self.settings.items() if key not in UNTOLD}

    def protocol(self, name: str, references: int) -> Protocol:
        """Find the protocol of a judged set for a number of references.

        Raises
        ------
        FkdError
            Where the config does not ask for it.
        """
        for protocol in self.protocols.get(name, []):
            if protocol.references == references:
                return protocol
        raise FkdError(f"evaluation.sets.{name}: {references} references are not asked for")

    def most_references(self, name: str) -> int:
        """The largest number of references of a judged set."""
        return max(protocol.references for protocol in self.protocols[name])

    def code_of_models(self, names: Iterable[str], losses: bool = False) -> list[str]:
        """List the dotted places of the networks of some models, and of their losses.

        Parameters
        ----------
        names : iterable of str
            The teacher or students.
        losses : bool
            Whether the response losses of the students are listed, too.
        """
        places = []
        for name in names:
            student = self.students.get(name)
            teacher = self.settings["teacher"]["architecture"]
            architecture = student.architecture if student else teacher
            places.append(ARCHITECTURES[architecture].network)
            if losses and student and student.guided_by_response:
                places.append(RESPONSE_LOSSES[student.response.loss].function)
        return sorted(set(places))


def protocols_of(evaluation: Mapping[str, Any]) -> dict[str, list[Protocol]]:
    """Make the protocols that a completed config asks for, one for each number of references."""
    shared = {key: evaluation[key] for key in ("splits", "seed")}
    return {
        name: [
            Protocol(**entry | shared | {"references": references})
            for entry in entries
            for references in entry["references"]
        ]
        for name, entries in evaluation["sets"].items()
    }
