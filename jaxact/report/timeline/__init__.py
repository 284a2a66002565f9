"""What was seen when: windows' scores to moments, segments, files and a page.

Times are whole microseconds of the recording, as `input_pipeline.clock` counts them:
which windows cover a moment is then decided without rounding.
"""

SECOND = 1_000_000
