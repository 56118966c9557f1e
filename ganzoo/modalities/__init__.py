"""What a sample is: a picture, an array of numbers, and what plugins add to these.

A modality says how stored rows become the batches that networks see, and how what networks make becomes what people use. All
that differs between kinds of sample asks it. This room has the contract (``base``) and the two kinds that are built in.
"""
