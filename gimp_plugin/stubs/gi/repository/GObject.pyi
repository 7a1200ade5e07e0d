from collections.abc import Callable
from typing import Any, ClassVar, Self

class GType: ...

class GEnum(int):
    @property
    def value_nick(self) -> str: ...

class GFlags(int):
    def __or__(self, other: int) -> Self: ...

class BindingFlags(GFlags):
    SYNC_CREATE: ClassVar[BindingFlags]

class ParamFlags(GFlags):
    READWRITE: ClassVar[ParamFlags]

class Object:
    __gtype__: ClassVar[GType]
    def bind_property(
        self,
        source_property: str,
        target: Object,
        target_property: str,
        flags: BindingFlags = ...,
    ) -> object: ...
    def connect(self, detailed_signal: str, handler: Callable[..., None]) -> int: ...
    def get_property(self, property_name: str) -> Any: ...  # noqa: ANN401  (of the type of the property)
    def set_property(self, property_name: str, value: object) -> None: ...

class Value:
    def __init__(self, value_type: GType, py_value: object) -> None: ...

def type_from_name(name: str) -> GType: ...
