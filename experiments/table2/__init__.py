"""The controlled experiments behind experiments/review_table.py."""
