"""What the files of a package are: FIDO's signatures in worker processes, XML namespaces on top."""

from preservation.formats.identify import Identifier, identify, identify_paths
from preservation.formats.limits import Limits
from preservation.formats.process import IdentifierUnavailable
from preservation.formats.report import FormatCount, FormatReport, XmlCount, format_report

__all__ = [
    "FormatCount",
    "FormatReport",
    "Identifier",
    "IdentifierUnavailable",
    "Limits",
    "XmlCount",
    "format_report",
    "identify",
    "identify_paths",
]
