"""The stage of the workflow's tests: everything real."""

from tests.workflows.conftest import stage

__all__ = ["stage"]
