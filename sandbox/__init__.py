"""The sandbox host: runs the code of models in locked-down kernels and speaks HTTP; docs/sandbox.md.

It knows nothing of Locum's database, Redis or files, and imports nothing of Locum but its settings and its logging.
"""
