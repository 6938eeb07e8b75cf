"""Makes the models in `models/`: data, training, export and evaluation.

A note of 48 kHz audio is described by *columns* (`columns.py`), one row every 512 samples. `analysis.py` turns
audio into columns and `synthesis.py` turns columns into audio; the networks (`encoder.py`, `decoder.py`) learn
the way from audio to a 16-value embedding and from there to columns. `python -m betwixt_training --help`.
"""
