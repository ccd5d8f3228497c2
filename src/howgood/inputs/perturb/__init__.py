"""Perturbations: the same question asked in other ways that leave its right answer what it was."""
