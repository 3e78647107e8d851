"""Makes the manual page of what `lethe --experimental-dump-help` says: python3 manual.py VERSION <help.json >lethe.1"""

import json
import re
import sys


def escaped(text):
    """Text as roff takes it: no line begins a request, and hyphens can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"(?m)^([.'])", r"\\&\1", text)
    return "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)


def paragraphs(text):
    """Indented lines, such as commands, stay as they are."""
    for part in text.strip("\n").split("\n\n"):
        if part.startswith("  "):
            print(".PP\n.nf\n" + escaped(part) + "\n.fi")
        else:
            print(".PP\n" + escaped(part))


def written(argument):
    """"--data <data>", "[<file> ...]"."""
    value = "\\fI" + escaped(argument.get("valueName", "value")) + "\\fR"
    if argument["kind"] == "positional":
        return value + (" ..." if argument["isRepeating"] else "")
    names = ", ".join("\\fB" + escaped(("-" if name["kind"] == "short" else "--") + name["name"]) + "\\fR"
                      for name in argument["names"])
    return names if argument["kind"] == "flag" else names + " " + value + (
        " ..." if argument["isRepeating"] else "")


def arguments(command):
    shown = [one for one in command.get("arguments", [])
             if one["shouldDisplay"] and not {"help", "version"} & {name["name"] for name in one.get("names", [])}]
    for argument in shown:
        text = " ".join(argument[key] for key in ("abstract", "discussion") if argument.get(key))
        values = argument.get("allValues")
        if values and not any(value in text for value in values):
            text += " (" + ", ".join(values) + ")"
        if argument.get("defaultValue") and "[default" not in text:
            text += f" [default: {argument['defaultValue']}]"
        print(".TP\n" + written(argument) + "\n" + (escaped(text.strip()) or "\\&"))


def section(command, path):
    names = path + [command["commandName"]]
    children = [child for child in command.get("subcommands", [])
                if child["shouldDisplay"] and child["commandName"] != "help"]
    print(".SS " + escaped(" ".join(names)))
    print(escaped(command.get("abstract", "")))
    if command.get("discussion"):
        paragraphs(command["discussion"])
    arguments(command)
    for child in children:
        section(child, names)


def main():
    version = sys.argv[1]
    root = json.load(sys.stdin)["command"]
    print(f'.TH LETHE 1 "" "lethe {escaped(version)}" "Lethe"')
    print(".SH NAME\nlethe \\- " + escaped(root["abstract"].rstrip(".").replace("Trains", "trains", 1)))
    print(".SH SYNOPSIS\n.B lethe\n.I command\n.RI [ option \" ...]\"")
    print(".SH DESCRIPTION")
    paragraphs(root["discussion"])
    print(".PP\nEvery command takes \\fB\\-\\-help\\fR.")
    print(".SH COMMANDS")
    for command in root["subcommands"]:
        if command["shouldDisplay"] and command["commandName"] != "help":
            section(command, [])
    print(".SH ENVIRONMENT")
    for name, text in [
            ("LETHE_COORDINATOR", "where clients and workers find the coordinator; several addresses, with commas, are tried in turn"),
            ("LETHE_KEYS", "this side's file of CURVE keys"),
            ("LETHE_COORDINATOR_KEY", "the coordinator's public key"),
            ("LETHE_ALLOW_LIST", "the list of keys that lethe keys allow, revoke and list are about"),
            ("LETHE_WEIGHT_CACHE", "a folder for packed weights, or none"),
            ("LETHE_LOG", "how much services log: trace, debug, info, notice, warning (or warn), error or critical"),
            ("LETHE_LOG_FORMAT", "how they log: text, or json, one object a line"),
            ("NO_COLOR", "no colours and bars on a terminal"),
    ]:
        print(f".TP\n.B {name}\n{escaped(text)}")


main()
