"""Parameters of files, uploads, vector stores and search."""

import hashlib
from typing import Any, Final

import pytest
from openai import BadRequestError

from tests.compatibility.effects import shows, shows_at
from tests.compatibility.telling import FAST, Told

_DATA: Final = b"Ada likes pizza."
_EXPIRY: Final[Any] = {"anchor": "created_at", "seconds": 7200}
_CHUNKING: Final[Any] = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
_HOW_TO_CUT: Final = {
    "chunking_strategy": "how the text is cut; answered with its numbers",
    "chunking_strategy.type": "`auto` is 800 and 400 tokens",
    "chunking_strategy.static": "for `static`",
    "chunking_strategy.static.max_chunk_size_tokens": "of each chunk, at most",
    "chunking_strategy.static.chunk_overlap_tokens": "that neighbours share",
}
_EXPIRES: Final = {
    "expires_after": "when the file is deleted",
    "expires_after.anchor": "`created_at`, the only one",
    "expires_after.seconds": "so long after its creation",
}


@shows(
    "POST /files",
    {"file": "kept byte by byte, with its name", "purpose": "what it is for; some are not given out again"},
)
@shows("POST /files", _EXPIRES)
def test_files_are_kept(told: Told) -> None:
    files = told.client.files
    made = files.create(file=("foods.txt", _DATA), purpose="vision", expires_after=_EXPIRY)
    assert (made.filename, made.bytes, made.purpose) == ("foods.txt", len(_DATA), "vision")
    assert made.expires_at == made.created_at + 7200
    assert files.content(made.id).read() == _DATA


@shows(
    "POST /uploads",
    {
        "bytes": "how many the parts must have together",
        "filename": "the name of the file",
        "purpose": "of the file",
        **_EXPIRES,
    },
)
@shows("POST /uploads/{upload_id}/parts", {"data": "a part of the file"})
@shows(
    "POST /uploads/{upload_id}/complete",
    {"part_ids": "which parts make the file, in this order", "md5": "what the file must have; else it is not made"},
)
def test_uploads_are_put_together(told: Told) -> None:
    uploads = told.client.uploads
    announced: Any = {"bytes": len(_DATA), "filename": "foods.txt", "mime_type": "text/plain", "purpose": "vision"}
    made = uploads.create(**announced, expires_after=_EXPIRY)
    assert (made.bytes, made.filename, made.purpose) == (len(_DATA), "foods.txt", "vision")
    second = uploads.parts.create(made.id, data=_DATA[4:]).id
    first = uploads.parts.create(made.id, data=_DATA[:4]).id
    with pytest.raises(BadRequestError, match="bytes"):
        uploads.complete(made.id, part_ids=[first])
    with pytest.raises(BadRequestError, match="MD5"):
        uploads.complete(made.id, part_ids=[first, second], md5="0" * 32)
    done = uploads.complete(made.id, part_ids=[first, second], md5=hashlib.md5(_DATA).hexdigest())
    assert done.file is not None
    assert done.file.expires_at == done.file.created_at + 7200
    assert told.client.files.content(done.file.id).read() == _DATA


@shows(
    "POST /vector_stores",
    {
        "name": "kept and answered",
        "description": "kept and answered",
        "metadata": "kept and answered",
        "file_ids": "put into the store",
        "expires_after": "when the store expires; then it is neither searched nor changed",
        "expires_after.anchor": "`last_active_at`, the only one",
        "expires_after.days": "so long after its last use",
        **_HOW_TO_CUT,
    },
)
@shows(
    "POST /vector_stores/{vector_store_id}",
    {
        "name": "replaced; null clears it",
        "metadata": "replaced as a whole",
        "expires_after": "replaced; null clears it",
        "expires_after.anchor": "`last_active_at`, the only one",
        "expires_after.days": "so long after its last use",
    },
)
def test_stores_are_kept(told: Told) -> None:
    stores = told.client.vector_stores
    file_id = told.file("Ada likes pizza.")
    made = stores.create(
        name="facts",
        description="What is so.",
        metadata={"a": "b"},
        file_ids=[file_id],
        expires_after={"anchor": "last_active_at", "days": 3},
        chunking_strategy=_CHUNKING,
    )
    assert (made.name, made.to_dict()["description"], made.metadata) == ("facts", "What is so.", {"a": "b"})
    assert made.last_active_at is not None
    assert made.expires_at == made.last_active_at + 3 * 86400
    (file,) = stores.files.list(made.id).data
    assert (file.id, file.to_dict()["chunking_strategy"]) == (file_id, _CHUNKING)
    changed = stores.update(
        made.id, name="foods", metadata={"c": "d"}, expires_after={"anchor": "last_active_at", "days": 5}
    )
    assert (changed.name, changed.metadata) == ("foods", {"c": "d"})
    assert changed.last_active_at is not None
    assert changed.expires_at == changed.last_active_at + 5 * 86400


