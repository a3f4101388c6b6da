#!/usr/bin/env python3
"""Write the manual page of a program from what it says of itself.

    make-man.py PROGRAM DATE > PROGRAM.1

The program is built with Swift's ArgumentParser: `--experimental-dump-help` prints its commands, flags and texts as JSON.
Only the standard library is needed.
"""

import json
import pathlib
import re
import subprocess
import sys


def escape(text):
    """Text as roff takes it: nothing in it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"(?m)^\.", r"\\&.", text)


def is_verbatim(paragraph, program):
    """Whether lines are kept as they are: command lines, tables, and what is indented."""
    return any(line.startswith(("  ", f"{program} ")) or f"| {program}" in line for line in paragraph.split("\n"))


def prose(text, program):
    """Paragraphs; the first one right below its head."""
    out = []
    for number, paragraph in enumerate(part for part in text.strip("\n").split("\n\n") if part.strip()):
        head, _, rest = paragraph.partition("\n")
        if head.isupper() and rest:
            out += [f".SS {escape(head.capitalize())}", ".nf", escape(rest), ".fi"]
        elif is_verbatim(paragraph, program):
            out += ([".PP"] if number else []) + [".nf", escape(paragraph), ".fi"]
        else:
            out += ([".PP"] if number else []) + [escape(paragraph)]
    return out


def flag(argument):
    """The spellings of a flag or option, with the name of its value."""
    names = [("--" if name["kind"].startswith("long") and name["kind"] != "longWithSingleDash" else "-") + name["name"]
             for name in argument.get("names", [])]
    value = f" \\fI{escape(argument.get('valueName', 'value'))}\\fR" if argument["kind"] == "option" else ""
    return ", ".join(f"\\fB{escape(name)}\\fR" for name in sorted(names, key=len)) + value


def synopsis(argument):
    """An argument in the line that shows how a command is called."""
    text = f"\\fI{escape(argument.get('valueName', 'argument'))}\\fR"
    text += " ..." if argument.get("isRepeating") else ""
    return f"[{text}]" if argument.get("isOptional") else text


def shown(command):
    return [argument for argument in command.get("arguments", []) if argument.get("shouldDisplay", True)]


def items(arguments, known):
    """Flags and arguments with what they mean, but for those that stand elsewhere."""
    out = []
    for argument in arguments:
        is_flag = argument["kind"] != "positional"
        head = flag(argument) if is_flag else synopsis(argument)
        if head in known:
            continue
        out += [".TP", head, escape(argument.get("abstract") or argument.get("discussion") or "")]
        if argument.get("defaultValue") and "default" not in (argument.get("abstract") or ""):
            out[-1] += escape(f" (default: {argument['defaultValue']})")
    return out


def usage(command, path):
    places = " ".join(synopsis(argument) for argument in shown(command) if argument["kind"] == "positional")
    return f"\\fB{escape(path)}\\fR [options] {places}".rstrip()


def section(command, path, program, known):
    """A command of the program, and those below it."""
    out = [f".SS {escape(path)}", usage(command, path), ".PP", escape(command.get("abstract", ""))]
    discussion = prose(command.get("discussion") or "", program)
    if discussion:
        out += [".PP", *discussion]
    out += items(shown(command), known)
    for child in command.get("subcommands", []):
        if child["commandName"] != "help" and child.get("shouldDisplay", True):
            out += section(child, f"{path} {child['commandName']}", program, known)
    return out


def page(command, date):
    name = command["commandName"]
    common = [argument for argument in shown(command) if argument["kind"] != "positional"]
    known = {flag(argument) for argument in common}
    help_argument = [argument for argument in common if any(n["name"] == "help" for n in argument.get("names", []))]
    known |= {flag(argument) for argument in help_argument}
    out = [
        f'.\\" Made by make-man.py from {name} --experimental-dump-help.',
        f'.TH {escape(name).upper()} 1 "{escape(date)}" "Fanfare" "Fanfare"',
        ".SH NAME", f"{escape(name)} \\- {escape(command.get('abstract', '').rstrip('.'))}",
        ".SH SYNOPSIS", f"\\fB{escape(name)}\\fR [options] \\fIcommand\\fR ...",
        ".SH DESCRIPTION", *prose(command.get("discussion") or command.get("abstract", ""), name),
        ".SH OPTIONS", *items(common, set()),
        ".SH COMMANDS",
    ]
    for child in command.get("subcommands", []):
        if child["commandName"] != "help" and child.get("shouldDisplay", True):
            out += section(child, f"{name} {child['commandName']}", name, known)
    return "\n".join(line for line in out if line) + "\n"


def main():
    program, date = sys.argv[1:]
    dump = subprocess.run([str(pathlib.Path(program).absolute()), "--experimental-dump-help"], check=True, capture_output=True)
    sys.stdout.write(page(json.loads(dump.stdout)["command"], date))


if __name__ == "__main__":
    main()
