"""Hosts as they are written: HOST, HOST:N, [IPv6]:N, with a user before an @; and files of them."""

import dataclasses
import pathlib
import re

BRACKETED = re.compile(r"((?:[^][@]*@)?)\[([^]]+)\](?::(.*))?")
PLAIN = re.compile(r"([^][:]+)(?::(.*))?")


class WrongHost(ValueError):
    pass


@dataclasses.dataclass(frozen=True)
class Host:
    """`name` is what ssh gets; `count` is None where no number was written."""

    name: str
    count: int | None = None


def read(text):
    """One host; raises WrongHost."""
    if bracketed := BRACKETED.fullmatch(text):
        name, number = bracketed[1] + bracketed[2], bracketed[3]
    elif plain := PLAIN.fullmatch(text):
        name, number = plain[1], plain[2]
    elif text.count(":") > 1 and "[" not in text:
        raise WrongHost(f"{text}: an IPv6 address stands in brackets, [{text}]")
    else:
        raise WrongHost(f"{text}: write HOST or HOST:N")
    if name.startswith("-") or not name.isprintable() or " " in name:
        raise WrongHost(f"{text}: write HOST or HOST:N")
    if number is not None and not re.fullmatch(r"0|[1-9][0-9]{0,3}", number):
        raise WrongHost(f"{text}: write HOST or HOST:N")
    return Host(name, None if number is None else int(number))


def read_all(texts, files):
    """The hosts of the command line, then those of the files: one a line, # begins a comment. None twice."""
    found = [(text, "") for text in texts]
    for file in files:
        try:
            # As editors on Windows write it, too.
            lines = pathlib.Path(file).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongHost(f"--hosts {file}: {error}") from error
        found += [(entry, f"--hosts {file}, line {number}: ") for number, line in enumerate(lines, 1)
                  if (entry := line.split("#")[0].strip())]
    hosts, seen = [], set()
    for text, place in found:
        try:
            host = read(text)
        except WrongHost as error:
            raise WrongHost(f"{place}{error}") from error
        if host.name in seen:
            raise WrongHost(f"{place}{host.name} is named twice")
        seen.add(host.name)
        hosts.append(host)
    if not hosts:
        raise WrongHost("no hosts: name some, or a --hosts FILE with one a line")
    return hosts
