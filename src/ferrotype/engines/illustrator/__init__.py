"""The engine that comes with Ferrotype: draws what it understood of the prompt, on the CPU."""
