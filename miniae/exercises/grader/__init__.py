"""Runs a student's file in a process of its own, and compares its answers outside of that process.

The way of a check: `running` checks many answers at the same time; `sandbox` checks one file;
`processes` starts the processes and ends them, and `container` says what they may use of the
machine; `student` is what runs there, and `confine` its limits; `here` takes their place where no
process can be started; `wire` is the channel between; `remote` and `stand_ins` call the student's
functions through it; `worker` asks the questions of the exercise; `noticed` and `errors` say what
happened there.
"""
