"""Numbers and tables as text."""


def as_text(values):
    """Return "loss 101.2  kl 25.0 ..." for a dict of numbers."""
    return "  ".join(f"{name} {value:.5g}" for name, value in values.items())


def aligned(rows, right=()):
    """Return rows of strings as lines whose columns stand below one another.

    right : the columns, by index, that stand flush right, as numbers do
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
