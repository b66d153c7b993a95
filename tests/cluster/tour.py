"""For tour.sh: what a terminal showed, and the blocks of docs/tour.md.

tour.py clean               standard input without what is never the same twice
tour.py split DOC DIRECTORY each command of the document with its output: DIRECTORY/BLOCK.NUMBER
tour.py write DOC DIRECTORY DIRECTORY/BLOCK takes the place of that block of the document
"""
import re
import sys

# As wide as what they stand for, so that columns stay.
TIME = '2026-11-22T12:00:00.000Z'
EVENTS = ['5d01c3e8:4', '9be7f240:2', 'c410aa97:7', 'e2f3586b:1', '17d9b3c4:3', '7a60e15f:9']


def clean(text):
    text = re.sub(r'20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', TIME, text)
    text = re.sub(r'20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ', '2026-11-22T12:00:00Z', text)
    text = re.sub(r'\b[0-9a-f]{16}\b', '0123456789abcdef', text)
    text = re.sub(r'key [0-9a-f]{32,}: .*', 'key 35209f30...: block checksum mismatch', text)
    text = re.sub(r'\b\d{6}\.(sst|log)\b', r'000042.\1', text)
    text = re.sub(r'\d+ files, \d+ bytes', '9 files, 20480 bytes', text)
    text = re.sub(r'\bfor \d+ (s|min|h)\b', r'for 9 \1', text)
    text = re.sub(r' *\b\d+\.\d+ s\b', '      0.9 s', text)
    text = re.sub(r'about \d+ changes', 'about 20000 changes', text)
    text = re.sub(r'(?m)( connected +\d+  alive +)\S.*$', r'\1-', text)  # of a link before this one
    lines = [line for line in text.splitlines() if not line.startswith('counted: ')]
    return '\n'.join(name_events(sort_events(lines))) + '\n' if lines else ''


def sort_events(lines):
    """Events of a cell, and values of a register, stand in the order of ids, which are drawn: here
    in that of the rest."""
    done, some = [], []
    for line in lines + ['']:
        if line.startswith('register: '):
            line = 'register: ' + ', '.join(sorted(line[len('register: '):].split(', ')))
        if line.startswith('    event '):
            some.append(line)
            continue
        done += sorted(some, key=lambda event: event.split('  by ')[1]) + [line]
        some = []
    return done[:-1]


def name_events(lines):
    names = {}

    def name(match):
        names.setdefault(match[0], EVENTS[len(names) % len(EVENTS)])
        return names[match[0]]
    return [re.sub(r'\b[0-9a-f]{8}:\d+\b', name, line) for line in lines]


def blocks(document):
    """Its lines in turns: prose, block, prose... Fences belong to the prose."""
    parts = [[]]
    for line in open(document, encoding='utf-8'):
        if line.startswith('```') and len(parts) % 2 == 0:
            parts.append([])
        parts[-1].append(line)
        if line.startswith('```') and len(parts) % 2 == 1 and line.strip() != '```':
            parts.append([])
    return parts


def split(document, directory):
    for block, lines in enumerate(blocks(document)[1::2], 1):
        number, file = 0, None
        for line in lines:
            if line.startswith(('$ ', '# ')):
                number += 1
                file = open(f'{directory}/{block}.{number}', 'w', encoding='utf-8')
            if file:
                file.write(line)


def write(document, directory):
    parts = blocks(document)
    for block in range(1, len(parts), 2):
        parts[block] = open(f'{directory}/{block // 2 + 1}', encoding='utf-8').readlines()
    with open(document, 'w', encoding='utf-8') as file:
        file.writelines(line for lines in parts for line in lines)


if sys.argv[1] == 'clean':
    sys.stdout.write(clean(sys.stdin.read()))
else:
    {'split': split, 'write': write}[sys.argv[1]](*sys.argv[2:])
