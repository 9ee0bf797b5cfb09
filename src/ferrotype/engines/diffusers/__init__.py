"""Open models on this machine's GPU or CPU, by the library diffusers."""
