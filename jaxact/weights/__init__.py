"""Public weights: files read safely, names mapped strictly; knows no backbone."""
