"""What a step needs, told by compiling it: here or for devices one need not have."""
