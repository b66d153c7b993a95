#!/usr/bin/env python3
"""Reads neap.h and writes the part of neap.py that follows from it: constants, structs, signatures,
and a method for each function. `make bindings` runs it; `make check` fails when that was forgotten.

    generate.py HEADER MODULE              is the module's part what the header says? exit 1: no
    generate.py --update HEADER MODULE     writes it
    generate.py --proof HEADER MODULE      a C program for `cc -fsyntax-only`: the compiler's word that
                                           sizes, offsets and numbers of the module are right
"""

import ctypes
import importlib.util
import re
import sys
import textwrap

BEGIN = "# ---- from neap.h, by generate.py: change nothing here ----\n"
END = "# ---- end of what is from neap.h ----\n"

# C types that may be in a struct or a signature, and what ctypes calls them.
SCALARS = {
    "int": "c_int",
    "unsigned": "c_uint",
    "int64_t": "c_int64",
    "uint64_t": "c_uint64",
    "uint32_t": "c_uint32",
    "uint16_t": "c_uint16",
    "size_t": "c_size_t",
    "double": "c_double",
}
OPAQUE = ("neap", "neap_batch", "neap_iter", "neap_watch")
# Written by hand, in the module: they make or end handles, or need none.
BY_HAND = {
    "neap_options_init", "neap_open", "neap_connect", "neap_close", "neap_batch_new",
    "neap_batch_free", "neap_next", "neap_iter_free", "neap_backup_verify", "neap_restore",
    "neap_strerror", "neap_version", "neap_buffer_free", "neap_watch_next", "neap_watch_free",
}


def fail(text):
    sys.exit("generate.py: " + text)


# ---- reading the header ----


