"""Every step of the Dockerfile in an empty Debian root, where no engine can build the image.

    python -m tests.container_steps FOLDER [--suite NAME] [--mirror URL] [--bind PATH ...]

Makes the root with debootstrap, unless FOLDER has one. Debian's own Python stands in for the
image's, so the suite must have 3.11 or 3.12. COPY, RUN and ENV are carried out in it in their
order; then CMD runs as compose.yaml says: not root, without rights, on a read-only root with /tmp
in memory, and here without any network but its own loopback. There the HEALTHCHECK must pass, a
video must be analysed, and nothing outside /tmp may be written. `--bind` shows a path of this
machine to the steps, such as the files that this machine's pip is set up with.

Needs Linux, root, debootstrap, and some 8 GB of disk; ends with 3 where one is missing.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.test_container import ROOT, STEPS, admitted, instruction

PACKAGES = "python3,python3-pip,ca-certificates"
NEEDED = ("debootstrap", "unshare", "chroot", "ip", "mount")
# Where the image has a Python of its own, Debian guards the system's.
STAND_IN = {
    "PIP_BREAK_SYSTEM_PACKAGES": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
}
BEGIN = """
set -e
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for node in null zero random urandom; do
  touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/shm"; mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/dev/shm"
"""
BUILD = """
for path in $binds; do
  if [ -d "$path" ]; then mkdir -p "$root$path"
  else mkdir -p "$root$(dirname "$path")"; touch "$root$path"; fi
  mount --bind "$path" "$root$path"
done
chroot "$root" /bin/sh -c 'cd "$folder" && eval "$command"'
"""
SERVE = """
mount -t tmpfs -o "$tmpfs" tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
ip link set lo up
chroot "$root" setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
  --bounding-set -all --inh-caps -all /bin/sh -c 'cd "$folder" && exec python3 -c "$visit"'
"""
VISIT = """
import json, os, pathlib, shlex, subprocess, sys, time
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
assert os.getuid() == int(os.environ["uid"]), "root"
assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, "rights are left"
for place in ("/app/new", "/usr/new", "/etc/new", "/new"):
    try:
        pathlib.Path(place).touch()
    except OSError as error:
        print(place, "cannot be written:", error.strerror)
    else:
        sys.exit(place + " could be written")
start = time.monotonic()
app = subprocess.Popen(json.loads(os.environ["cmd"]))
check = json.loads(os.environ["health"])
while subprocess.run(check, stderr=subprocess.DEVNULL).returncode:
    if app.poll() is not None or time.monotonic() - start > 300:
        sys.exit("the health check never passed")
    time.sleep(1)
print(f"healthy after {time.monotonic() - start:.0f} s", flush=True)
from gradio_client import Client, handle_file
client = Client("http://127.0.0.1:7860", verbose=False)
info = client.predict(api_name="/model_info")
print("decoding:", ", ".join(info["models"][0]["decoding"]))
for name in ("two_people", "no_face"):
    video = handle_file(f"/app/examples/{name}.mp4")
    report = client.predict(video=video, api_name="/analyze_video")
    print(name, report["status"], report["p_fake"])
app.terminate()
print("ended with", app.wait(60))
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.container_steps", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--mirror", default="", help="of Debian; debootstrap's own if left out")
    parser.add_argument("--bind", action="append", default=[])
    options = parser.parse_args(argv)
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if sys.platform != "linux" or os.geteuid() != 0 or lacking:
        print(f"Skipped: this needs Linux and root, and finds no {', '.join(lacking) or 'root'}.")
        return 3
    if not (options.folder / "etc/debian_version").exists():
        make = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", options.suite]
        subprocess.run([*make, str(options.folder), *filter(None, [options.mirror])], check=True)
    environment = build(options.folder.resolve(), options.bind)
    return serve(options.folder.resolve(), environment)


def build(root: Path, binds: Sequence[str]) -> dict[str, str]:
    """Carries out all steps until USER, and returns the environment that they leave."""
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment, folder = STAND_IN | pip, "/"
    python = root / "usr/local/bin/python"
    if not python.is_symlink():
        python.symlink_to("/usr/bin/python3")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")  # as an engine does
    for word, rest in STEPS:
        print(f"== {word} {rest[:100]}", flush=True)
        if word == "ENV" or (word == "ARG" and "=" in rest):
            environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "WORKDIR":
            folder = rest
            (root / folder[1:]).mkdir(exist_ok=True)
        elif word == "COPY":
            copy(rest.split()[:-1], root / folder[1:])
        elif word == "RUN" and not done(root, rest):
            facts = {"binds": " ".join(binds), "folder": folder, "command": rest}
            if inside(BEGIN + BUILD, root, environment | facts):
                raise SystemExit("this step failed")
            (root / "steps-done").open("a").write(f"{rest}\n")
    return environment | {"folder": folder}


def done(root: Path, command: str) -> bool:
    """Whether an earlier run came this far: packages take long to install."""
    kept = root / "steps-done"
    return kept.exists() and command in kept.read_text(encoding="utf-8").splitlines()


def copy(what: Sequence[str], to: Path) -> None:
    """As COPY, of what .dockerignore admits."""
    names = admitted() if list(what) == ["."] else what
    for name in names:
        source = ROOT / name
        if source.is_dir():
            caches = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, to / name, dirs_exist_ok=True, ignore=caches)
        else:
            shutil.copy(source, to / name)


def serve(root: Path, environment: dict[str, str]) -> int:
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    uid, gid = instruction("USER")[-1].split(":")
    facts = {
        "tmpfs": service["tmpfs"][0].partition(":")[2],
        "uid": uid,
        "gid": gid,
        "visit": VISIT,
        "cmd": instruction("CMD")[-1],
        "health": instruction("HEALTHCHECK")[-1].partition("CMD ")[2],
    }
    print("== USER, HEALTHCHECK, CMD, on a read-only root", flush=True)
    return inside(BEGIN + SERVE, root, environment | facts, "--net")


def inside(script: str, root: Path, environment: dict[str, str], *more: str) -> int:
    """Run `script` where what it mounts and starts is gone when it ends."""
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *more, "sh", "-c", script]
    return subprocess.run(command, env=environment | {"root": str(root)}).returncode


if __name__ == "__main__":
    sys.exit(main())
