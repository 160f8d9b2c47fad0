"""Where the boxes, arrows and labels of a graph lie on the page."""
