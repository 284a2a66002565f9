"""What is saved of a run, and how damage is told; the only folder that names Orbax."""
