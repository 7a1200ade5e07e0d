from gi.repository import GObject

class File(GObject.Object):
    @staticmethod
    def new_for_path(path: str) -> File: ...
