"""What a file says of itself: who served it, by which model, from which seed and words."""

from xml.sax.saxutils import escape

from PIL import PngImagePlugin

from ferrotype.ports.engine import Job

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Ferrotype">
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<Iptc4xmpExt:AISystemUsed>{system}</Iptc4xmpExt:AISystemUsed>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""

Facts = dict[str, str]


def facts(job: Job, i: int, served: str, changed: str) -> Facts:
    """Say what made the i-th output. `changed`: what we did to it, "" for nothing."""
    said = {
        "Software": "Ferrotype",
        "Engine": job.served_by or "openai",
        "Model asked": job.model,
        "Model there": served,
        "Task": job.task,
        "Seed": str(job.seed + i),
        "Description": _plain(job.prompt),
        "Changed": changed,
        "DigitalSourceType": SOURCE,
    }
    return {name: value for name, value in said.items() if value}


def png_text(facts: Facts) -> PngImagePlugin.PngInfo:
    """Lay the facts out as PNG text, and as XMP for those who read that."""
    chunks = PngImagePlugin.PngInfo()
    for name, value in facts.items():
        chunks.add_itxt(name, value)
    system = _plain(facts.get("Model there") or facts["Model asked"])
    chunks.add_itxt("XML:com.adobe.xmp", XMP.format(source=SOURCE, system=escape(system)))
    return chunks


def film_tags(facts: Facts) -> Facts:
    """Lay the facts out as the tags of an MP4."""
    rest = {name: value for name, value in facts.items() if name not in ("Software", "Description")}
    return {
        "artist": facts["Software"],
        "description": facts.get("Description", ""),
        "comment": "; ".join(f"{name}: {value}" for name, value in rest.items()),
    }


def _plain(text: str) -> str:
    """Return text without the characters that XML and PNG text may not hold."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")[:2000]
