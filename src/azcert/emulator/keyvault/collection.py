"""What secrets, keys and certificates have in common: list, delete, recover, purge, back up, restore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import backups, faults
from azcert.emulator.keyvault.call import Operation
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.paging import page
from azcert.emulator.keyvault.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.emulator.keyvault.call import Call
    from azcert.emulator.origin import Answer, Kind

__all__ = ["Actions", "Collection", "Kinds"]

Document = dict[str, Any]
Entry = dict[str, Any]


@dataclass(frozen=True)
class Kinds:
    """The kinds of answers of the common operations."""

    listed: Kind
    versions: Kind
    deleted: Kind
    got_deleted: Kind
    listed_deleted: Kind
    recovered: Kind
    purged: Kind
    backed_up: Kind
    restored: Kind


@dataclass(frozen=True)
class Actions:
    """The data actions of the common operations where they are not ``{noun}s/{operation}/action``."""

    read: str
    delete: str


@dataclass(frozen=True)
class Collection:
    """The common operations of one noun.

    :param bundle: one version as a single object's answer shows it.
    :param item: the newest version as a list shows it, of live objects and of deleted ones.
    :param companions: nouns whose objects of the same name live and die with it.
    :param unreadable: tells a deleted object's refusal, if it has one.
    """

    noun: str
    kinds: Kinds
    actions: Actions
    bundle: Callable[[Shelf, Document, Entry], dict[str, Any]]
    item: Callable[[Shelf, Document, bool], dict[str, Any]]
    companions: tuple[str, ...] = ()
    unreadable: Callable[[Entry], VaultRefusal | None] = lambda _entry: None

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table."""
        many, deleted = f"{self.noun}s", f"deleted{self.noun}s"
        read = self.actions.read
        return (
            Operation("GET", many, read, self._list),
            Operation("POST", f"{many}/restore", f"{many}/restore/action", self._restore),
            Operation("GET", f"{many}/{{name}}/versions", read, self._versions),
            Operation("POST", f"{many}/{{name}}/backup", f"{many}/backup/action", self._backup),
            Operation("DELETE", f"{many}/{{name}}", self.actions.delete, self._delete),
            Operation("GET", deleted, read, self._list_deleted),
            Operation("GET", f"{deleted}/{{name}}", read, self._get_deleted),
            Operation("POST", f"{deleted}/{{name}}/recover", f"{many}/recover/action", self._recover),
            Operation("DELETE", f"{deleted}/{{name}}", f"{many}/purge/action", self._purge),
        )

    def _shelves(self, call: Call) -> list[Shelf]:
        return [Shelf(call, noun) for noun in (self.noun, *self.companions)]

    def _list(self, call: Call, _name: str, _version: str) -> Answer:
        shelf = Shelf(call, self.noun)
        items = [(found["name"].lower(), self.item(shelf, found, False)) for found in shelf.all_in("live")]
        return self.kinds.listed.answer(page(call, f"{self.noun}s", items))

    def _versions(self, call: Call, name: str, _version: str) -> Answer:
        shelf = Shelf(call, self.noun)
        document = shelf.find(name)
        items = []
        if document is not None:
            for number, entry in enumerate(document["versions"]):
                one = {**document, "versions": [entry]}
                member = self.item(shelf, one, False)
                # A list of versions names each with its version, under whichever member names it.
                key = "kid" if "id" not in member else "id"
                member[key] = shelf.identifier(document, entry["version"])
                items.append((f"{number:08d}", member))
        return self.kinds.versions.answer(page(call, f"{self.noun}s/{name}/versions", items))

    def _delete(self, call: Call, name: str, _version: str) -> Answer:
        shelf, *others = self._shelves(call)
        shelf.refuse_managed(name, "delete")
        document = shelf.delete(name)
        for other in others:
            if other.find(name) is not None:
                other.delete(name)
        bundle = self.bundle(shelf, document, shelf.newest(document))
        return self.kinds.deleted.answer({**shelf.deletion(document), **bundle})

    def _get_deleted(self, call: Call, name: str, _version: str) -> Answer:
        shelf = Shelf(call, self.noun)
        document = shelf.deleted(name)
        newest = shelf.newest(document)
        refusal = self.unreadable(newest)
        if refusal is not None:
            raise refusal
        bundle = self.bundle(shelf, document, newest)
        return self.kinds.got_deleted.answer({**shelf.deletion(document), **bundle})

    def _list_deleted(self, call: Call, _name: str, _version: str) -> Answer:
        shelf = Shelf(call, self.noun)
        items = [
            (found["name"].lower(), {**shelf.deletion(found), **self.item(shelf, found, True)})
            for found in shelf.all_in("deleted")
        ]
        return self.kinds.listed_deleted.answer(page(call, f"deleted{self.noun}s", items))

    def _recover(self, call: Call, name: str, _version: str) -> Answer:
        shelf, *others = self._shelves(call)
        document = shelf.recover(name)
        for other in others:
            if other.is_deleted(name):
                other.recover(name)
        return self.kinds.recovered.answer(self.bundle(shelf, document, shelf.newest(document)))

    def _purge(self, call: Call, name: str, _version: str) -> Answer:
        shelf, *others = self._shelves(call)
        shelf.purge(name)
        for other in others:
            if other.is_deleted(name):
                other.purge(name)
        return self.kinds.purged.answer()

    def _backup(self, call: Call, name: str, _version: str) -> Answer:
        shelf, *others = self._shelves(call)
        whole = {self.noun: shelf.live(name)[0]}
        whole |= {other.noun: found for other in others if (found := other.find(name))}
        return self.kinds.backed_up.answer({"value": backups.write(call.world, self.noun, whole)})

    def _restore(self, call: Call, _name: str, _version: str) -> Answer:
        whole = backups.read(call.world, self.noun, call.json().get("value"))
        shelf, *others = self._shelves(call)
        document = whole.get(self.noun)
        if document is None:
            raise VaultRefusal(faults.BAD_BACKUP)
        shelf.restore(document)
        for other in others:
            if other.noun in whole:
                other.restore(whole[other.noun])
        return self.kinds.restored.answer(self.bundle(shelf, document, shelf.newest(document)))
