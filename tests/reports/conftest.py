from tests.fixtures.postgres import database, empty_database, migrated_template, postgres

__all__ = ["database", "empty_database", "migrated_template", "postgres"]
