"""The container image, built and run by Podman, on the sandbox: `python -m tests.image`."""
