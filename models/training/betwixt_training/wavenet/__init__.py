"""NSynth's WaveNet autoencoder (Engel et al. 2017, arXiv 1704.01279): a checkpoint of Magenta's becomes a model folder.

`checkpoint.py` reads the weights, `encoder_graph.py` and `step_graph.py` write them as ONNX graphs, `convert.py` puts the
folder together and `loss.py` measures what 8 bits cost. `fastgen.py` runs Magenta's own code beside ours. Needs neither
torch nor the rest of the package; TensorFlow is only loaded to read a checkpoint, or as what Magenta's code runs on.
"""
