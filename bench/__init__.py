"""What the service can do, measured: each figure beside a bare baseline, in one run."""
