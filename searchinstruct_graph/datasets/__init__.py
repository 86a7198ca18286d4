"""Datasets: rows and their provenance, the ledger, the pool's hygiene, exports, cards and reports.

Nothing here knows of agents or graphs: it works on rows, whoever made them.
"""
