"""Decontamination: does a training instruction repeat an item of a held-out benchmark, verbatim or in other words?"""

from __future__ import annotations

from .benchmark import Benchmark, Contamination, Match, report

__all__ = ["Benchmark", "Contamination", "Match", "report"]
