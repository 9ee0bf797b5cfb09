"""The table of all settings, as docs/settings.md holds it."""

from dataclasses import fields

from ferrotype.settings.table import ABOUT, Settings


def reference() -> str:
    """Write a row for each setting."""
    rows = ["| setting | what it does | default |", "|---|---|---|"]
    defaults = {item.name: item.default for item in fields(Settings)}
    for name, about in ABOUT.items():
        plain = "none" if defaults[name] in (None, ()) else f"`{defaults[name]}`".lower()
        rows.append(f"| `{name.upper()}` | {about.doc} | {about.shown or plain} |")
    return "\n".join(rows) + "\n"
