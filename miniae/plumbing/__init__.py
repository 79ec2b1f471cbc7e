"""What a library needs besides autoencoders; skip it when you read to learn.

Checks of arguments and data, files, checkpoints, batches, progress, scikit-learn's interface. There
is no formula here.
"""
