"""Whether an answer does what a prompt asks for in ways that a program can verify, as IFEval judges it."""

from howgood.outputs.verify.instructions import read_instructions
from howgood.outputs.verify.verify import Compat, Verify

__all__ = ["Compat", "Verify", "read_instructions"]
