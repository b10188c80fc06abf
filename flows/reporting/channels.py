"""Handing one notice to one channel: a folder of the workspace, or an address of Apprise; in time, or not at all.

Whatever goes wrong is a sentence without any secret. Nothing is sent in the name of a channel that is not set up.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from flows.settings import ChannelSettings
from preservation.catalog.outbox import Notice
from wording import Message, say
from wording.secrets import veiled
from wording.times import here

FOLDER = "notices"  # of the workspace: every notice is written there too, and no channel can bear this name
LONGEST = 300  # characters of a library's own words about a failure


class NotSent(Exception):
    """The notice could not be handed over; `why` is for people."""

    def __init__(self, why: Message) -> None:
        super().__init__(str(why))
        self.why = why


def write_down(workspace: Path, notice: Notice) -> None:
    """The notice as a file that anybody can read. Raises NotSent."""
    at = notice.created_at.astimezone(here())
    name = f"{at:%Y%m%d-%H%M%S}-{notice.role}-{notice.kind}-{notice.id}.txt"
    file = workspace / FOLDER / f"{at:%Y}" / name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(f"{notice.subject}\r\n\r\n{notice.body}".replace("\r\n", "\n"), "utf-8")
        part.rename(file)
    except OSError as error:
        raise NotSent(
            say("The notice could not be written into {folder}: {reason}", folder=file.parent, reason=error.strerror)
        ) from error


def send(channel: ChannelSettings | None, subject: str, body: str, *, name: str) -> None:
    """Hand it to the channel, within its time and a second. Raises NotSent."""
    if channel is None:
        raise NotSent(say("There is no channel named {channel} in the settings.", channel=name))
    ended: list[Message | None] = []

    def hand_over() -> None:
        try:
            ended.append(_handed_over(channel, subject, body))
        except Exception as error:  # noqa: BLE001 - whatever a plug-in of Apprise raises
            ended.append(_in_its_words(type(error).__name__, str(error)))

    thread = threading.Thread(target=hand_over, name=f"notice to {name}", daemon=True)
    thread.start()
    thread.join(channel.timeout + 1)
    if thread.is_alive():
        text = say(
            "Channel {channel} did not answer within {seconds} seconds.", channel=name, seconds=channel.timeout
        )
        raise NotSent(text)
    if ended[0] is not None:
        raise NotSent(ended[0])


def _handed_over(channel: ChannelSettings, subject: str, body: str) -> Message | None:
    """What went wrong; None when the other side took it."""
    import apprise  # late: a quarter of a second, and most runs have nothing to send

    address = apprise.Apprise.instantiate(channel.url.get_secret_value(), suppress_exceptions=True)
    if address is None:
        return say("The address of this channel is none that Apprise can use on this machine.")
    plugin: Any = address
    plugin.socket_connect_timeout = plugin.socket_read_timeout = channel.timeout
    with apprise.LogCapture(level=logging.WARNING) as captured:  # type: ignore[no-untyped-call]
        taken = plugin.notify(title=subject, body=body, body_format=apprise.NotifyFormat.TEXT)
        said = captured.getvalue()
    return None if taken else _in_its_words("Apprise", said)


def _in_its_words(who: str, said: str) -> Message:
    words = " ".join(veiled(said).split())[:LONGEST]
    return say("The channel did not take the notice. {who}: {words}", who=who, words=words or "-")
