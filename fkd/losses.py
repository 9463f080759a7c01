"""The losses of a student; B is the batch, t the teacher, s the student.

    L = sum_k l_k GeomL_k + g RespL + c CL

CL is the cross-entropy on the writers. GeomL compares the affinity contrasts of
two connected maps, RespL the two responses: by temperature cross-entropy, Barlow
Twins or Barlow Colleagues.

Half precision (float16, bfloat16) is widened to float32 first: sums over a batch of
long responses would leave its range. A loss of half precision is thus a float32.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from fkd.errors import FkdError

STD_FLOOR = 1e-6
"""Added to the standard deviation when a feature element is z-scored."""


def classification(logits: Tensor, writers: Tensor) -> Tensor:
    """CL, the cross-entropy on the writers: mean over the batch.

    Parameters
    ----------
    logits : Tensor, (B, writers), float
        The student's classifier.
    writers : Tensor, (B,), int64
        Who wrote each text image.

    Returns
    -------
    Tensor, ()
    """
    return F.cross_entropy(_widened(logits), writers)


def geometry(student: Tensor, teacher: Tensor, half: bool = True) -> Tensor:
    """GeomL = 1 / (2 B) sum_b sum_i (NAC^s_bi - NAC^t_bi)^2.

    Parameters
    ----------
    student, teacher : Tensor, (B, N), float
        Affinity contrasts of two connected maps under the teacher's mask.
    half : bool
        Whether the half stands in front, as in the published code; the paper's
        formula is without.

    Returns
    -------
    Tensor, ()
    """
    loss = (_widened(student) - _widened(teacher)).square().sum() / len(student)
    return loss / 2 if half else loss


def temperature_cross_entropy(
    student: Tensor,
    teacher: Tensor,
    temperature: float = 10.0,
    standardized: bool = False,
    scaled: bool = False,
) -> Tensor:
    """T-CE = -1/B sum_b sum_i p^t_bi log p^s_bi with p = softmax(f / temperature).

    Parameters
    ----------
    student, teacher : Tensor, (B, F), float
        The responses.
    temperature : float
        Softens both distributions.
    standardized : bool
        Whether each element is z-scored over the batch first.
    scaled : bool
        Whether the loss is multiplied by the temperature squared.

    Returns
    -------
    Tensor, ()

    Raises
    ------
    FkdError
        Where `standardized` meets a batch of one.
    """
    student, teacher = _widened(student), _widened(teacher)
    if standardized:
        student, teacher = standardize(student), standardize(teacher)
    target = torch.softmax(teacher / temperature, dim=1)
    loss = F.cross_entropy(student / temperature, target)
    return loss * temperature**2 if scaled else loss


def standardize(features: Tensor) -> Tensor:
    """z-score each feature element over the batch.

    Parameters
    ----------
    features : Tensor, (B, F), float
        The responses; an element that is constant over the batch becomes 0, and so
        does its gradient.

    Returns
    -------
    Tensor, (B, F)
        (f - mean) / (sd + 1e-6), the standard deviation with B - 1.

    Raises
    ------
    FkdError
        Where the batch has fewer than two rows.
    """
    if len(features) < 2:
        raise FkdError(f"z-scores over the batch need two images or more, not {len(features)}")
    # The first row as origin keeps digits under a large offset, and a dead element exactly 0.
    x = _widened(features) - _widened(features[:1])
    centered = x - x.mean(dim=0)
    variance = centered.square().sum(dim=0) / (len(x) - 1)
    # The root has no gradient at 0, where an element is dead over the batch.
    alive = variance > 0
    deviation = torch.where(alive, variance, torch.ones_like(variance)).sqrt()
    return torch.where(alive, centered / (deviation + STD_FLOOR), torch.zeros_like(centered))


def _pull_and_push(zs: Tensor, zt: Tensor, chosen: Tensor, lambda_: float) -> Tensor:
    """Draw one element of each row of C = Z_s^T Z_t / B to 1 and all others to 0.

    C_ij is the correlation of the student's element i with the teacher's j. The sum of
    all C_ij^2 is that of (Z_s Z_s^T) * (Z_t Z_t^T) / B^2, so that neither C nor its
    gradient is needed, but two matrices of B x B.

    Parameters
    ----------
    zs, zt : Tensor, (B, F_s) and (B, F_t), float
        The z-scored responses.
    chosen : Tensor, (B, F_s), float
        For each student's element the teacher's to which it is drawn.
    lambda_ : float
        Weight of the other elements.
    """
    drawn = (zs * chosen).sum(dim=0) / len(zs)  # C_ij of the chosen j
    squares = ((zs @ zs.T) * (zt @ zt.T)).sum() / len(zs) ** 2
    return (1 - drawn).square().sum() + lambda_ * (squares - drawn.square().sum())


def barlow_twins(student: Tensor, teacher: Tensor, lambda_: float = 1e-4) -> Tensor:
    """BT = sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2.

    Parameters
    ----------
    student, teacher : Tensor, (B, F), float
        The responses.
    lambda_ : float
        Weight of the elements off the diagonal.

    Returns
    -------
    Tensor, ()

    Raises
    ------
    FkdError
        Where the responses have different lengths, so that there are no twins.
    """
    if student.shape != teacher.shape:
        raise FkdError(
            f"Barlow Twins compares responses of equal length, not {student.shape[1]} with "
            f"{teacher.shape[1]} elements"
        )
    zs, zt = standardize(student), standardize(teacher)
    return _pull_and_push(zs, zt, zt, lambda_)


def barlow_colleagues(student: Tensor, teacher: Tensor, lambda_: float = 1e-4) -> Tensor:
    """BC = sum_i (1 - max_j C_ij)^2 + lambda sum over the other C_ij^2.

    Each student's element is drawn to the teacher's element with which it
    correlates most, its colleague, instead of to its twin.

    Parameters
    ----------
    student, teacher : Tensor, (B, F_s) and (B, F_t), float
        The responses.
    lambda_ : float
        Weight of the other elements.

    Returns
    -------
    Tensor, ()
    """
    zs, zt = standardize(student), standardize(teacher)
    with torch.no_grad():
        colleague = (zs.T @ zt).argmax(dim=1)
    return _pull_and_push(zs, zt, zt[:, colleague], lambda_)


def _widened(values: Tensor) -> Tensor:
    """Give half precision as float32, and any other as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


RESPONSES: dict[str, Callable[..., Tensor]] = {
    "temperature_cross_entropy": temperature_cross_entropy,
    "barlow_twins": barlow_twins,
    "barlow_colleagues": barlow_colleagues,
}
"""The response losses by the names that a config gives them."""
