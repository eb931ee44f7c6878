"""Objects with versions that can be deleted, recovered and purged: what secrets, keys and certificates share.

One document per name, of kind ``secret``, ``key`` or ``certificate`` and key ``vault/name`` in lower case:
``{name, versions: [newest last], liveAt, deleted: {at, date, purge} or null, purgedAt}``. What a version
holds is its service's business; ``version`` and ``attributes`` are common. Deletion, recovery and purge take
as long as the world's delays say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.call import check_name
from azcert.emulator.keyvault.faults import VaultRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.emulator.keyvault.call import Call

__all__ = ["Shelf"]

DAY = 86400

Document = dict[str, Any]


class Shelf:
    """The objects of one kind in one vault.

    :param noun: ``secret``, ``key`` or ``certificate``.
    """

    def __init__(self, call: Call, noun: str) -> None:
        self.call = call
        self.noun = noun

    # Finding

    def live(self, name: str, version: str = "") -> tuple[Document, dict[str, Any]]:
        """Return the object and one version of it, the newest by default.

        :raises VaultRefusal: there is none, or not yet.
        """
        document = self.find(name)
        if document is not None:
            if not version:
                return document, self.newest(document)
            for entry in document["versions"]:
                if entry["version"] == version:
                    return document, entry
        shown = f"{name}/{version}" if version else name
        raise VaultRefusal(faults.NOT_FOUND[self.noun], name=shown)

    def find(self, name: str) -> Document | None:
        """Return the live object, or None.

        :raises VaultRefusal: the name is not well formed.
        """
        check_name(name)
        document = self._read(name)
        return document if document is not None and self._state(document) == "live" else None

    @staticmethod
    def newest(document: Document) -> dict[str, Any]:
        """Return the newest version, one that is still pending only where there is no other."""
        done = [entry for entry in document["versions"] if not entry.get("pending")]
        found: dict[str, Any] = (done or document["versions"])[-1]
        return found

    def is_deleted(self, name: str) -> bool:
        """Tell whether the object is among the deleted ones, or on the way there."""
        document = self._read(name)
        return document is not None and self._state(document) in {"deleting", "deleted"}

    def refuse_managed(self, name: str, operation: str) -> None:
        """Refuse to touch what belongs to a certificate.

        :raises VaultRefusal: the live object of this name does.
        """
        document = self.find(name)
        if document is not None and self.newest(document).get("managed"):
            raise VaultRefusal(faults.MANAGED, operation=operation, noun=self.noun)

    def deleted(self, name: str) -> Document:
        """Return a deleted object.

        :raises VaultRefusal: it is not among the deleted ones, or not yet.
        """
        check_name(name)
        document = self._read(name)
        if document is None or self._state(document) != "deleted":
            raise VaultRefusal(faults.DELETED_NOT_FOUND[self.noun], name=name)
        return document

    def all_in(self, state: str) -> Iterator[Document]:
        """Yield every object that is ``live`` or ``deleted``, in order of name."""
        for _, document in self.call.world.documents.items(self.noun, f"{self.call.vault.name}/"):
            if self._state(document) == state:
                yield document

    # Changing; callers hold a transaction

    def add(self, name: str, entry: dict[str, Any]) -> Document:
        """Add *entry* as the newest version, of a new object where there is none.

        :raises VaultRefusal: the name is deleted, being deleted or being recovered.
        """
        check_name(name)
        document = self.claim(name)
        document["versions"].append(entry)
        self.keep(document)
        return document

    def claim(self, name: str) -> Document:
        """Return the live object, or a new empty one that is not kept yet.

        :raises VaultRefusal: the name is deleted, being deleted or being recovered.
        """
        document = self._read(name)
        state = "gone" if document is None else self._state(document)
        if document is None or state == "gone":
            return {"name": name, "versions": [], "liveAt": 0, "deleted": None}
        conflicts = {
            "deleting": faults.BEING_DELETED,
            "purging": faults.BEING_DELETED,
            "deleted": faults.DELETED,
            "recovering": faults.BEING_RECOVERED,
        }
        if state in conflicts:
            raise VaultRefusal(conflicts[state], name=name, **self._nouns())
        return document

    def keep(self, document: Document) -> None:
        """Store *document*."""
        self.call.world.documents.put(self.noun, self._key(document["name"]), document)

    def delete(self, name: str) -> Document:
        """Move a live object to the deleted ones.

        :raises VaultRefusal: there is none.
        """
        document, _ = self.live(name)
        now = self.call.now
        document["deleted"] = {
            "at": self.call.world.clock.now(),
            "date": now,
            "purge": now + self.call.vault.retention * DAY,
        }
        self.keep(document)
        return document

    def recover(self, name: str) -> Document:
        """Make a deleted object live again.

        :raises VaultRefusal: it is not among the deleted ones; unlike elsewhere, with a live object's words.
        """
        check_name(name)
        document = self._read(name)
        state = "gone" if document is None else self._state(document)
        if state == "deleting":
            raise VaultRefusal(faults.BEING_DELETED, name=name, **self._nouns())
        if document is None or state != "deleted":
            raise VaultRefusal(faults.NOT_FOUND[self.noun], name=name)
        document["deleted"] = None
        document["liveAt"] = self.call.world.clock.now() + self.call.world.delays.recovery
        self.keep(document)
        return document

    def purge(self, name: str) -> None:
        """Remove a deleted object for good.

        :raises VaultRefusal: it is not among the deleted ones.
        """
        document = self.deleted(name)
        if self.call.world.delays.deletion:
            document["purgedAt"] = self.call.world.clock.now()
            self.keep(document)
        else:
            self.call.world.documents.delete(self.noun, self._key(name))

    def restore(self, document: Document) -> None:
        """Put an object from a backup back, as live.

        :raises VaultRefusal: its name is in use, deleted, or was purged a moment ago.
        """
        name = document["name"]
        present = self._read(name)
        if present is not None and self._state(present) != "gone":
            newest = document["versions"][-1]["version"]
            where = f"{self.call.vault.url}/{self.noun}s/{name}/{newest}"
            raise VaultRefusal(faults.RESTORE_CONFLICT, id=where, **self._nouns())
        self.keep({**document, "deleted": None, "liveAt": 0})

    # Showing

    def deletion(self, document: Document) -> dict[str, Any]:
        """Return the members with which a deleted object's answer begins."""
        return {
            "recoveryId": f"{self.call.vault.url}/deleted{self.noun}s/{document['name']}",
            "deletedDate": document["deleted"]["date"],
            "scheduledPurgeDate": document["deleted"]["purge"],
        }

    def identifier(self, document: Document, version: str = "") -> str:
        """Return an object's address, with its version where one is given."""
        return f"{self.call.vault.url}/{self.noun}s/{document['name']}" + (f"/{version}" if version else "")

    def _state(self, document: Document) -> str:
        """Return ``live``, ``recovering``, ``deleting``, ``deleted``, ``purging`` or ``gone``."""
        now, delays = self.call.world.clock.now(), self.call.world.delays
        if document.get("purgedAt") is not None:
            return "purging" if now < document["purgedAt"] + delays.deletion else "gone"
        deleted = document["deleted"]
        if deleted:
            if now >= deleted["purge"]:
                return "gone"
            return "deleting" if now < deleted["at"] + delays.deletion else "deleted"
        return "recovering" if now < document["liveAt"] else "live"

    def _read(self, name: str) -> Document | None:
        found = self.call.world.documents.get(self.noun, self._key(name))
        return found if isinstance(found, dict) else None

    def _key(self, name: str) -> str:
        return f"{self.call.vault.name}/{name.lower()}"

    def _nouns(self) -> dict[str, str]:
        return {"noun": self.noun, "Noun": self.noun.capitalize()}
