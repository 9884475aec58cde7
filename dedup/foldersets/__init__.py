"""The sets laid out as folders, for a person to sort in the file manager, and what their deleting there means.

laying -> (the person deletes) -> deciding -> cleaning, with the manifest telling what was laid out. Nothing here
removes or renames a picture of the user's: that is a plan, which goes the way of every other.
"""

from dedup.foldersets.cleaning import Cleanup, plan_cleanup
from dedup.foldersets.config import KEYS, read_config
from dedup.foldersets.copying import LINK_MODES
from dedup.foldersets.deciding import Decisions, compare, read_to_delete, write_to_delete
from dedup.foldersets.laying import LaidOut, lay_out, make_ready, require_usable
from dedup.foldersets.manifest import FolderSet, Manifest, Member, load_manifest

__all__ = [
    "KEYS",
    "LINK_MODES",
    "Cleanup",
    "Decisions",
    "FolderSet",
    "LaidOut",
    "Manifest",
    "Member",
    "compare",
    "lay_out",
    "load_manifest",
    "make_ready",
    "plan_cleanup",
    "read_config",
    "read_to_delete",
    "require_usable",
    "write_to_delete",
]
