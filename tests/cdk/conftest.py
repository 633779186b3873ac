from tests.fixtures.step_functions import cloud
from tests.fixtures.templates import shared_templates

__all__ = ["cloud", "shared_templates"]