@shows(
    "POST /vector_stores/{vector_store_id}/files",
    {"file_id": "the file that is put into the store", "attributes": "kept, and what filters go by", **_HOW_TO_CUT},
)
@shows("POST /vector_stores/{vector_store_id}/files/{file_id}", {"attributes": "replaced as a whole"})
def test_files_are_put_into_stores(told: Told) -> None:
    files = told.client.vector_stores.files
    store, file_id = told.store(), told.file("Ada likes pizza.")
    made = files.create(store, file_id=file_id, attributes={"year": 2026}, chunking_strategy=_CHUNKING)
    assert (made.id, made.attributes, made.to_dict()["chunking_strategy"]) == (file_id, {"year": 2026}, _CHUNKING)
    files.poll(file_id, vector_store_id=store, **FAST)
    changed = files.update(file_id, vector_store_id=store, attributes={"kind": "food"})
    assert changed.attributes == {"kind": "food"}


_BATCHES: Final = "POST /vector_stores/{vector_store_id}/file_batches"


@shows(
    _BATCHES,
    {
        "file_ids": "the files that are put into the store",
        "attributes": "of all of `file_ids`",
        "files": "the files that are put into the store, each with its own options",
        "files.file_id": "the file",
        "files.attributes": "kept, and what filters go by",
    },
)
@shows_at(((_BATCHES, ""), (_BATCHES, "files")), _HOW_TO_CUT)
def test_batches_are_put_into_stores(told: Told) -> None:
    batches = told.lenient.vector_stores.file_batches
    attributes: Any = {"year": 2026}
    options: Any = {"attributes": attributes, "chunking_strategy": _CHUNKING}
    file_id = told.file("Ada likes pizza.")
    for given in ({"file_ids": [file_id], **options}, {"files": [{"file_id": file_id, **options}]}):
        store = told.store()
        batches.create_and_poll(store, **given, **FAST)
        (file,) = told.client.vector_stores.files.list(store).data
        assert (file.id, file.attributes) == (file_id, attributes)
        assert file.to_dict()["chunking_strategy"] == _CHUNKING


_SEARCH: Final = "POST /vector_stores/{vector_store_id}/search"


@shows(
    _SEARCH,
    {
        "query": "what is searched for; several are searched for together",
        "max_num_results": "so many results at most",
        "ranking_options": "how results are ranked",
        "ranking_options.ranker": "`none` fuses the two orders and nothing else; the others are the same one",
        "ranking_options.score_threshold": "results with lower scores are left out",
    },
)
def test_searches_are_bounded(told: Told) -> None:
    search = told.client.vector_stores.search
    store = told.store("Ada likes pizza.", "Grace likes dumplings.")
    assert [hit.filename for hit in search(store, query="dumplings", max_num_results=1)] == ["fact1.txt"]
    both = search(store, query=["dumplings", "pizza"], rewrite_query=True)
    assert {hit.filename for hit in both} == {"fact0.txt", "fact1.txt"}
    scores = [
        [hit.score for hit in search(store, query="pizza", ranking_options={"ranker": ranker, "score_threshold": 0})]
        for ranker in ("auto", "none")
    ]
    assert scores[0] != scores[1]
    assert list(search(store, query="pizza", ranking_options={"score_threshold": 1})) == []


@shows(
    _SEARCH,
    {
        "filters": "only files whose attributes are so are searched",
        "filters.type": "comparisons `eq ne gt gte lt lte in nin`; `and`, `or`",
        "filters.key": "the attribute",
        "filters.value": "what it is compared with",
        "filters.filters": "what `and` and `or` join",
        "filters.filters.type": "as `filters.type`",
        "filters.filters.key": "as `filters.key`",
        "filters.filters.value": "as `filters.value`",
    },
)
def test_searches_are_filtered(told: Told) -> None:
    stores = told.client.vector_stores
    store = told.store("Ada likes pizza.", "Grace likes pizza.")
    for number, file in enumerate(stores.files.list(store, order="asc")):
        stores.files.update(file.id, vector_store_id=store, attributes={"number": number})
    first: Any = {"type": "eq", "key": "number", "value": 0}
    both: Any = {"type": "or", "filters": [first, {"type": "gte", "key": "number", "value": 1}]}
    assert [hit.filename for hit in stores.search(store, query="pizza", filters=first)] == ["fact0.txt"]
    assert len(stores.search(store, query="pizza", filters=both).data) == 2
