"""HTML from templates: whatever a template is given is escaped, and a name it lacks is an error."""

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(room: str, name: str) -> Template:
    """The template ``sdg/<room>/templates/<name>``."""
    return _environment(room).get_template(name)


@lru_cache
def _environment(room: str) -> Environment:
    loader = PackageLoader(f"sdg.{room}")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
