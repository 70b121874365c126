"""Finds incompatible changes between two versions of a JSON Schema.

Within a version a schema only grows: valid events stay valid, and readable fields stay. The rules cover the features
that payload classes generate: types, enums, limits, patterns, objects, arrays, alternatives and references.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LOWER_LIMITS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_LIMITS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")

Schema = Mapping[str, Any]


def find_breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Return what `new` rejects or lacks that `old` allowed: one sentence each, with the field; none if compatible."""
    return _Comparison(old, new, frozenset()).of(old, new, "")


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two complete schemas, for resolving references, and the pairs of parts being compared."""

    old: Schema
    new: Schema
    above: frozenset[tuple[int, int]]

    def of(self, old: Any, new: Any, path: str) -> list[str]:
        pair = (id(old), id(new))
        if pair in self.above:  # a recursive schema
            return []
        inner = _Comparison(self.old, self.new, self.above | {pair})
        offered = _branches(self.new, new)
        found: list[str] = []
        for branch in _branches(self.old, old):
            tried = [(_disjoint(branch, other), inner.branch(branch, other, path)) for other in offered]
            # Report the breaks of the best matching alternative.
            found += min(tried, key=lambda one: (one[0], len(one[1])))[1]
        return list(dict.fromkeys(found))

    def branch(self, old: Schema, new: Schema, path: str) -> list[str]:
        if _disjoint(old, new):
            return _types(old, new, path)
        return [
            *_types(old, new, path),
            *_values(old, new, path),
            *_limits(old, new, path),
            *_texts(old, new, path),
            *self.objects(old, new, path),
            *self.arrays(old, new, path),
        ]

    def objects(self, old: Schema, new: Schema, path: str) -> list[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        found = [f"{_at(path, name)}: the property was removed" for name in before if name not in after]
        fresh = [name for name in new.get("required", ()) if name not in old.get("required", ())]
        found += [f"{_at(path, name)}: is newly required" for name in fresh]
        for name in before.keys() & after.keys():
            found += self.of(before[name], after[name], _at(path, name))
        more = new.get("additionalProperties", True)
        if more is False and old.get("additionalProperties", True) is not False:
            found.append(f"{path or 'payload'}: other properties are no longer allowed")
        elif isinstance(more, Mapping):
            found += self.of(_or_anything(old.get("additionalProperties")), more, _at(path, "*"))
        return sorted(found)

    def arrays(self, old: Schema, new: Schema, path: str) -> list[str]:
        found = []
        if new.get("uniqueItems") and not old.get("uniqueItems"):
            found.append(f"{path}: items must newly differ")
        before, after = old.get("prefixItems", ()), new.get("prefixItems", ())
        for number in range(max(len(before), len(after))):
            was = before[number] if number < len(before) else _or_anything(old.get("items"))
            now = after[number] if number < len(after) else _or_anything(new.get("items"))
            found += self.of(was, now, f"{path}[{number}]")
        if isinstance(new.get("items"), Mapping):
            found += self.of(_or_anything(old.get("items")), new["items"], f"{path}[]")
        return found


def _types(old: Schema, new: Schema, path: str) -> list[str]:
    before, after = _type_set(old), _type_set(new)
    if after is None or (before is not None and before <= after):
        return []
    return [f"{path or 'payload'}: the type was narrowed from {_named(before)} to {_named(after)}"]


def _disjoint(old: Schema, new: Schema) -> bool:
    before, after = _type_set(old), _type_set(new)
    return before is not None and after is not None and not before & after


def _type_set(schema: Schema) -> set[str] | None:
    """Return the allowed JSON types; every integer is a number. None if all types are allowed."""
    kind = schema.get("type")
    if kind is None:
        return None
    kinds = {kind} if isinstance(kind, str) else set(kind)
    return kinds | {"integer"} if "number" in kinds else kinds


def _named(kinds: set[str] | None) -> str:
    return "any" if kinds is None else " or ".join(sorted(kinds))


def _values(old: Schema, new: Schema, path: str) -> list[str]:
    before, after = _enum(old), _enum(new)
    if after is None:
        return []
    if before is None:
        return [f"{path}: is newly limited to {after}"]
    gone = [value for value in before if value not in after]
    return [f"{path}: no longer allows {', '.join(repr(value) for value in gone)}"] if gone else []


def _enum(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return None if values is None else list(values)


def _limits(old: Schema, new: Schema, path: str) -> list[str]:
    found = []
    for name in (*LOWER_LIMITS, *UPPER_LIMITS):
        before, after = old.get(name), new.get(name)
        if after is None or (before is None and name.startswith("min") and name != "minimum" and after == 0):
            continue
        tighter = before is None or (after > before if name in LOWER_LIMITS else after < before)
        if tighter:
            found.append(f"{path}: {name} was tightened from {'none' if before is None else before} to {after}")
    return found


def _texts(old: Schema, new: Schema, path: str) -> list[str]:
    """Compare patterns. Whether one allows everything that another does is undecidable in practice, so any change
    counts."""
    return [
        f"{path}: the {name} changed from {old.get(name, 'none')} to {new[name]}"
        for name in ("pattern", "format", "contentEncoding")
        if name in new and new[name] != old.get(name)
    ]


def _branches(root: Schema, schema: Any) -> list[Schema]:
    """Return the alternatives of a schema with references resolved. Keywords next to them apply to each."""
    if not isinstance(schema, Mapping):
        return [{}]
    if "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return [{**branch, **beside} for branch in _branches(root, target)]
    for name in ("anyOf", "oneOf"):
        if name in schema:
            beside = {key: value for key, value in schema.items() if key != name}
            return [{**branch, **beside} for option in schema[name] for branch in _branches(root, option)]
    return [schema]


def _or_anything(schema: Any) -> Any:
    return schema if isinstance(schema, Mapping) else {}


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
