"""The one place where parts are chosen: from settings to a ledger, a front and a worker.

One module for each process that we start, so that none loads what only another one needs.
"""
