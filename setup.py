"""The packages: every folder of Python below a room, and every other file beside them, by rule."""

from setuptools import find_packages, setup

#: Folder -> the name that it is imported under.
ROOMS = {
    "toolkit": "edgekit",
    "exporters": "edgekit.exporters",
    "targets": "edgekit.targets",
    "models": "edgekit.models",
    "bench": "edgekit.bench",
}

setup(
    packages=[
        name for folder, room in ROOMS.items() for name in (room, *(f"{room}.{p}" for p in find_packages(folder)))
    ],
    package_dir={room: folder for folder, room in ROOMS.items()},
    package_data={"": ["*", "**/*"]},
    exclude_package_data={"": ["*.pyc", "**/*.pyc"]},
)
