"""What a file says of itself: PNG text and XMP, or a film's tags, that name who made it."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image, PngImagePlugin

DRAWN = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool={tool}>
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<Iptc4xmpExt:AISystemUsed>{system}</Iptc4xmpExt:AISystemUsed>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def plain(text: str) -> str:
    """Return text without the characters that XML and PNG text may not hold."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")[:2000]


def save_png(
    picture: Image.Image, path: Path, facts: Mapping[str, str], *, source: str, system: str
) -> None:
    """Write a PNG with its facts; `source` is the IPTC's type, `system` the model in words."""
    chunks = PngImagePlugin.PngInfo()
    for key, value in facts.items():
        chunks.add_itxt(key, value)
    chunks.add_itxt("DigitalSourceType", source)
    tool = '"' + escape(facts["Software"], {'"': "&quot;"}) + '"'
    xmp = _XMP.format(source=source, system=escape(system), tool=tool)
    chunks.add_itxt("XML:com.adobe.xmp", xmp)
    picture.save(path, "PNG", compress_level=1, pnginfo=chunks)
