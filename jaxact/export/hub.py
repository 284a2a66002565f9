"""Model folders on the Hugging Face hub, by the hub's own mixin: the extra "hub"."""

import functools
import pathlib
import shutil
from typing import Any

from jaxact import errors, model_folder
from jaxact.run.predictor import Predictor

FILES = (model_folder.CONFIG_FILE, model_folder.WEIGHTS_FILE, model_folder.CARD_FILE)

# What the mixin passes on that a download takes.
_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")


@functools.cache
def hub_model() -> Any:
    """Returns `HubModel`, a `Predictor` of a model folder that the hub's mixin serves.

    ``HubModel.from_pretrained(NAME)`` takes a folder, or a repository of the hub;
    ``.save_pretrained(FOLDER)`` and ``.push_to_hub(NAME)`` copy the folder's files as
    they are. Without a network all but the hub itself works.

    Raises:
      UserError: huggingface_hub is not installed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise errors.UserError(
            "The hub's client is not installed: pip install huggingface_hub. A model "
            "folder itself needs none; jaxact.load_model(FOLDER) reads it."
        ) from None

    class HubModel(Predictor, huggingface_hub.ModelHubMixin, library_name="jaxact"):  # type: ignore[call-arg]
        """See `hub_model`."""

        def __init__(self, folder: str):
            self.model_folder = pathlib.Path(folder)
            super().__init__(str(folder))

        def _save_pretrained(self, save_directory: pathlib.Path) -> None:
            model_folder.weights_file(self.model_folder)  # whole, or an error
            for name in FILES:
                shutil.copyfile(self.model_folder / name, save_directory / name)

        @classmethod
        def _from_pretrained(cls, *, model_id: str, **options: Any) -> Any:
            if pathlib.Path(model_id).is_dir():
                return cls(model_id)
            options = {name: options[name] for name in _OPTIONS if name in options}
            snapshot = huggingface_hub.snapshot_download
            return cls(snapshot(model_id, allow_patterns=list(FILES), **options))

    return HubModel
