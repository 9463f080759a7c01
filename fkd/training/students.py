"""The loss of a student, computed: L = sum_k l_k GeomL_k + g RespL + c CL."""

from collections.abc import Mapping

import torch
from torch import Tensor

from fkd import losses
from fkd.graph import Neighborhoods, nac, vectors_of_map
from fkd.models import Network
from fkd.study.parts import ARCHITECTURES, RESPONSE_LOSSES, code_of_part
from fkd.study.students import Student


def loss_terms(
    student: Student,
    network: Network,
    batch: Mapping[str, Tensor | Neighborhoods],
    connections: Mapping[str, str] | None = None,
    half: bool = True,
) -> tuple[dict[str, Tensor], Tensor]:
    """Compute the terms of a student's loss, unweighted, and the logits.

    Parameters
    ----------
    student : Student
        Which terms there are, and their weights.
    network : Network
        The student's network, with classifier.
    batch : mapping of str to Tensor or Neighborhoods
        ``image`` (B, 1, 150, 220) in [0, 1] and ``writer`` (B,); where the terms need
        them ``feature`` (B, F), the teacher's response, and for each of its guiding maps
        ``nac_MAP`` (B, N) and ``neighborhoods_MAP``, which :func:`fkd.graph.nac` takes.
    connections : mapping of str to str, optional
        The student's map for each map of the teacher; by default those of its
        :class:`fkd.study.parts.Architecture`.
    half : bool
        See :func:`fkd.losses.geometry`.

    Returns
    -------
    terms : dict of str to Tensor, ()
        ``classification``, ``geometry_MAP`` and ``response``; CL is always among them,
        and the weighted sum stands as ``total``.
    logits : Tensor, (B, writers)
    """
    connections = connections or ARCHITECTURES[student.architecture].connections
    maps, feature = network.describe(batch["image"])
    logits = network.classifier(feature)
    # Losses stay in float32 where the network computes in less.
    with torch.autocast(feature.device.type, enabled=False):
        terms = {"classification": losses.classification(logits.float(), batch["writer"])}
        total = student.classification * terms["classification"]
        for name in student.guiding_maps:
            vectors = vectors_of_map(maps[connections[name]].float())  # (B, N, D)
            contrast = nac(vectors, batch[f"neighborhoods_{name}"])
            term = losses.geometry(contrast, batch[f"nac_{name}"], half)
            terms[f"geometry_{name}"] = term
            total = total + student.geometry[name] * term
        if student.guided_by_response:
            response = student.response
            loss = code_of_part(RESPONSE_LOSSES[response.loss].function)
            terms["response"] = loss(feature.float(), batch["feature"], **response.parameters)
            total = total + response.weight * terms["response"]
    return {**terms, "total": total}, logits
