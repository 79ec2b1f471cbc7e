"""What keeps a library honest and teaches nothing of autoencoders.

Checks of arguments and data, files, checkpoints, batches, progress, scikit-learn's interface. No
formula is in here.
"""
