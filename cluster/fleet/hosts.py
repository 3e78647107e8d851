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
    found = list(texts)
    for file in files:
        try:
            lines = pathlib.Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongHost(f"--hosts {file}: {error}") from error
        found += [entry for line in lines if (entry := line.split("#")[0].strip())]
    hosts, seen = [read(text) for text in found], set()
    for host in hosts:
        if host.name in seen:
            raise WrongHost(f"{host.name} is named twice")
        seen.add(host.name)
    if not hosts:
        raise WrongHost("no hosts: name some, or a --hosts FILE with one a line")
    return hosts
