"""The credentials that a workflow holds without declaring them: written in it, or come by its parameters and environment.

They are values of `auth`, of headers such as `Authorization` and `X-API-Key`, and passwords in URLs. A run masks them like
declared secrets, so that no store, log or message has what only the author's file should have.
"""
