"""Postgres as the functions see it: tables (models), connections (session), what is asked (repositories).

Nothing is imported here, so that a function pays only for the part it uses.
"""
