"""Small cohorts: is any arm worse than a plain recipe of what it sees?"""
