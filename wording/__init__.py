"""What Vankho says: sentences with gaps, the values that fill them, and their Vietnamese.

The lowest room: every other room may say something, so every room may import this one.
"""

from wording.message import Explained, Message, printable, printable_json, say

__all__ = ["Explained", "Message", "printable", "printable_json", "say"]
