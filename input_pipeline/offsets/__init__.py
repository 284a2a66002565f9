"""By how much the clocks of a recording's streams differ: a proposal, with evidence."""
