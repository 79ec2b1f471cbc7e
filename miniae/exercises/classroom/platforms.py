"""The commands `gradescope` and `nbgrader`: write what these services need."""

import json
import shlex
import zipfile
from pathlib import Path

import miniae
from miniae.exercises.classroom.grading import exercises_of, points_of
from miniae.exercises.classroom.notebooks import as_assignment

MINUTES = 10  # Gradescope ends an autograder after them
SPARE = 90  # seconds for everything but the checks
MEGABYTES = 448  # of the container's 768; the grader itself needs about 250
SLOWEST = 20  # seconds for an exercise at most
PACKAGE = Path(miniae.__file__).parent

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, when it builds the container.
set -e
apt-get update
apt-get install -y python3 python3-venv
python3 -m venv /autograder/python
/autograder/python/bin/pip install numpy
"""
RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for each submission. There is a results.json in any case: when the time is
# over, it has what is checked until then.
at="${AUTOGRADER:-/autograder}"
python="${PYTHON:-/autograder/python/bin/python}"
results="$at/results/results.json"
mkdir -p "$at/results"
cat > "$results" <<'END'
{"score": 0, "output": "The grader itself has stopped. Hand in again, or tell your teacher."}
END
cd /
export PYTHONPATH="$at/source" OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
student="$("$python" -m miniae.exercises.classroom.platforms "$at/submission_metadata.json")"
timeout --signal=INT --kill-after=5 @TIME@ \\
    "$python" -m miniae.exercises report "$at/submission" --gradescope \\
    "--student=${student:-student}" --jobs 1 --seconds @SECONDS@ --megabytes @MEGABYTES@ \\
    --points @POINTS@ --only @IDS@ > "$at/results/new.json"
if "$python" -m json.tool "$at/results/new.json" > /dev/null; then
    mv "$at/results/new.json" "$results"
fi
rm -f "$at/results/new.json"
exit 0
"""


def gradescope(chosen):
    """Write the zip archive that Gradescope takes as an autograder."""
    exercises, points = exercises_of(chosen.ids), points_of(chosen.points)
    time = 60 * MINUTES - 30
    seconds = min(SLOWEST, (60 * MINUTES - SPARE) / len(exercises) - 2)
    words = {
        "TIME": f"{time}",
        "SECONDS": f"{seconds:.0f}",
        "MEGABYTES": f"{MEGABYTES}",
        "POINTS": shlex.quote(",".join(f"{e.id}={points[e.id]:g}" for e in exercises)),
        "IDS": " ".join(e.id for e in exercises),
    }
    run = RUN
    for word, value in words.items():
        run = run.replace(f"@{word}@", value)
    out = zip_path(chosen.out)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        add(archive, "setup.sh", SETUP, 0o755)
        add(archive, "run_autograder", run, 0o755)
        for path in sorted(PACKAGE.rglob("*")):
            name = path.relative_to(PACKAGE.parent)
            if path.is_file() and "__pycache__" not in name.parts and path.suffix != ".pyc":
                add(archive, name.as_posix(), path.read_bytes(), 0o644)
    total = sum(points[e.id] for e in exercises)
    print(f"{out}: {len(exercises)} exercises, {total:g} points. Upload it to Gradescope as it is.")
    return 0


def zip_path(out):
    """Return the path of the archive: OUT if it ends in .zip, else a file in the folder OUT."""
    if out.suffix != ".zip":
        out.mkdir(parents=True, exist_ok=True)
        return out / "autograder.zip"
    out.parent.mkdir(parents=True, exist_ok=True)
    return out


def add(archive, name, data, mode):
    """Add a file with its mode; the date is fixed, so that the same content is the same archive."""
    about = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
    about.external_attr = (0o100000 | mode) << 16
    about.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(about, data)


def student_of(metadata):
    """Return the student's id from Gradescope's metadata: emails, or ids, of all who handed in.

    metadata : str, the text of submission_metadata.json
    """
    try:
        users = json.loads(metadata)["users"]
        names = [str(user.get("email") or user.get("id") or user.get("name")) for user in users]
    except (ValueError, TypeError, LookupError, AttributeError):
        return ""
    return "+".join(sorted(names))


def nbgrader(chosen):
    """Write the notebooks of an assignment for nbgrader, and its configuration."""
    exercises, points = exercises_of(chosen.ids), points_of(chosen.points)
    folder = chosen.out / "source" / chosen.assignment
    folder.mkdir(parents=True, exist_ok=True)
    for exercise in exercises:
        path = folder / Path(exercise.file).with_suffix(".ipynb").name
        path.write_text(as_assignment(exercise, points[exercise.id]), "utf-8")
    config = chosen.out / "nbgrader_config.py"
    if not config.exists():
        config.write_text(CONFIG, "utf-8")
    total = sum(points[e.id] for e in exercises)
    print(f"{folder}: {len(exercises)} notebooks, {total:g} points. Then, in {chosen.out}:")
    assignment = shlex.quote(chosen.assignment)
    print(f"  nbgrader generate_assignment {assignment}    writes release/, for the students")
    print(f"  nbgrader autograde {assignment} --create     grades submitted/STUDENT/{assignment}")
    return 0


CONFIG = """\
c = get_config()
c.ExecutePreprocessor.timeout = 120
"""


if __name__ == "__main__":
    import sys

    print(student_of(Path(sys.argv[1]).read_text("utf-8") if Path(sys.argv[1]).is_file() else ""))
