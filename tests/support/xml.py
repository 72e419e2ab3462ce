"""Reading back the XML that owray writes."""

from xml.etree import ElementTree as ET


def tree(text: str) -> ET.Element:
    """The root of a document of our own, which must be well-formed."""
    return ET.fromstring(text)  # noqa: S314 - nobody else wrote it
