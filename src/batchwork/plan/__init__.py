"""Spec to plan: types resolved, references checked, decisions taken, fingerprint made. Nothing is executed or imported."""

from batchwork.late import late_imports

with late_imports():
    import msgspec  # noqa: F401
    import yaml  # noqa: F401
