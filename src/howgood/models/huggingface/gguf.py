"""GGUF files, read by transformers once and kept in its own form.

transformers reads a GGUF file anew for the config, the tokenizer and the weights, in pure Python: 20 seconds for one of
98 MB. So what it makes of the file is kept in the user's cache, in a folder named after the file's sha256 and the
version of transformers: the config and the tokenizer always, the weights (in float32, as exact as the file) when they
are small.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from howgood.core.errors import ModelError
from howgood.core.folders import user_cache
from howgood.models.embedded import sha256

KEPT_WEIGHTS = 2**31
"""Bytes of float32 weights up to which they are kept; larger ones are made anew, which needs no room on the disk."""
WEIGHTS = "model.safetensors"


def load(auto: Any, path: Path, **keywords: Any) -> Any:
    """What `auto.from_pretrained` makes of the file: a config, a tokenizer, or a model when `dtype` is given."""
    folder = _kept(path)
    if "dtype" not in keywords or (folder / WEIGHTS).is_file():
        return auto.from_pretrained(folder, **keywords)
    import torch
    from transformers import AutoConfig

    with torch.device("meta"):
        parameters = auto.from_config(AutoConfig.from_pretrained(folder)).num_parameters()
    if parameters * torch.float32.itemsize > KEPT_WEIGHTS:
        return _convert(auto, path, **keywords)
    _keep_weights(_convert(auto, path, dtype=torch.float32), folder)
    return auto.from_pretrained(folder, **keywords)


def _kept(path: Path) -> Path:
    """The folder with the file's config and tokenizer, made when it is not there yet."""
    import transformers

    parent = user_cache() / "gguf"
    folder = parent / f"{sha256(path)[:24]}-transformers-{transformers.__version__}"
    if folder.is_dir():
        return folder
    with _writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
    parts = [_convert(auto, path) for auto in (transformers.AutoConfig, transformers.AutoTokenizer)]
    with _writing(parent):
        made = Path(tempfile.mkdtemp(dir=parent))
        try:
            for part in parts:
                part.save_pretrained(made)
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # unless another process was faster
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def _keep_weights(model: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    # A tensor of two names (embeddings tied to the head) is kept under its first, as transformers does.
    tensors = {tensor.data_ptr(): (name, tensor) for name, tensor in reversed(model.state_dict().items())}
    with _writing(folder), tempfile.TemporaryDirectory(dir=folder) as made:
        save_file(dict(reversed(tensors.values())), Path(made) / WEIGHTS, metadata={"format": "pt"})
        (Path(made) / WEIGHTS).replace(folder / WEIGHTS)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelError(
            f"cannot keep a converted GGUF model in {folder} ({why}): make room there, or set XDG_CACHE_HOME to a "
            "folder that can be written"
        ) from error


def _convert(auto: Any, path: Path, **keywords: Any) -> Any:
    reader: Any = importlib.import_module("transformers.modeling_gguf_pytorch_utils")
    reader.tqdm = lambda tensors, **_: tensors  # its progress bar has no switch
    return auto.from_pretrained(path.parent, gguf_file=path.name, **keywords)
