"""Sparse data: rows of a SciPy matrix, which become dense only a batch at a time."""

import numpy as np


class SparseRows:
    """A sparse matrix with the part of an array's interface that the training loop uses.

    Indexing selects rows, which stay sparse. ``np.asarray(rows)`` makes them dense, so call it for
    a batch only.

    Parameters
    ----------
    matrix : a SciPy sparse matrix or array of any format, (n, features)
    """

    def __init__(self, matrix):
        self.matrix = matrix.tocsr()
        self.shape, self.dtype, self.ndim = matrix.shape, matrix.dtype, len(matrix.shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        return SparseRows(self.matrix[rows])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.matrix.toarray(), dtype)

    def tobytes(self):
        """Return what identifies the data: the entries that are stored, and their places."""
        matrix = self.matrix
        return matrix.data.tobytes() + matrix.indices.tobytes() + matrix.indptr.tobytes()


def is_sparse(x):
    """Return whether x is a sparse matrix or array of SciPy, or of a package like it."""
    return hasattr(x, "tocsr")
