"""The losses of networks that learn from pairs and triplets, each with its formula.

D is the Euclidean distance of the two embeddings of a pair, and y is 1 for a pair with a forgery and
0 for a genuine one. B is the number of pairs of a batch. Losses are means over the pairs or triplets
that count. Half precision is widened to float32 first.

The gradient of a distance is infinite where two embeddings are equal, so it is 0 there.

The write-ups that are meant below: a Keras notebook, "Signature Classification on ICDAR 2011 Signature
Dataset using Siamese CNN"; an article on PyTorch, "Siamese Network"; a design of a service, "One-Shot
Signature Recognition Using Siamese Networks".
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fkd.errors import FkdError

SHORTEST = 1e-6
"""The length of an embedding below which its direction is not taken in full."""


def distance(first: Tensor, second: Tensor) -> Tensor:
    """D_b = ||e1_b - e2_b||.

    Parameters
    ----------
    first, second : Tensor, (B, F), float
        The embeddings of the two images of each pair.

    Returns
    -------
    Tensor, (B,)
        The Euclidean distances. Equal embeddings are at 0, with a gradient of 0.

    Examples
    --------
    >>> import torch
    >>> from fkd.pair_losses import distance
    >>> distance(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2)).item()
    5.0
    """
    return _root((_widened(first) - _widened(second)).square().sum(dim=-1))


def binary_cross_entropy(logit: Tensor, forged: Tensor) -> Tensor:
    """BCE = -1/B sum_b [y_b log p_b + (1 - y_b) log(1 - p_b)] with p = sigmoid(logit) (the notebook).

    Parameters
    ----------
    logit : Tensor, (B,), float
        What the learned comparison says of each pair; p is the probability of a forgery.
    forged : Tensor, (B,), bool or float
        y, whether each pair has a forgery.

    Returns
    -------
    Tensor, ()
        The loss.

    Examples
    --------
    >>> import torch
    >>> from fkd.pair_losses import binary_cross_entropy
    >>> f"{binary_cross_entropy(torch.zeros(2), torch.tensor([True, False])):.4f}"
    '0.6931'
    """
    logit = _widened(logit)
    return F.binary_cross_entropy_with_logits(logit, forged.to(logit.dtype))


def contrastive(distance: Tensor, forged: Tensor, margin: float = 2.0) -> Tensor:
    """1/B sum_b [(1 - y_b) D_b^2 + y_b max(0, m - D_b)^2], as the article's code has it.

    R. Hadsell, S. Chopra and Y. LeCun, Dimensionality reduction by learning an invariant mapping,
    2006, have the same but for halves.

    Parameters
    ----------
    distance : Tensor, (B,), float
        D, the distance of each pair.
    forged : Tensor, (B,), bool or float
        y, whether each pair has a forgery.
    margin : float
        m, the distance at which forged pairs no longer cost anything.

    Returns
    -------
    Tensor, ()
        The loss.

    Examples
    --------
    >>> import torch
    >>> from fkd.pair_losses import contrastive
    >>> contrastive(torch.tensor([1.0, 0.5]), torch.tensor([False, True]), margin=2.0).item()
    1.625
    """
    distance = _widened(distance)
    y = forged.to(distance.dtype)
    return ((1 - y) * distance.square() + y * (margin - distance).clamp(min=0).square()).mean()


def contrastive_as_printed(distance: Tensor, forged: Tensor, margin: float = 2.0) -> Tensor:
    """1/B sum_b 1/2 [(1 - y_b) D_b^2 + y_b max(0, m - D_b^2)], as the article prints it.

    The article prints a plus between y and the second half, where its own source has a product;
    the product is meant.

    Parameters
    ----------
    distance, forged, margin
        As for :func:`contrastive`.

    Returns
    -------
    Tensor, ()
        The loss.

    Examples
    --------
    >>> import torch
    >>> from fkd.pair_losses import contrastive_as_printed
    >>> pairs = torch.tensor([1.0, 0.5]), torch.tensor([False, True])
    >>> contrastive_as_printed(*pairs, margin=2.0).item()
    0.6875
    """
    squared = _widened(distance).square()
    y = forged.to(squared.dtype)
    return ((1 - y) * squared + y * (margin - squared).clamp(min=0)).mean() / 2


def weighted_contrastive(
    distance: Tensor, forged: Tensor, margin: float = 1.0, a: float = 1.0, b: float = 1.0
) -> Tensor:
    """1/B sum_b [a (1 - y_b) D_b^2 + b y_b max(0, m - D_b)] (the service).

    Parameters
    ----------
    distance, forged, margin
        As for :func:`contrastive`.
    a, b : float
        The weights of genuine and of forged pairs.

    Returns
    -------
    Tensor, ()
        The loss.

    Examples
    --------
    >>> import torch
    >>> from fkd.pair_losses import weighted_contrastive
    >>> pairs = torch.tensor([1.0, 0.5]), torch.tensor([False, True])
    >>> weighted_contrastive(*pairs, margin=1.0, a=1.0, b=2.0).item()
    1.0
    """
    distance = _widened(distance)
    y = forged.to(distance.dtype)
    return (a * (1 - y) * distance.square() + b * y * (margin - distance).clamp(min=0)).mean()


MINING = ("all", "semi_hard", "hard")
"""Which triplets of a batch count."""


def triplet(
    embedding: Tensor,
    writer: Tensor,
    forgery: Tensor,
    margin: float = 0.5,
    squared: bool = False,
    mining: str = "all",
) -> Tensor:
    """Mean over triplets of max(0, d(a, p) - d(a, n) + m) (the service).

    Anchor a and positive p are two genuine signatures of one writer. The negative n is any other
    image of the batch that is no genuine signature of this writer: a forgery of it, or a signature
    of another writer.

    Parameters
    ----------
    embedding : Tensor, (N, F), float
        The embeddings of all images of a batch.
    writer : Tensor, (N,), int64
        The writer of each image. A forgery's is the one it imitates.
    forgery : Tensor, (N,), bool
        Whether each image is a skilled forgery.
    margin : float
        m, by how much negatives are to be farther away than positives.
    squared : bool
        Whether d is the squared distance, as in F. Schroff et al., FaceNet, 2015, or the distance,
        as written in the design.
    mining : {"all", "semi_hard", "hard"}
        Which triplets count: all with a loss above 0; those whose negative is farther away than
        the positive, but not by the margin; or for each anchor the farthest positive and the
        nearest negative (A. Hermans et al., In defense of the triplet loss, 2017).

    Returns
    -------
    Tensor, ()
        The loss; 0 with a gradient of 0 if no triplet counts.

    Raises
    ------
    FkdError
        If `mining` is none of the three.

    Examples
    --------
    The genuine signatures of one writer at 0 and 1, and a forgery at 1.2: the anchor at 0 costs
    1 - 1.2 + 0.5, and the anchor at 1 costs 1 - 0.2 + 0.5.

    >>> import torch
    >>> from fkd.pair_losses import triplet
    >>> embedding, writer = torch.tensor([[0.0], [1.0], [1.2]]), torch.tensor([7, 7, 7])
    >>> forgery = torch.tensor([False, False, True])
    >>> f"{triplet(embedding, writer, forgery, margin=0.5):.3f}"
    '0.800'
    >>> f"{triplet(embedding, writer, forgery, margin=0.5, mining='semi_hard'):.3f}"
    '0.300'
    """
    if mining not in MINING:
        raise FkdError(f"mining: expected one of {', '.join(MINING)}, found {mining!r}")
    embedding = _widened(embedding)
    # Differences and not a Gram matrix: of near embeddings, the latter would keep few digits.
    d = (embedding[:, None] - embedding[None]).square().sum(dim=-1)  # (N, N)
    d = d if squared else _root(d)
    genuine = ~forgery
    same = (writer[:, None] == writer[None]) & genuine[:, None] & genuine[None]
    positive = same & ~torch.eye(len(d), dtype=torch.bool, device=d.device)
    negative = genuine[:, None] & ~same
    if mining == "hard":
        farthest = d.masked_fill(~positive, -torch.inf).amax(dim=1)
        nearest = d.masked_fill(~negative, torch.inf).amin(dim=1)
        counts = positive.any(dim=1) & negative.any(dim=1)
        return _mean_of((farthest - nearest + margin)[counts].clamp(min=0), embedding)
    losses = d[:, :, None] - d[:, None, :] + margin  # (anchor, positive, negative)
    counts = positive[:, :, None] & negative[:, None, :] & (losses > 0)
    if mining == "semi_hard":
        counts &= losses < margin
    return _mean_of(losses[counts], embedding)


def nt_xent(embedding: Tensor, writer: Tensor, forgery: Tensor, temperature: float = 0.5) -> Tensor:
    """Mean over positive pairs (i, j) of -log(exp(s_ij / t) / sum_{k != i} exp(s_ik / t)).

    s is the cosine of two embeddings. The positives of a genuine signature are the other ones of
    its writer (T. Chen et al., A simple framework for contrastive learning of visual
    representations, 2020, with writers in place of augmented copies).

    Parameters
    ----------
    embedding, writer, forgery
        As for :func:`triplet`.
    temperature : float
        t, above 0.

    Returns
    -------
    Tensor, ()
        The loss; 0 with a gradient of 0 if there is no positive pair.

    Raises
    ------
    FkdError
        If the temperature is not above 0.

    Examples
    --------
    Two equal signatures of one writer, and one that is orthogonal to them.

    >>> import torch
    >>> from fkd.pair_losses import nt_xent
    >>> embedding = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> writer, forgery = torch.tensor([1, 1, 2]), torch.zeros(3, dtype=torch.bool)
    >>> f"{nt_xent(embedding, writer, forgery, temperature=1.0):.4f}"  # log(1 + 1 / e)
    '0.3133'
    """
    if not temperature > 0:
        raise FkdError(f"temperature: expected a number, above 0, found {temperature!r}")
    unit = F.normalize(_widened(embedding), dim=1, eps=SHORTEST)
    s = unit @ unit.T / temperature
    itself = torch.eye(len(s), dtype=torch.bool, device=s.device)
    genuine = ~forgery
    same = (writer[:, None] == writer[None]) & genuine[:, None] & genuine[None]
    log_share = s - s.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
    return _mean_of(-log_share[same & ~itself], embedding)


def _root(squares: Tensor) -> Tensor:
    """Take the root of squared distances, whose gradient at 0 is 0."""
    above = squares > 0
    root = torch.where(above, squares, torch.ones_like(squares)).sqrt()
    return torch.where(above, root, torch.zeros_like(squares))


def _mean_of(losses: Tensor, embedding: Tensor) -> Tensor:
    """Average losses; without any, give a 0 that depends on the embeddings."""
    return losses.mean() if losses.numel() else _widened(embedding).sum() * 0


def _widened(values: Tensor) -> Tensor:
    """Convert half precision to float32, and leave any other precision as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
