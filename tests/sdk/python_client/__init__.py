"""The scenarios in Python: `python -m tests.sdk.python_client --base-url ... --api-key ... --backend ...`.

Needs nothing but the `openai` package of the interpreter that runs it, so that old versions of it can be tried too.
"""
