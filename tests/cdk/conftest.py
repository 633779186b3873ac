from tests.fixtures.step_functions import cloud

__all__ = ["cloud"]
