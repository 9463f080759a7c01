"""The computation of a student's loss: L = sum_k l_k GeomL_k + g RespL + c CL.

Students of one's own may have other losses between maps in place of GeomL or beside it, and
several response losses.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fkd import losses
from fkd.graph import Neighborhoods, nac, vectors_of_map
from fkd.models import Network
from fkd.study.parts import ARCHITECTURES, GEOMETRY, MAP_LOSSES, RESPONSE_LOSSES, code_of_part
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
        of :func:`fkd.graph.nac`. A loss that compares maps needs ``map_MAP`` (B, D, H, W).
    connections : mapping of str to str, optional
        The student's feature map for each of the teacher's maps; by default, those of the
        student's :class:`fkd.study.parts.Architecture`.
    half : bool
        Whether the geometric loss is halved, see :func:`fkd.losses.geometry`.

    Returns
    -------
    terms : dict of str to Tensor, ()
        ``classification``, which is always included, ``geometry_MAP``, or of another loss
        ``LOSS_MAP``, and ``response``, or of several ``response_LOSS``; and their weighted sum
        ``total``.
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
        contrasts = {
            name: nac(
                vectors_of_map(maps[connections[name]]),  # (B, N, D)
                batch[f"neighborhoods_{name}"],
            )
            for name in student.guiding_maps
        }  # (B, N) each
        for term in student.terms_of_maps:
            known = MAP_LOSSES[term.loss]
            parameters = {"half": half} if term.loss == GEOMETRY else term.parameters
            loss = code_of_part(known.function, None, None, **parameters)
            for name in term.compared:
                if known.compares == "contrasts":
                    compared = contrasts[name], batch[f"nac_{name}"]
                else:
                    compared = maps[connections[name]].float(), batch[f"map_{name}"]
                terms[f"{term.loss}_{name}"] = value = loss(*compared, **parameters)
                total = total + term.weights[name] * value
        for response in student.responses:
            place = RESPONSE_LOSSES[response.loss].function
            loss = code_of_part(place, None, None, **response.parameters)
            value = loss(feature.float(), batch["feature"], **response.parameters)
            column = "response" if len(student.responses) == 1 else f"response_{response.loss}"
            terms[column] = value
            total = total + response.weight * value
    return {**terms, "total": total}, logits
