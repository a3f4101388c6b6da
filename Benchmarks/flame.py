#!/usr/bin/env python3
"""Draws where a server spends its time, as a flame graph.

    perf record -e cpu-clock -F 1500 -g -o run.data -p PID -- sleep 2
    perf script -i run.data | swift demangle --simplified | flame.py "TITLE" >graph.svg

A box is a function, as wide as the share of the samples in which it, or what it called, was running; what it called
stands on top of it. Blue is the kernel. Boxes that would be narrower than a pixel are left out.
"""

import re
import sys
from xml.sax.saxutils import escape

WIDTH, ROW, MARGIN, SMALLEST = 1200, 17, 10, 1.0
LETTER = 6.6
FRAME = re.compile(r"^\s+[0-9a-f]+ (.+) \(([^()]*)\)$")


class Box:
    def __init__(self, is_kernel=False):
        self.count = 0
        self.is_kernel = is_kernel
        self.children = {}


def read(lines):
    """The tree of all samples."""
    root, stack = Box(), []
    for line in lines:
        if match := FRAME.match(line):
            name, binary = match[1], match[2]
            stack.append((re.sub(r"\+0x[0-9a-f]+$", "", name), "kernel" in binary))
        elif not line.strip() and stack:
            add(root, reversed(stack))
            stack = []
    if stack:
        add(root, reversed(stack))
    return root


def add(root, stack):
    root.count += 1
    box = root
    for name, is_kernel in stack:
        box = box.children.setdefault(name, Box(is_kernel))
        box.count += 1


def depth(box, scale):
    return 1 + max((depth(child, scale) for child in box.children.values() if child.count * scale >= SMALLEST), default=0)


def draw(name, box, left, level, scale, bottom, total):
    width = box.count * scale
    top = bottom - level * ROW
    share = 100 * box.count / total
    colour = "#9db8d9" if box.is_kernel else ("#e8b57a", "#e6a565", "#ecc18f")[len(name) % 3]
    print(f'<g><title>{escape(name)}: {share:.1f} %</title><rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.5):.1f}"', end="")
    print(f' height="{ROW - 1}" rx="1" fill="{colour}"/>', end="")
    letters = int((width - 6) / LETTER)
    if letters >= 3:
        text = name if len(name) <= letters else name[: letters - 1] + "…"
        print(f'<text x="{left + 3:.1f}" y="{top + 12}">{escape(text)}</text>', end="")
    print("</g>")
    for child_name, child in sorted(box.children.items()):
        if child.count * scale >= SMALLEST:
            draw(child_name, child, left, level + 1, scale, bottom, total)
        left += child.count * scale


def main():
    root = read(sys.stdin)
    if root.count == 0:
        sys.exit("There is no sample in the input")
    scale = (WIDTH - 2 * MARGIN) / root.count
    height = depth(root, scale) * ROW + 50
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">')
    print(f'<rect width="{WIDTH}" height="{height}" fill="#fffdf8"/>')
    print(f'<text x="{MARGIN}" y="20" font-size="14">{escape(sys.argv[1])}</text>')
    draw(f"all {root.count} samples", root, MARGIN, 1, scale, height - 8, root.count)
    print("</svg>")


if __name__ == "__main__":
    main()
