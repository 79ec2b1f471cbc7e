"""concepts: what curves, losses and figures mean.

Write your id in STUDENT if your teacher gave you one: your questions have their own figures. Then
run this file, and it prints the questions:

    python 20_concepts.py

Replace each line that raises NotImplementedError with your answer, such as `return 3` or
`return 110.4`. For a choice, return its number. 1 % more or less does not matter. Leave the names
of the functions as they are.

    python -m miniae.exercises check . concepts
    python -m miniae.exercises hint concepts
"""

STUDENT = ""


def stop_epoch():
    """Return the number of the epoch."""
    raise NotImplementedError("concepts: not started yet")


def underfits():
    """Return the number of the choice."""
    raise NotImplementedError("concepts: not started yet")


def learning_rate():
    """Return the number of the choice."""
    raise NotImplementedError("concepts: not started yet")


def latent_size():
    """Return how many latents."""
    raise NotImplementedError("concepts: not started yet")


def beta():
    """Return the number of the choice."""
    raise NotImplementedError("concepts: not started yet")


def collapsed():
    """Return the number of the choice."""
    raise NotImplementedError("concepts: not started yet")


def mean_for_sum():
    """Return beta."""
    raise NotImplementedError("concepts: not started yet")


def reported_loss():
    """Return nats per image."""
    raise NotImplementedError("concepts: not started yet")


def bits_per_pixel():
    """Return bits per pixel."""
    raise NotImplementedError("concepts: not started yet")


def plain_samples():
    """Return the number of the choice."""
    raise NotImplementedError("concepts: not started yet")


def gap():
    """Return nats."""
    raise NotImplementedError("concepts: not started yet")


if __name__ == "__main__":
    from miniae.exercises.concepts import show

    show(STUDENT)
