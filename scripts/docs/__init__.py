"""The generated parts of the documentation: written from the code, and checked to be fresh.

`python -m scripts.docs` writes them. With `--check` it only names the stale documents and exits with status 1.
"""
