"""Models on a vLLM-Omni or SGLang Diffusion server of the operator's own."""
