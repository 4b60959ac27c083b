"""Floor 6: the table in the terminal and the HTML page."""
