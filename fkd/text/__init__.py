"""From a page of handwriting to text crops."""
