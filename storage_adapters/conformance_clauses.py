"""The clauses that `conformance.run` goes through: a name, a sentence and a plain check for each.

A check raises Broken with what it saw; it keeps to its own keys below the trial's prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from storage_adapters import conformance_names as names
from storage_adapters import conformance_puts as puts
from storage_adapters import conformance_reads as reads
from storage_adapters.conformance_trial import Trial
from storage_adapters.store import Capabilities
from wording import Message, say


@dataclass(frozen=True, slots=True)
class Clause:
    """One promise of the contract. `needs`: what the store must be able to do for the promise to be its own."""

    name: str
    sentence: Message
    check: Callable[[Trial], None]
    needs: Callable[[Capabilities], bool] = lambda _: True


CLAUSES: tuple[Clause, ...] = (
    Clause("keeps-bytes", say("An object comes back byte for byte."), puts.keeps_bytes),
    Clause("keeps-large", say("A large object, sent in parts, comes back byte for byte."), puts.keeps_large),
    Clause("streams", say("A source is read forward only, and left open."), puts.streams),
    Clause("never-replaces", say("An object is never replaced, not even by the same bytes."), puts.never_replaces),
    Clause("refuses-wrong-digest", say("Bytes with another digest are not stored."), puts.refuses_wrong_digest),
    Clause("refuses-wrong-length", say("Too few or too many bytes are not stored."), puts.refuses_wrong_length),
    Clause("large-is-checked", say("A large object with another digest is not stored."), puts.large_is_checked),
    Clause("source-error-passes", say("When the source breaks off, nothing is stored."), puts.source_error_passes),
    Clause("nothing-half-visible", say("An object is seen only when it is whole."), puts.not_seen_before_it_is_whole),
    Clause("absence-is-an-error", say("An absent object is reported as absent."), reads.absence_is_an_error),
    Clause("prefix-is-no-object", say("The beginning of a name is not an object."), reads.prefix_is_no_object),
    Clause("stat-is-true", say("Size and checksum of an object are true."), reads.stat_is_true),
    Clause("lists-are-complete", say("Lists are complete and in order."), names.lists_are_complete),
    Clause(
        "lists-keep-to-prefix",
        say("A list holds what was asked for and nothing else."),
        names.lists_keep_to_the_prefix,
    ),
    Clause("names-are-exact", say("Names are kept exactly, Vietnamese ones too."), names.names_are_exact),
    Clause("long-keys", say("Long names are kept."), names.long_keys),
    Clause("refuses-bad-keys", say("Names that some store could not hold are refused."), names.refuses_bad_keys),
    Clause("reads-are-independent", say("Readers do not disturb each other."), reads.reads_are_independent),
    Clause(
        "erasing-frees-the-key",
        say("Only the erased object goes, and its name is free again."),
        reads.erasing_frees_the_key,
    ),
    Clause(
        "one-racer-wins",
        say("Of several writers at the same moment exactly one wins."),
        puts.one_of_racing_puts_wins,
        needs=lambda can: can.conditional_create,
    ),
    Clause(
        "keeps-what-it-took", say("What was stored stays: there, listed and unchanged."), reads.keeps_what_it_took
    ),
)
