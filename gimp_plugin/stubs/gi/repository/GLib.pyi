from typing import Final

MAXDOUBLE: Final[float]

class Bytes:
    def get_data(self) -> bytes: ...

class Error(RuntimeError):
    message: str
    @staticmethod
    def new_literal(domain: int, message: str, code: int) -> Error: ...

def dgettext(domain: str | None, msgid: str) -> str: ...
