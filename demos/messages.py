"""Messages that somebody has sorted into spam and ham, read from a file."""

import numpy as np


def read_messages(path):
    """Return the texts and labels (1 spam, 0 ham) of a file; a text that comes twice counts once.

    Each line is "ham" or "spam", a tab and a text; it ends as in Unix or Windows. A first
    line "label<TAB>text" is passed over; of a text with two labels the last one counts. Bytes that
    are not UTF-8 separate words, as blanks do.

    Raises
    ------
    OSError : the file is missing, is a folder, or may not be read
    ValueError : says which line is wrong, or what there is too little of
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="\n") as file:
            lines = file.read().rstrip("\r\n").split("\n")
    except OSError as error:
        wanted = "give a text file with a message in each line"
        raise type(error)(f"{path} cannot be read ({error.strerror}): {wanted}") from None
    messages = {}
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        label, *text = line.split("\t")
        if label in ("ham", "spam") and len(text) == 1 and text[0].strip():
            messages[text[0]] = int(label == "spam")
        elif number > 1 or line != "label\ttext":
            wanted = '"ham" or "spam", a tab and a text'
            raise ValueError(f"{path}, line {number}: must be {wanted}, got {line[:40]!r}")
    labels = np.array(list(messages.values()), int)
    n_ham, n_spam = np.bincount(labels, minlength=2)
    if min(n_ham, n_spam) < 20 or n_ham + n_spam < 400:
        raise ValueError(f"{path}: {n_ham} ham, {n_spam} spam; needs 20 of each, 400 in all")
    return list(messages), labels
