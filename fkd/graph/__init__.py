"""The geometry of a feature map: spanning tree, neighborhoods and affinity contrast.

A map of H x W x D is read as a set of N = H W vectors x_i in R^D with the squared
distances d_ij = ||x_i - x_j||^2. The minimal spanning tree of the complete graph says
which vectors are neighbors: m_ij is 1 where i and j are at most five edges ("hops")
apart on the tree, and 0 otherwise. The Neighborhood Affinity Contrast of the paper,

    NAC_i = sum_j m_ij d_ij / sum_j d_ij,

says how close a vector is to its neighbors, relative to its distance to all vectors.
"""

from fkd.graph.contrast import MAPS, nac, vectors_of_map
from fkd.graph.neighbors import RADIUS, Neighborhoods, neighborhoods
from fkd.graph.tree import check_rooted, rooted_trees, spanning_tree

__all__ = [
    "MAPS",
    "RADIUS",
    "Neighborhoods",
    "check_rooted",
    "nac",
    "neighborhoods",
    "rooted_trees",
    "spanning_tree",
    "vectors_of_map",
]
