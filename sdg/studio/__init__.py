"""sdg from Python: networks held in memory, and everything else chosen anew for each call."""

from sdg.checkpoints.diffusers import from_diffusers
from sdg.studio.picture import Picture, Pictures, Step
from sdg.studio.request import Request
from sdg.studio.studio import Studio, again, load

__all__ = ["Picture", "Pictures", "Request", "Step", "Studio", "again", "from_diffusers", "load"]
