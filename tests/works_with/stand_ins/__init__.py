"""Stand-ins for cloud services: scripts that run a loader in its own environment, without an account and a network.

Each takes the loader's arguments, and finds its data beside the configuration file. The loader is the real one, apart
from what the script's docstring names. A script `dump_….py` writes the loaded tables to a file: `python SCRIPT FOLDER
FILE`. `offline.py` closes the network.
"""
