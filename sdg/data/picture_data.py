"""What all training data has in common: how its pictures reach the device."""

import pytorch_lightning as pl

from sdg.pixels import from_bytes


class PictureData(pl.LightningDataModule):
    """Batches are dicts, whose ``image`` (B, 3, size, size) is uint8 until it is on the training's device.

    There, and only there, it becomes numbers in [-1, 1], in the precision that the trainer asks for: bytes
    are a quarter of what worker processes and buses would otherwise move.
    """

    def on_after_batch_transfer(self, batch: dict, dataloader_idx: int) -> dict:
        """Give the batch to the training with ``image`` in [-1, 1]."""
        assert self.trainer is not None, "Lightning gives a data module its trainer before it asks for data"
        images = self.trainer.precision_plugin.convert_input(from_bytes(batch["image"]))
        return batch | {"image": images}