class Header:
    """What neap.h declares, in its order."""

    def __init__(self, text):
        self.constants = {}  # NEAP_X: number
        self.enums = {}  # name: [NEAP_X, ...]
        self.structs = {}  # name: [(C type, field, array size or 0), ...]
        self.functions = {}  # name: (returned C type, [(C type, name), ...], comment)
        self.effects = {}  # OK: "DONE" ...
        self.texts = {}
        self._codes(text)
        for name, number in re.findall(r"^#define (NEAP_\w+) U?INT64_C\((\d+)\)", text, re.M):
            self.constants[name] = int(number)
        self._items(re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*\n", "\n", text, flags=re.M))

    def _codes(self, text):
        table = re.search(r"#define NEAP_ERRORS\(X\)((?:[^\n]*\\\n)*[^\n]*\n)", text)
        rows = re.findall(r'X\((\w+), (-?\d+), (\w+),\s*"([^"]*)"\)', table.group(1).replace("\\\n", ""))
        if not rows:
            fail("there are no codes in NEAP_ERRORS")
        for name, number, effect, words in rows:
            self.constants["NEAP_" + name] = int(number)
            self.effects[name] = effect
            self.texts[name] = words
        self.enums["neap_code"] = ["NEAP_" + row[0] for row in rows]

    def _items(self, text):
        token = re.compile(
            r"/\*(?P<comment>.*?)\*/"
            r"|enum\s+(?P<enum>\w*)\s*\{(?P<values>.*?)\};"
            r"|struct\s+(?P<struct>\w+)\s*\{(?P<fields>.*?)\};"
            r"|NEAP_(?:API|VOID)\s+(?P<function>[^;]*?)\((?P<parameters>[^;]*)\);",
            re.S,
        )
        comment = ""
        for found in token.finditer(text):
            if found["comment"] is not None:
                comment = re.sub(r"\n \* ?", "\n", found["comment"]).strip()
                continue
            if found["values"] is not None:
                self._enum(found["enum"], strip(found["values"]))
            elif found["fields"] is not None:
                self._struct(found["struct"], strip(found["fields"]))
            else:
                self._function(found["function"], strip(found["parameters"]), comment)
            comment = ""

    def _enum(self, name, values):
        names, number = [], -1
        for value in filter(None, (part.strip() for part in values.split(","))):
            if "=" in value:
                value, text = (part.strip() for part in value.split("=", 1))
                number = self._number(text)
            elif not re.fullmatch(r"\w+", value):
                continue  # the codes, which are made by a macro
            else:
                number += 1
            self.constants[value] = number
            names.append(value)
        if name and names:
            self.enums[name] = names

    def _number(self, text):
        for name in re.findall(r"[A-Z_]{2,}\w*", text):
            text = re.sub(r"\b%s\b" % name, str(self.constants[name]), text)
        text = re.sub(r"(?<=\d)[uUlL]+", "", text)
        if not re.fullmatch(r"[\d\sxa-fA-F()<>|*+-]+", text):
            fail("what number is `%s`?" % text)
        return int(eval(text, {"__builtins__": {}}))  # digits and operators alone

    def _struct(self, name, fields):
        listed = []
        for line in filter(None, (part.strip() for part in fields.split(";"))):
            kind, first, others = re.fullmatch(r"(.*?[\s*])(\w+(?:\[\w+\])?)((?:,.*)?)", line, re.S).groups()
            for field in [first] + others.split(",")[1:]:
                field = field.strip()
                array = re.fullmatch(r"(\w+)\[(\w+)\]", field)
                size = self._number(array[2]) if array else 0
                listed.append((squeeze(kind), array[1] if array else field, size))
        self.structs[name] = listed

    def _function(self, head, parameters, comment):
        returned, name = re.fullmatch(r"(.*?[\s*])(\w+)", head.strip(), re.S).groups()
        listed = []
        for part in filter(lambda part: part.strip() != "void", parameters.split(",")):
            kind, field, array = re.fullmatch(r"(.*?[\s*])(\w+)(\[\])?", part.strip(), re.S).groups()
            listed.append((squeeze(kind) + (" *" if array else ""), field))
        self.functions[name] = (squeeze(returned), listed, comment)


def strip(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def squeeze(kind):
    return re.sub(r"\s*\*\s*", "*", re.sub(r"\s+", " ", kind)).replace("*", " *", 1).strip()


# ---- what ctypes calls it ----


def ctype(header, kind):
    kind = kind.replace("const ", "").replace(" const", "").strip()
    if kind in SCALARS:
        return SCALARS[kind]
    if kind.startswith("enum ") and kind[5:] in header.enums:
        return "c_int"
    if kind == "void":
        return "None"
    if kind == "char *":
        return "c_char_p"
    if kind == "void *" or kind in ["struct %s *" % name for name in OPAQUE]:
        return "c_void_p"
    if kind == "char **":
        return "POINTER(c_char_p)"
    if kind.startswith("struct ") and kind[7:] in header.structs:
        return kind[7:]
    if kind.endswith("*"):
        return "POINTER(%s)" % ctype(header, kind[:-1].strip())
    fail("no type of ctypes is known for `%s`" % kind)


# ---- what a method does with a parameter ----

OUTPUTS = {"struct neap_buffer *": "bytes", "struct neap_iter **": "iter", "struct neap_batch **": "batch",
           "struct neap_watch **": "watch"}
INPUTS = {"const struct neap_place *": "place", "struct neap_bytes": "data", "const char *": "text",
          "const struct neap_item *": "item", "double": "double"}


def part_of(header, name, parameters, index):
    kind, field = parameters[index]
    if index == 0 and owner(parameters):
        return "self"
    if kind == "const struct neap_call *":
        return "call"
    if kind == "struct neap_error *":
        return "error"
    if field == "argc":
        return "words"
    if field == "argv":
        return "argv"
    if field.startswith("ret_"):
        if kind in OUTPUTS:
            return OUTPUTS[kind]
        if kind == "int *":
            return "bool"
        if kind.endswith(" *") and kind[:-2] in SCALARS:
            return "out " + SCALARS[kind[:-2]]
        if kind.endswith(" *") and kind[7:-2] in header.structs:
            return "out " + kind[7:-2]
    elif kind in INPUTS:
        return INPUTS[kind]
    elif kind in SCALARS or kind.startswith("enum "):
        return "number"
    fail("%s: what is the binding to do with `%s %s`? (generate.py: INPUTS, OUTPUTS)" % (name, kind, field))


def document(comment):
    """Of a comment, what is not about C: up to the lines about threads, memory and errors."""
    text = re.split(r"\s*(?:^|\n|(?<=\. ))\s*(?:Errors|Threads|Memory)\b[^\n]*:", comment, maxsplit=1)[0]
    text = re.sub(r"\s+", " ", re.sub(r"^---- .*? ----\n?", "", text)).strip()
    text = " " * text.startswith('"') + text + " " * text.endswith('"')
    text = text.replace("call->", "").replace("call.", "").replace("\\", "\\\\")
    return text


def method(header, name):
    returned, parameters, comment = header.functions[name]
    parts = [part_of(header, name, parameters, index) for index in range(len(parameters))]
    prefix = {"neap_batch": "neap_batch_", "neap_iter": "neap_iter_", "neap_watch": "neap_watch_"}.get(owner(parameters), "neap_")
    names = [field for (_, field), part in zip(parameters, parts)
             if part in ("place", "data", "text", "number", "double", "words", "item")]
    names = ["words" if field == "argc" else "from_" if field == "from" else field for field in names]
    call = "call" in parts
    taken = ["self"] * (parts[:1] == ["self"]) + [field + '=b""' * (field == "from_" and "data" in parts) for field in names] + ["**call"] * call
    lines = ["def %s(%s):" % (name[len(prefix):], ", ".join(taken))]
    words = document(comment)
    if words:
        wrapped = textwrap.wrap('"""' + words + '"""', 92, break_long_words=False, break_on_hyphens=False)
        lines += ["    " + line for line in wrapped]
    if parts[:1] == ["self"]:
        run = '_run(self, "%s", %s, %s)' % (name, tuple_of(names), "call" if call else "None")
    else:
        kind = enum_class(returned[5:]) if returned.startswith("enum ") else "None"
        run = '_ask("%s", %s, %s)' % (name, tuple_of(names), kind)
    lines.append("    return " + run)
    return lines, parts


def tuple_of(texts):
    return "(%s)" % (texts[0] + "," if len(texts) == 1 else ", ".join(texts))


def enum_class(name):
    return {"neap_code": "Code", "neap_change_kind": "ChangeKind"}.get(name, name[5:].capitalize())


def member(enum, value):
    prefix = enum.upper() + "_"
    return value[len(prefix):] if value.startswith(prefix) else value[5:]


def owner(parameters):
    found = re.fullmatch(r"struct (\w+) \*", parameters[0][0]) if parameters else None
    return found[1] if found and found[1] in OPAQUE else None


# ---- writing ----


def generated(header):
    out = [BEGIN]

    def line(text=""):
        out.append(text + "\n")

    line()
    for name, names in header.enums.items():
        line("class %s(enum.IntEnum):" % enum_class(name))
        for value in names:
            line("    %s = %d" % (member(name, value), header.constants[value]))
        line()
        line()
    in_enums = {value for names in header.enums.values() for value in names}
    for name, number in header.constants.items():
        if name not in in_enums:
            line("%s = %d" % (name[5:], number))
    line()
    line("# Codes with which a write may have happened.")
    line("MAYBE = (%s)" % ", ".join("Code." + code for code, effect in header.effects.items()
                                    if effect == "MAYBE"))
    line()
    for name, fields in header.structs.items():
        line()
        line("class %s(Structure):" % name)
        line("    _fields_ = [")
        for kind, field, size in fields:
            made = "c_char" if kind == "char" else ctype(header, kind)
            line('        ("%s", %s%s),' % (field, made, " * %d" % size if size else ""))
        line("    ]")
        line()
    line()
    line("# Name: what it returns, its parameters.")
    line("FUNCTIONS = {")
    for name, (returned, parameters, _) in header.functions.items():
        made = ", ".join(ctype(header, kind) for kind, _ in parameters)
        text = '"%s": (%s, [%s]),' % (name, ctype(header, returned), made)
        for part in textwrap.wrap(text, 92, subsequent_indent="    ", break_long_words=False):
            line("    " + part)
    line("}")
    line()
    line("# What the methods do with each parameter.")
    line("PARTS = {")
    classes = {None: [], "neap": [], "neap_batch": [], "neap_iter": [], "neap_watch": []}
    for name, (_, parameters, _) in header.functions.items():
        if name in BY_HAND:
            continue
        lines, parts = method(header, name)
        if not owner(parameters) and set(parts) - {"text", "number"}:
            fail("%s: a function without a handle is to be written by hand (BY_HAND)" % name)
        classes[owner(parameters)].append(lines)
        line('    "%s": %s,' % (name, tuple_of(['"%s"' % part for part in parts])))
    line("}")
    for lines in classes[None]:
        line()
        line()
        for text in lines:
            line(text)
    for name, title in (("neap", "_NeapCalls"), ("neap_batch", "_BatchCalls"), ("neap_iter", "_IterCalls"),
                        ("neap_watch", "_WatchCalls")):
        line()
        line()
        line("class %s:" % title)
        for index, lines in enumerate(classes[name]):
            if index:
                line()
            for text in lines:
                line("    " + text)
    line()
    line()
    out.append(END)
    return "".join(out)


def split(module):
    begin, end = module.find(BEGIN), module.find(END)
    if begin < 0 or end < begin:
        fail("the module has lost its marks")
    return module[:begin], module[begin:end + len(END)], module[end + len(END):]


# ---- the compiler's word ----


def load(path):
    spec = importlib.util.spec_from_file_location("neap_to_check", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def proof(header, module):
    """Every number, size and offset as the loaded module has it, for a compiler that has neap.h."""
    print("#include <stddef.h>\n#include <neap.h>\n")

    def claim(what, number, about):
        print('_Static_assert((%s) == %d, "%s");' % (what, number, about))

    for name, names in header.enums.items():
        made = getattr(module, enum_class(name))
        claim("sizeof(enum %s)" % name, ctypes.sizeof(ctypes.c_int), "enum " + name)
        for value in names:
            claim(value, made[member(name, value)], value)
    in_enums = {value for names in header.enums.values() for value in names}
    for name in header.constants:
        if name not in in_enums:
            claim(name, getattr(module, name[5:]), name)
    for name, fields in header.structs.items():
        made = getattr(module, name)
        claim("sizeof(struct %s)" % name, ctypes.sizeof(made), "struct " + name)
        for _, field, _ in fields:
            place = getattr(made, field)
            claim("offsetof(struct %s, %s)" % (name, field), place.offset, name + "." + field)
            claim("sizeof(((struct %s *)0)->%s)" % (name, field), place.size, name + "." + field)
    for kind, made in SCALARS.items():
        claim("sizeof(%s)" % kind, ctypes.sizeof(getattr(ctypes, made)), kind)
        if kind != "double":
            claim("(%s)-1 < 1" % kind, getattr(ctypes, made)(-1).value < 1, kind)
    for name, (returned, parameters, _) in header.functions.items():
        made = module.FUNCTIONS[name]
        if len(made[1]) != len(parameters):
            fail("%s has %d parameters" % (name, len(parameters)))
        kinds = ", ".join(kind for kind, _ in parameters) or "void"
        print("extern %s (*check_%s)(%s);" % (returned, name, kinds))
        print("%s (*check_%s)(%s) = %s;" % (returned, name, kinds, name))


def main(words):
    option = words.pop(1) if words[1:] and words[1].startswith("--") else ""
    if len(words) != 3 or option not in ("", "--update", "--proof"):
        sys.exit(__doc__)
    with open(words[1], encoding="utf-8") as file:
        header = Header(file.read())
    with open(words[2], encoding="utf-8") as file:
        before, now, after = split(file.read())
    if option == "--proof":
        proof(header, load(words[2]))
        return
    made = generated(header)
    if option == "--update":
        with open(words[2], "w", encoding="utf-8") as file:
            file.write(before + made + after)
    elif made != now:
        for ours, theirs in zip(now.splitlines(), made.splitlines()):
            if ours != theirs:
                print("neap.py: %s\nneap.h:  %s" % (ours, theirs))
                break
        sys.exit("neap.py is not of this neap.h: `make bindings`")


if __name__ == "__main__":
    main(sys.argv)
