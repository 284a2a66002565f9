"""Raw data to prepared records to batches; meets the library in the batch alone."""

import os

# TensorFlow only reads data here; what it says of itself at its start helps nobody.
# It listens to these before its first import only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
