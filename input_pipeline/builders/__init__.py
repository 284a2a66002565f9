"""Data sets: one file each says where files lie, how names read and who is in a split.

No TensorFlow here: `howto` is read where a data set is missing, with or without it.
"""
