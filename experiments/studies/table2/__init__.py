"""The controlled experiments behind experiments/studies/review_table.py."""
