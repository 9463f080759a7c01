"""From a data set of signatures to prepared images."""
