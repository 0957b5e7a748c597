"""How the mini backbone was made: ``python -m tools.mini_backbone --out FOLDER``.

See docs/explanation/mini.md.
"""
