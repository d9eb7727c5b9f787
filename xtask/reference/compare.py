"""Compares the wire registry with the installed reference package.

Reads the registry as JSON on standard input, prints the findings as JSON: for each entry what the reference has in the
place that the entry's source names, and for each class that any source names the members that no entry covers.
"""

import ast
import importlib
import inspect
import json
import os
import struct
import sys
from enum import Enum
from functools import lru_cache

SCALARS = (str, int, float, bool)


class Missing(Exception):
    """The place that a source names does not exist."""


def resolve(path):
    """The object at `package.module:Name.member`."""
    module, _, names = path.partition(":")
    try:
        found = importlib.import_module(module)
    except ImportError as e:
        raise Missing(f"no module {module}: {e}") from e
    for name in names.split(".") if names else []:
        if not hasattr(found, name):
            raise Missing(f"{path}: no {name}")
        found = getattr(found, name)
    return found


def plain(value):
    """A constant as JSON can carry it."""
    if isinstance(value, Enum):
        value = value.value
    return value


@lru_cache(maxsize=None)
def syntax(module):
    """The syntax tree of a module, which is not imported: some want packages that are not installed."""
    for folder in sys.path:
        stem = os.path.join(folder, *module.split("."))
        for path in (f"{stem}.py", os.path.join(stem, "__init__.py")):
            if os.path.isfile(path):
                with open(path, encoding="utf-8") as source:
                    return ast.parse(source.read())
    raise Missing(f"no source of module {module}")


@lru_cache(maxsize=None)
def literals(module):
    """Every constant written in the text of a module, and the numbers that it writes as arithmetic."""
    values = set()
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, SCALARS + (bytes,)):
            values.add((type(node.value), node.value))
        elif isinstance(node, (ast.BinOp, ast.UnaryOp)):
            try:
                number = eval(compile(ast.Expression(node), "constant", "eval"), {"__builtins__": {}})
            except Exception:
                continue
            if isinstance(number, (int, float)):
                values.add((type(number), number))
    return values


@lru_cache(maxsize=None)
def attributes(module, name):
    """The attributes that the methods of a class set on `self`."""
    return {
        node.attr
        for found in ast.walk(syntax(module))
        if isinstance(found, ast.ClassDef) and found.name == name
        for node in ast.walk(found)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name) and node.value.id == "self"
    }


def field_of_struct(path, index, what):
    layout = resolve(path)
    order, codes = layout.format[0], layout.format[1:]
    if what == "size":
        return struct.calcsize(order + codes[int(index)])
    return struct.calcsize(order + codes[: int(index)])


def default_of(module, function, parameter):
    parameters = inspect.signature(resolve(f"{module}:{function}")).parameters
    if parameter not in parameters:
        raise Missing(f"{module}:{function} has no parameter {parameter}")
    return parameters[parameter].default


def type_name(value):
    """The name under which the reference itself would write the type that `value` names."""
    from nvflare.fuel.utils.class_loader import get_class_name

    module, _, name = value.rpartition(".")
    try:
        return get_class_name(resolve(f"{module or 'builtins'}:{name}"))
    except Missing:
        # A module that wants a package which is not installed is read instead of imported.
        if not module:
            raise
        classes = {node.name for node in ast.walk(syntax(module)) if isinstance(node, ast.ClassDef)}
        return value if name in classes else None


def look_up(source, value):
    """(manner, what the reference has) for one source."""
    if source == "type:":
        return "type", type_name(value)
    scheme, _, rest = source.partition(":")
    if scheme == "literal":
        found = any(same(value, theirs) for _, theirs in literals(rest))
        return "literal", value if found else None
    if scheme == "attribute":
        return "attribute", value if value in attributes(*rest.split(":")) else None
    if scheme == "struct":
        module, name, index, what = rest.split(":")
        return "layout", field_of_struct(f"{module}:{name}", index, what)
    if scheme == "default":
        return "default", plain(default_of(*rest.split(":")))
    return "constant", plain(resolve(source))


def is_scheme(source):
    """Whether a source is looked up in another way than as `module:Name.member`."""
    return source.startswith(("type:", "literal:", "attribute:", "default:", "struct:"))


def entry_source(group, entry):
    if entry["source"]:
        return entry["source"]
    source = group["source"]
    if not source or is_scheme(source):
        return source
    return f"{source}.{entry['name']}" if ":" in source else f"{source}:{entry['name']}"


def same(ours, theirs):
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    return ours == theirs


def holders(groups):
    """The classes and modules whose members the registry claims to know."""
    found = {}
    for group in groups:
        source = group["source"]
        if source and not is_scheme(source):
            found.setdefault(source, set())
        for entry in group["entries"]:
            source = entry_source(group, entry)
            if not source or is_scheme(source):
                continue
            module, _, names = source.partition(":")
            holder, dot, member = names.rpartition(".")
            where = f"{module}:{holder}" if dot else module
            if dot or where in found:
                found.setdefault(where, set()).add(member if dot else names)
    return found


def members(where):
    holder = resolve(where)
    if inspect.isclass(holder) and issubclass(holder, Enum):
        return {name: member.value for name, member in holder.__members__.items()}
    found = {}
    for name, value in getattr(holder, "__dict__", {}).items():
        if name.startswith("_") or (inspect.ismodule(holder) and not name.isupper()):
            continue
        if isinstance(value, SCALARS):
            found[name] = value
    return found


def main():
    groups = json.load(sys.stdin)
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an imported module prints is not ours
    entries = []
    for group in groups:
        for entry in group["entries"]:
            source = entry_source(group, entry)
            finding = {"group": group["name"], "name": entry["name"], "ours": entry["value"], "theirs": None}
            if not source:
                finding["manner"] = "none"
            else:
                try:
                    finding["manner"], finding["theirs"] = look_up(source, entry["value"])
                    finding["equal"] = same(entry["value"], finding["theirs"])
                except Missing as e:
                    finding["manner"], finding["theirs"], finding["equal"] = "missing", str(e), False
            entries.append(finding)
    covered = holders(groups)
    theirs = []
    for where in sorted(covered):
        try:
            known = members(where)
        except Missing:
            continue  # reported by the entries that name it
        theirs += [
            {"where": where, "name": name, "value": plain(value)}
            for name, value in known.items()
            if name not in covered[where]
        ]
    json.dump({"entries": entries, "only_theirs": theirs}, output, default=str)
    output.close()


if __name__ == "__main__":
    main()
