"""Arrow schemas: from the columns of an export, and from the fields of attrs classes.

pyarrow, of the extra `parquet`, is imported when it is first needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from attrs import fields, has

from chatfsm.errors import ChatError
from chatfsm.replay.export import Column
from chatfsm.replay.schema_types import field_docs

__all__ = ["arrow_library", "class_schema", "column_schema"]

_NAMES: Final = {str: "string", int: "int64", float: "float64", bool: "bool_"}


def arrow_library(purpose: str) -> Any:
    """Return the module pyarrow. Raises `ChatError` with the purpose if it is not installed."""
    try:
        return import_module("pyarrow")
    except ImportError:
        why = f"{purpose} needs pyarrow: pip install 'chatfsm[parquet]'"
        raise ChatError(why) from None


def column_schema(columns: Iterable[Column], arrow: Any) -> Any:
    """Return the schema of a table with these columns; a field's metadata has its description."""
    return arrow.schema(
        _field(
            arrow, column.name, column.type | None if column.is_optional else column.type
        ).with_metadata({"description": column.doc})
        for column in columns
    )


def class_schema(cls: type, arrow: Any) -> Any:
    """Return the schema of a table with a column for each field of an attrs class.

    Raises TypeError if a field has a type without columns.
    """
    docs = field_docs(cls)
    return arrow.schema(
        each.with_metadata({"description": docs[each.name]} if each.name in docs else {})
        for each in _fields(cls, arrow)
    )


def _fields(cls: type, arrow: Any) -> list[Any]:
    hints = get_type_hints(cls)
    return [_field(arrow, known.name, hints[known.name]) for known in fields(cls)]


def _field(arrow: Any, name: str, kind: Any) -> Any:
    """Return the field of a type, which may be None only if the type says so."""
    alternatives = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    [known] = [each for each in alternatives if each is not NoneType]
    return arrow.field(name, _arrow_type(known, arrow), nullable=len(alternatives) > 1)


def _arrow_type(kind: Any, arrow: Any) -> Any:
    if kind in _NAMES:
        return getattr(arrow, _NAMES[kind])()
    if has(kind):
        return arrow.struct(_fields(kind, arrow))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple and arguments[1:] == (...,):
        return arrow.list_(_arrow_type(arguments[0], arrow))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arrow.map_(*(_arrow_type(each, arrow) for each in arguments))
    raise TypeError(f"{kind} has no column")
