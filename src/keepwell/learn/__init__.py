"""Learn: what came of it: outcomes, experiments, value, reports."""
