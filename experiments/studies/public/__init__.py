"""Public cohorts: trained fusion beside frozen recipes, and their league."""
