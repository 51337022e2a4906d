"""HTML from templates: whatever a template is given is escaped, and a name it lacks is an error."""

from functools import lru_cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


def template(package: str, name: str) -> Template:
    """The template ``name`` in the folder ``templates`` of a package, such as ``sdg.report``.

    It may extend ``base.html``, which gives a page the looks that all of them share.
    """
    return _environment(package).get_template(name)


@lru_cache
def _environment(package: str) -> Environment:
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("sdg")])
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
