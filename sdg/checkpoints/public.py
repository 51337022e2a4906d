"""Public files that are recognised by their SHA-256."""

FFHQ = "81d535743156ec6be34d8668e6920da94f0614074d7793a16c8fa9e306237faa"
"""diffusion_ffhq_10m.pt of deepinv/diffunet on Hugging Face, as its repository states it."""


def public_name(sha256: str) -> str | None:
    """What a file with this hash is known as; None for any other file.

    OpenAI puts the hashes of its CLIPs in their URLs, which open_clip lists; for ADM's files we know no
    hashes.
    """
    return _known().get(sha256)


def _known() -> dict[str, str]:
    import open_clip  # slow to import

    known = {FFHQ: "ffhq_10m.pt, the FFHQ model of ILVR's authors"}
    for model, tag in open_clip.list_pretrained():
        url = open_clip.get_pretrained_url(model, tag) or ""
        if "openaipublic" in url:
            *_, sha256, name = url.split("/")
            known.setdefault(sha256, f"{name}, OpenAI's CLIP")
    return known
