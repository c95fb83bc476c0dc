"""Spec to plan: types resolved, references checked, decisions taken, fingerprint made. Nothing is executed or imported."""
