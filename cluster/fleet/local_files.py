"""What is copied to hosts: trees of files, named by what is in them."""

import dataclasses
import hashlib
import os
import pathlib
import re
import subprocess
import tarfile

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


class Unusable(Exception):
    """What the arguments name cannot be used."""


@dataclasses.dataclass(frozen=True)
class Tree:
    """Files that go to ~/.lethe/KIND/NAME on a host. `files`: (name there, path here), sorted by name as bytes."""

    kind: str
    files: tuple
    digest: str
    bytes: int

    @property
    def name(self):
        return self.digest[:16]

    def write(self, pipe):
        """A tar of it. Links are followed: a model may lie in a folder of links."""
        with tarfile.open(fileobj=pipe, mode="w|", dereference=True, format=tarfile.PAX_FORMAT) as archive:
            for name, path in self.files:
                archive.add(path, arcname=name, recursive=False)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree(kind, files):
    """The digest is that of the list which `sha256sum` prints of the files, as remote.sh makes it."""
    listed = sorted(files, key=lambda entry: os.fsencode("./" + entry[0]))
    try:
        for name, path in listed:
            if "\n" in name or "\\" in name or not os.path.isfile(path):
                raise Unusable(f"{path} cannot be copied")
        lines = "".join(f"{sha256(path)}  ./{name}\n" for name, path in listed)
        size = sum(os.path.getsize(path) for _, path in listed)
    except OSError as error:
        raise Unusable(str(error)) from error
    return Tree(kind, tuple(listed), hashlib.sha256(os.fsencode(lines)).hexdigest(), size)


def below(folder):
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(root, name)
            yield os.path.relpath(path, folder), path


def program(asked):
    """The command with the libraries beside it: the one asked for, else the installed one or what this repository builds."""
    if asked and not os.access(asked, os.X_OK):
        raise Unusable(f"--lethe {asked}: there is no such command")
    file = pathlib.Path(asked) if asked else pathlib.Path(prepared("prepare_portable", "LETHE"))
    file = file.resolve()
    if file.name != "lethe":
        raise Unusable(f"{file}: the command's file is called lethe")
    # A build folder has other things in it.
    return tree("programs", below(file.parent) if (file.parent / "installed").exists() else [("lethe", file)])


def model(asked):
    """A GGUF file, all parts of one that is split, or a Hugging Face directory; with what the worker's option names there."""
    path = pathlib.Path(asked or prepared("prepare_model", "LETHE_MODEL")).absolute()
    if path.is_dir():
        return tree("models", ((f"{path.name}/{name}", file) for name, file in below(path))), path.name
    if not path.is_file():
        raise Unusable(f"--model {path}: there is no such model")
    parts = [path]
    if split := re.fullmatch(r"(.*)-00001-of-(\d{5})\.gguf", path.name):
        parts = [path.with_name(f"{split[1]}-{part:05}-of-{split[2]}.gguf") for part in range(1, int(split[2]) + 1)]
    return tree("models", [(part.name, part) for part in parts]), path.name


def keys(own, coordinator):
    """The worker's key file and the coordinator's public one; with the digest of the latter, which says whose workers they are."""
    for option, file in (("--keys", own), ("--coordinator-key", coordinator)):
        if not os.path.isfile(file):
            raise Unusable(f"{option} {file}: there is no such file")
    return tree("keys", [("worker.key", own), ("coordinator.pub", coordinator)]), sha256(coordinator)


def prepared(function, variable):
    """What a function of prepare.sh finds, fetches or builds."""
    result = subprocess.run(
        ["bash", "-c", 'set -euo pipefail; . "$1"; "$2" >&2; printf %s "${!3}"', "prepare",
         str(REPOSITORY / "cluster/prepare.sh"), function, variable], stdout=subprocess.PIPE, check=False)
    if result.returncode != 0:
        raise Unusable(f"{function} failed")
    return result.stdout.decode()
