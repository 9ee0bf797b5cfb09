"""What a picture says of itself: PNG text and XMP that name engine, model, seed and words."""

from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image, PngImagePlugin

from ferrotype.engines.illustrator.scene import Scene
from ferrotype.ports.engine import Job

SERVED_BY = "illustrator; illustration"  # engine; label, the same whatever is drawn
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Ferrotype illustrator">
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<Iptc4xmpExt:AISystemUsed>{system}</Iptc4xmpExt:AISystemUsed>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def plain(text: str) -> str:
    """Return text without the characters that XML and PNG text may not hold."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")[:2000]


def save(picture: Image.Image, path: Path, job: Job, scene: Scene, seed: int) -> None:
    """Write a PNG with its provenance."""
    chunks = PngImagePlugin.PngInfo()
    facts = {
        "Software": "Ferrotype illustrator",
        "Engine": SERVED_BY,
        "Model asked": job.model,
        "Task": job.task,
        "Seed": str(seed),
        "Description": plain(job.prompt),
        "Drawn": "prompt card: " + scene.why if scene.template == "card" else scene.template,
        "Style": scene.style,
        "Words understood": plain(", ".join(scene.known)),
        "Words left out": plain(", ".join(scene.unknown)),
        "DigitalSourceType": SOURCE,
    }
    for key, value in facts.items():
        chunks.add_itxt(key, value)
    xmp = XMP.format(
        source=SOURCE,
        system=escape(f"Ferrotype illustrator, no model (asked for {plain(job.model)})"),
    )
    chunks.add_itxt("XML:com.adobe.xmp", xmp)
    picture.save(path, "PNG", compress_level=1, pnginfo=chunks)
