"""The computation of a student's loss: L = sum_k l_k GeomL_k + g RespL + c CL."""

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
    """Compute the unweighted terms of a student's loss, their weighted sum, and the logits.

    Parameters
    ----------
    student : Student
        The student, which determines the terms and their weights.
    network : Network
        The student's network, with a classifier.
    batch : mapping of str to Tensor or Neighborhoods
        ``image`` (B, 1, 150, 220) in [0, 1] and ``writer`` (B,). The response loss also needs
        ``feature`` (B, F), the teacher's response. The geometric loss also needs, for each of the
        teacher's guiding maps, ``nac_MAP`` (B, N) and ``neighborhoods_MAP``, which is an argument
        of :func:`fkd.graph.nac`.
    connections : mapping of str to str, optional
        The student's feature map for each of the teacher's maps; by default, those of the
        student's :class:`fkd.study.parts.Architecture`.
    half : bool
        Whether the geometric loss is halved, see :func:`fkd.losses.geometry`.

    Returns
    -------
    terms : dict of str to Tensor, ()
        ``classification``, which is always included, ``geometry_MAP`` and ``response``, and their
        weighted sum ``total``.
    logits : Tensor, (B, writers)
        The logits of the classifier.
    """
    connections = connections or ARCHITECTURES[student.architecture].connections
    maps, feature = network.describe(batch["image"])  # (B, D, H, W) each, (B, F)
    logits = network.classifier(feature)  # (B, writers)
    # Losses are computed in float32 even if the network computes in lower precision.
    with torch.autocast(feature.device.type, enabled=False):
        terms = {"classification": losses.classification(logits.float(), batch["writer"])}
        total = student.classification * terms["classification"]
        for name in student.guiding_maps:
            vectors = vectors_of_map(maps[connections[name]].float())  # (B, N, D)
            contrast = nac(vectors, batch[f"neighborhoods_{name}"])  # (B, N)
            term = losses.geometry(contrast, batch[f"nac_{name}"], half)
            terms[f"geometry_{name}"] = term
            total = total + student.geometry[name] * term
        if student.guided_by_response:
            response = student.response
            loss = code_of_part(RESPONSE_LOSSES[response.loss].function)
            terms["response"] = loss(feature.float(), batch["feature"], **response.parameters)
            total = total + response.weight * terms["response"]
    return {**terms, "total": total}, logits
