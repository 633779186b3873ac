"""Access to Postgres: the tables (models), connections (session), and one module of queries per table.

Nothing is imported here, so a function only pays for the modules it uses.
"""
