"""Figures of the report, drawn from what a summary holds."""

import logging

# It tells on stderr, at its first import ever, that it looks for fonts.
logging.getLogger('matplotlib.font_manager').setLevel(logging.ERROR)
