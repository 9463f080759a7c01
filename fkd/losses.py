"""The losses of a student, from the paper. B is the batch size, t the teacher, s the student.

    L = sum_k l_k GeomL_k + g RespL + c CL

CL is the cross-entropy on the writers. GeomL compares the affinity contrasts of two connected
maps. RespL compares the two responses: by temperature cross-entropy, Barlow Twins or Barlow
Colleagues.

Half precision (float16, bfloat16) is widened to float32 first, because sums over a batch of
long responses would leave its range. So the loss of responses in half precision is a float32.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fkd.errors import FkdError

STD_FLOOR = 1e-6
"""Added to the standard deviation when a feature element is z-scored, as in the published code."""


def classification(logits: Tensor, writers: Tensor) -> Tensor:
    """CL, the cross-entropy on the writers, averaged over the batch.

    Parameters
    ----------
    logits : Tensor, (B, writers), float
        The outputs of the student's classifier.
    writers : Tensor, (B,), int64
        Number of the writer of each text crop.

    Returns
    -------
    Tensor, ()
        The loss.

    Examples
    --------
    Of two writers with equal logits each has probability 1/2, and the loss is log 2.

    >>> import torch
    >>> from fkd.losses import classification
    >>> loss = classification(torch.zeros(3, 2), torch.tensor([0, 1, 1]))
    >>> f"{loss:.4f}"
    '0.6931'
    """
    return F.cross_entropy(_widened(logits), writers)


def geometry(student: Tensor, teacher: Tensor, half: bool = True) -> Tensor:
    """GeomL = 1 / (2 B) sum_b sum_i (NAC^s_bi - NAC^t_bi)^2.

    Parameters
    ----------
    student, teacher : Tensor, (B, N), float
        Affinity contrasts of two connected maps under the teacher's mask.
    half : bool
        Whether the factor 1/2 is kept, as in the published code. The paper's formula has
        none.

    Returns
    -------
    Tensor, ()
        The loss.

    Examples
    --------
    >>> import torch
    >>> from fkd.losses import geometry
    >>> student, teacher = torch.tensor([[1.0, 0.0, 2.0]]), torch.zeros(1, 3)
    >>> geometry(student, teacher).item(), geometry(student, teacher, half=False).item()
    (2.5, 5.0)
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
        Divides the responses f, which makes both distributions flatter; 10 in the paper.
    standardized : bool
        Whether each element is z-scored over the batch first.
    scaled : bool
        Whether the loss is multiplied by the temperature squared, which keeps its gradient
        at about one size for any temperature.

    Returns
    -------
    Tensor, ()
        The loss.

    Raises
    ------
    FkdError
        Where `standardized` is set and the batch has a single row.

    Examples
    --------
    Equal elements give equal probabilities, here 1/4, and the loss is log 4.

    >>> import torch
    >>> from fkd.losses import temperature_cross_entropy
    >>> loss = temperature_cross_entropy(torch.ones(2, 4), torch.zeros(2, 4))
    >>> f"{loss:.4f}"
    '1.3863'
    """
    student, teacher = _widened(student), _widened(teacher)
    if standardized:
        student, teacher = standardize(student), standardize(teacher)
    # The teacher's probabilities are the targets, in place of one right class a row.
    target = torch.softmax(teacher / temperature, dim=1)
    loss = F.cross_entropy(student / temperature, target)
    return loss * temperature**2 if scaled else loss


def standardize(features: Tensor) -> Tensor:
    """z-score each feature element over the batch.

    Parameters
    ----------
    features : Tensor, (B, F), float
        The responses. An element that is constant over the batch becomes 0, and so does
        its gradient.

    Returns
    -------
    Tensor, (B, F)
        (f - mean) / (sd + 1e-6), where the variance is divided by B - 1.

    Raises
    ------
    FkdError
        Where the batch has fewer than two rows.

    Examples
    --------
    >>> import torch
    >>> from fkd.losses import standardize
    >>> scores = standardize(torch.tensor([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]]))
    >>> scores.round().int().tolist()
    [[-1, 0], [0, 0], [1, 0]]
    """
    if len(features) < 2:
        raise FkdError(f"z-scores over the batch need two images or more, not {len(features)}")
    # The first row as origin keeps digits under a large offset, and makes elements that are
    # constant over the batch ("dead") exactly 0.
    x = _widened(features) - _widened(features[:1])
    centered = x - x.mean(dim=0)
    variance = centered.square().sum(dim=0) / (len(x) - 1)
    # The gradient of the root is infinite at 0, so dead elements are kept out of it.
    alive = variance > 0
    deviation = torch.where(alive, variance, torch.ones_like(variance)).sqrt()
    return torch.where(alive, centered / (deviation + STD_FLOOR), torch.zeros_like(centered))


def _pull_and_push(zs: Tensor, zt: Tensor, chosen: Tensor, lambda_: float) -> Tensor:
    """Pull one element of each row of C = Z_s^T Z_t / B toward 1, and push all others toward 0.

    C_ij is the correlation of the student's element i with the teacher's element j. The sum
    of all C_ij^2, which is trace(C^T C), equals trace(Z_s Z_s^T Z_t Z_t^T) / B^2. Responses
    are much longer than batches, so two matrices of B x B replace C, of F_s x F_t, and its
    gradient.

    Parameters
    ----------
    zs, zt : Tensor, (B, F_s) and (B, F_t), float
        The z-scored responses.
    chosen : Tensor, (B, F_s), float
        For each element of the student, the teacher's element toward which it is pulled.
    lambda_ : float
        Weight of the other elements.

    Returns
    -------
    Tensor, ()
        sum_i (1 - C_ij)^2 of the chosen j, plus lambda times the sum of the other C_ij^2.
    """
    # C is divided by B but the variances by B - 1, as published: C_ij is at most (B - 1) / B.
    drawn = (zs * chosen).sum(dim=0) / len(zs)  # C_ij of the chosen j, (F_s,)
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
        The loss.

    Raises
    ------
    FkdError
        Where the responses have different lengths, so that elements have no twins, or the
        batch has fewer than two rows.

    Examples
    --------
    Two uncorrelated elements. Compared with itself, the response has C_ii = 3/4 for a batch
    of 4, and each element adds (1/4)^2. With the teacher's elements exchanged, C_ii is 0.

    >>> import torch
    >>> from fkd.losses import barlow_twins
    >>> student = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> f"{barlow_twins(student, student):.3f}"
    '0.125'
    >>> f"{barlow_twins(student, student.flip(1)):.3f}"
    '2.000'
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

    Each element of the student is pulled toward its colleague, the teacher's element with
    which it correlates most, instead of toward its twin. Correlations count with their sign.

    Parameters
    ----------
    student, teacher : Tensor, (B, F_s) and (B, F_t), float
        The responses.
    lambda_ : float
        Weight of the other elements.

    Returns
    -------
    Tensor, ()
        The loss.

    Raises
    ------
    FkdError
        Where the batch has fewer than two rows.

    Examples
    --------
    Unlike twins, colleagues are found in any order of the teacher's elements.

    >>> import torch
    >>> from fkd.losses import barlow_colleagues
    >>> student = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> f"{barlow_colleagues(student, student.flip(1)):.3f}"
    '0.125'
    """
    zs, zt = standardize(student), standardize(teacher)
    with torch.no_grad():  # the choice is fixed for this step; no gradient passes through it
        colleague = (zs.T @ zt).argmax(dim=1)
    return _pull_and_push(zs, zt, zt[:, colleague], lambda_)


def _widened(values: Tensor) -> Tensor:
    """Convert half precision to float32, and leave any other precision as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
