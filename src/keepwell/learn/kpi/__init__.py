"""Key figures: their catalogue, their formulas over plain facts, and when a review is due."""
