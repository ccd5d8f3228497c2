"""GGUF files run by llama.cpp."""

from howgood.models.llamacpp.model import LlamaCpp, is_installed

__all__ = ["LlamaCpp", "is_installed"]
