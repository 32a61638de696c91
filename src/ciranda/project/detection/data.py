"""Data files that become sources, and models that are saved in the repository."""

from collections.abc import Collection
from pathlib import PurePosixPath

from ciranda.project.detection.code import Pipeline
from ciranda.project.detection.listing import Listing, hidden, quoted, tested
from ciranda.project.detection.proposal import Proposed, identifier

TABLES = {
    ".csv": "CSV", ".tsv": "TSV", ".parquet": "Parquet", ".json": "JSON", ".jsonl": "JSON lines", ".ndjson": "JSON lines",
    ".feather": "Feather", ".arrow": "Arrow",
}  # fmt: skip
FOLDERS = frozenset({"data", "datasets", "dataset", "inputs", "input", "raw"})
MODELS = frozenset(
    {".joblib", ".pkl", ".pickle", ".onnx", ".pt", ".pth", ".h5", ".keras", ".safetensors", ".cbm", ".ubj"}
)
MOST = 20  # sources that are proposed one by one
_DEEP = 3  # folders with the same kind of files that become one pattern


def sources(listing: Listing, pipeline: Pipeline | None) -> list[Proposed]:
    """A source for each file or folder of files under `data/` and its like."""
    groups: dict[tuple[str, str], list[str]] = {}
    for path in listing.paths:
        pure = PurePosixPath(path)
        above = pure.parts[:-1]
        if pure.suffix.lower() in TABLES and FOLDERS.intersection(above) and not tested(path) and not hidden(path):
            groups.setdefault((str(pure.parent), pure.suffix), []).append(path)
    wanted = pipeline.inputs if pipeline is not None else frozenset[str]()
    taken = set(pipeline.steps) if pipeline is not None else set[str]()
    found = []
    for pattern, paths in _patterns(groups):
        name = _name(pattern, paths, wanted - taken, taken)
        taken.add(name)
        kind = TABLES[PurePosixPath(paths[0]).suffix.lower()]
        why = paths[0] if len(paths) == 1 else f"{len(paths):,} {kind} files"
        found.append(Proposed("sources", (f"{name} = {{ files = {quoted(pattern)} }}",), why))
    return found[:MOST]


def models(listing: Listing) -> list[str]:
    """What is said of saved models."""
    saved = [
        path
        for path in listing.paths
        if PurePosixPath(path).suffix.lower() in MODELS and not hidden(path) and not tested(path)
    ]
    if not saved:
        return []
    more = f" and {len(saved) - 2} more" if len(saved) > 2 else ""
    told = f"{', '.join(saved[:2])}{more}: saved models, which Ciranda does not load;"
    return [f"{told} a step marked @model makes one that is versioned and checked"]


def _patterns(groups: dict[tuple[str, str], list[str]]) -> list[tuple[str, list[str]]]:
    """Files as few patterns: one file, all of a folder, or all below a folder."""
    found: list[tuple[str, list[str]]] = []
    deep: dict[tuple[str, str], list[str]] = {}
    for folder, suffix in groups:
        deep.setdefault((str(PurePosixPath(folder).parent), suffix), []).append(folder)
    done: set[tuple[str, str]] = set()
    for (parent, suffix), folders in sorted(deep.items()):
        if len(folders) > _DEEP and parent != ".":
            below = [path for folder in folders for path in groups[folder, suffix]]
            found.append((f"{parent}/**/*{suffix}", below))
            done |= {(folder, suffix) for folder in folders}
            if (parent, suffix) in groups:
                below += groups[parent, suffix]
                done.add((parent, suffix))
    for (folder, suffix), paths in sorted(groups.items()):
        if (folder, suffix) in done:
            continue
        if len(paths) > 2:
            found.append((f"{folder}/*{suffix}", paths))
        else:
            found += [(path, [path]) for path in paths]
    return [(pattern, paths) for pattern, paths in found if len(paths) > 1 or not set("*?[") & set(pattern)]


def _name(pattern: str, paths: list[str], wanted: Collection[str], taken: set[str]) -> str:
    """What a step takes it by, where that can be told; else the name of the file or of its folder."""
    pure = PurePosixPath(pattern)
    fixed = [part for part in pure.parts[:-1] if "*" not in part]
    stem = pure.stem if len(paths) == 1 and "*" not in pure.name else fixed[-1] if fixed else "data"
    name = identifier(stem)
    for one in sorted(wanted):
        if one in (name, f"raw_{name}", f"{name}_raw", f"{name}_file", f"{name}_files") or name == f"raw_{one}":
            return one
    if name in FOLDERS and len(fixed) > 1:
        name = identifier("_".join(fixed[-2:]))
    return name if name not in taken else identifier(f"raw_{name}", taken)
