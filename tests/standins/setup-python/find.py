"""Find the Python that a step asks for: the image must have it by runners.json, and this machine must, too."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Put the interpreter first on the path of the steps that follow."""
    wanted = os.environ["WANTED"].split()[-1]
    runners = json.loads(Path(os.environ["RUNNERS"]).read_text("utf-8"))
    system = os.environ["ImageOS"]  # noqa: SIM112 - GitHub's own spelling
    image = next(one for one in runners["images"].values() if one["ImageOS"] == system)
    if not any(f"{version}.".startswith(f"{wanted}.") for version in image["pythons"]):
        print(f"::error::The version '{wanted}' with architecture 'x64' was not found for {system}.")
        return 1
    found = shutil.which(f"python{wanted}", path=os.environ["PYTHONS"])
    if found is None:
        print(f"::error::This machine has no Python {wanted} in {os.environ['PYTHONS']}.")
        return 1
    # An environment of its own: what a job installs stays in the job, as on GitHub.
    folder = Path(os.environ["RUNNER_TEMP"]) / f"python-{wanted}"
    options = [] if os.environ.get("INSTALLS") else ["--without-pip"]
    subprocess.run([found, "-m", "venv", *options, str(folder)], check=True)
    with open(os.environ["GITHUB_PATH"], "a", encoding="utf-8") as file:
        file.write(f"{folder / 'bin'}\n")
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
        file.write(f"python-version={wanted}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
