"""Key figures of the desk: monthly values, owners and targets, reviews, the two-weekly report."""
