"""Files of CI systems, made from the configuration: what a pipeline does (model), how each system writes it (writing).

Nothing is asked of AWS, of git or of the CI system: the same configuration gives the same file.
"""

from __future__ import annotations

from deploylib.ci.model import Pipeline, pipeline
from deploylib.ci.writing import PROVIDERS, of, render

__all__ = ["PROVIDERS", "Pipeline", "of", "pipeline", "render"]
