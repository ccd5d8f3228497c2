"""Finding a checkpoint and loading its parts: config and tokenizer (light), weights (heavy)."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from howgood.core.errors import AccessError, HowgoodError, MissingExtra, ModelError
from howgood.core.text import shorten
from howgood.models.embedded import sha256
from howgood.models.huggingface import gguf

if TYPE_CHECKING:
    import torch

# Torch's threads (GNU OpenMP on Linux) wait for each other by spinning, which keeps the processor from the very thread
# they wait for as soon as anything else runs: on 2 cores with 1 taken, a forward took 3.1 s, and 0.15 s with short
# spins. Spins too short cost the time to wake up: two texts of 1,400 tokens take 6.6 to 7.2 s with 1,000 and 5.8 with
# 10,000; with 1 core taken, 12.7 and 16. It has to be said before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_loading = threading.Lock()  # transformers loads by switches of the whole process: two models at once lack weights

DTYPES = ("auto", "float32", "bfloat16", "float16")
DEFAULT_MAX_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a model's files are: a repository of the Hub at a commit, a local folder, or a GGUF file."""

    source: str
    revision: str | None = None
    folder: Path | None = None
    gguf: Path | None = None

    def describe(self) -> dict[str, Any]:
        """What pins the weights: the commit, or the sha256 of the local files."""
        if self.gguf is not None:
            return {"source": self.source, "format": "gguf", "sha256": sha256(self.gguf)}
        if self.folder is not None:
            return {"source": self.source, "format": "folder", "sha256": _folder_digest(self.folder)}
        return {"source": self.source, "format": "hub", "revision": self.revision}


def locate(source: str, gguf_file: str | None, revision: str | None) -> Checkpoint:
    """The checkpoint a name means: a GGUF file, a folder, or a repository of the Hub (with `gguf_file`, a file in the
    folder or repository). The Hub's revision is resolved to a commit. Raises `ModelError` or `AccessError`."""
    path = Path(source).expanduser()
    if gguf_file and path.is_dir():
        path = path / gguf_file
    if path.suffix == ".gguf" and path.is_file():
        return Checkpoint(path.name, gguf=path.resolve())
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"the folder {source} holds no config.json: point at the folder of one checkpoint")
        return Checkpoint(source, folder=path.resolve())
    if path.suffix == ".gguf" or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ModelError(f"there is no model file or folder {path}: check the path, or give a Hub name as owner/name")
    return _from_hub(source, gguf_file, revision)


def _from_hub(repo: str, gguf_file: str | None, revision: str | None) -> Checkpoint:
    from huggingface_hub import HfApi, hf_hub_download, is_offline_mode

    try:
        commit = HfApi().resolve_revision(repo, revision=revision, local_files_only=is_offline_mode()).resolved
        if gguf_file is None:
            return Checkpoint(repo, commit)
        path = Path(hf_hub_download(repo, gguf_file, revision=commit))
    except Exception as error:  # the client raises errors of its own, of its HTTP library and of the system
        raise _explained(error, repo, revision, gguf_file) from error
    return Checkpoint(f"{repo}/{gguf_file}", commit, gguf=path)


def _explained(error: Exception, repo: str, revision: str | None, file: str | None) -> HowgoodError:
    """What went wrong with the Hub, in one line, with what to do."""
    from huggingface_hub import constants, errors, is_offline_mode

    url = f"{constants.ENDPOINT}/{repo}"
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    status = response.status_code if response is not None else None
    if isinstance(error, errors.GatedRepoError):
        return AccessError(f"{repo} is gated: accept its terms at {url}, then set HF_TOKEN or run `hf auth login`")
    if isinstance(error, errors.HFValidationError):
        return ModelError(f"'{repo}' is neither a file nor can it be a repository's name: write owner/name")
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(f"{repo} has no revision '{revision}': see {url}/tree/main for those it has")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return ModelError(f"{repo} has no file {file}: see {url}/tree/main for those it has")
    if isinstance(error, errors.RepositoryNotFoundError) and status == 404:
        return ModelError(f"there is no model {repo} on the Hub that you may see: check its spelling at {url}")
    if status in (401, 403):
        return AccessError(
            f"the Hub gives no access to {repo} (HTTP {status}): it does not exist, is private, or the token is wrong; "
            f"check its spelling at {url}, set HF_TOKEN or run `hf auth login`"
        )
    if is_offline_mode():
        return ModelError(f"{repo} is not in the Hub's cache and HF_HUB_OFFLINE is set: unset it, or give a local path")
    why = f"HTTP {status}" if status else shorten(f"{type(error).__name__}: {error.__cause__ or error}", 160)
    return ModelError(
        f"{repo} is no file or folder here, and {constants.ENDPOINT} cannot be asked for it ({why}): check the "
        "spelling and the network, or give a local path"
    )


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        digest.update(f"{path.name} {sha256(path)}\n".encode())
    return digest.hexdigest()


@cache
def need(package: str) -> str:
    """The installed version of a package. Raises `MissingExtra`."""
    try:
        return version(package)
    except PackageNotFoundError:
        raise MissingExtra(f"a model of transformers ({package})", "local") from None


def quiet() -> None:
    """No chatter of transformers on the terminal, unless the user asked for it with TRANSFORMERS_VERBOSITY."""
    import transformers

    logging: Any = transformers.utils.logging
    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_config(checkpoint: Checkpoint) -> Any:
    """The checkpoint's transformers config. Raises `ModelError` or `MissingExtra`."""
    return _load("AutoConfig", checkpoint)


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The checkpoint's tokenizer. Raises `ModelError` or `MissingExtra`."""
    return _load("AutoTokenizer", checkpoint)


def load_weights(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> Any:
    """The model with its weights on the device, ready to evaluate. Raises `ModelError` or `MissingExtra`."""
    with _loading:
        model, report = _load("AutoModelForCausalLM", checkpoint, dtype=dtype, output_loading_info=True)
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"{checkpoint.source} lacks {len(missing)} of its weights ({shorten(', '.join(missing), 100)}), which "
            "would be random numbers: it is incomplete or no causal language model"
        )
    with explaining(checkpoint.source):
        return model.to(device).eval()


def _load(kind: str, checkpoint: Checkpoint, **keywords: Any) -> Any:
    need("torch")
    need("transformers")
    import transformers

    quiet()
    with explaining(checkpoint.source):
        auto = getattr(transformers, kind)
        if checkpoint.gguf is not None:
            need("gguf")
            need("accelerate")
            return gguf.load(auto, checkpoint.gguf, **keywords)
        if checkpoint.folder is not None:
            return auto.from_pretrained(checkpoint.folder, **keywords)
        return auto.from_pretrained(checkpoint.source, revision=checkpoint.revision, **keywords)


@contextmanager
def explaining(source: str) -> Iterator[None]:
    """Whatever a library raises while a model is made ready becomes a `ModelError` of one line."""
    try:
        yield
    except (HowgoodError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        raise ModelError(f"not enough memory to load {source}: use dtype=bfloat16 or a smaller model") from error
    except Exception as error:
        words = shorten(str(error), 300)
        advice = "check that it is a causal language model that this version of transformers knows"
        if "trust_remote_code" in words:
            words, advice = "it needs Python code of its own", "howgood runs no code out of a model's repository"
        elif "out of memory" in words or "can't allocate memory" in words:
            words, advice = "not enough memory", "use dtype=bfloat16, another device or a smaller model"
        raise ModelError(f"{source} cannot be loaded: {words} ({type(error).__name__}); {advice}") from error


def pick_devices(names: str | None) -> list[torch.device]:
    """The devices asked for (`cuda:0+cuda:1`), else all GPUs, else the CPU. Raises `ModelError` for one that is not
    there."""
    import torch

    if names is None:
        if not torch.cuda.is_available():
            return [torch.device("cpu")]
        return [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    devices = []
    for name in names.split("+"):
        try:
            device = torch.device(name)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            why = shorten(str(error), 120)
            raise ModelError(f"there is no device '{name}' here ({why}): use cpu or cuda") from None
        devices.append(device)
    return devices


def pick_dtype(name: str, device: torch.device, config: Any) -> torch.dtype:
    """The dtype asked for. "auto" is float32 on the CPU, where it is exact and the default of published numbers, and
    elsewhere the checkpoint's own when it has 16 bits, else bfloat16. Raises `ModelError`."""
    import torch

    if name not in DTYPES:
        raise ModelError(f"there is no dtype '{name}': use {', '.join(DTYPES)}")
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type == "cpu":
        return torch.float32
    return torch.float16 if getattr(config, "dtype", None) == torch.float16 else torch.bfloat16


def scoring_of(config: Any) -> str:
    """How a model of this config is scored: whether its requests share the computation of what they begin with."""
    import transformers

    from howgood.models.huggingface.network import shareable

    kinds: Any = transformers.AutoModelForCausalLM._model_mapping
    kind = kinds.get(type(config), None)
    return shareable(config, kind[0] if isinstance(kind, tuple) else kind)[1]


def max_length_of(config: Any, tokenizer: Any) -> int:
    """Tokens the model reads, by what its config or tokenizer declares, in lm-eval's order; 2,048 if neither does."""
    text = getattr(config, "text_config", None) or config
    declared = [getattr(text, name, None) for name in ("n_positions", "max_position_embeddings", "n_ctx")]
    declared.append(tokenizer.model_max_length if tokenizer.model_max_length < 10**9 else None)
    return next((int(length) for length in declared if length), DEFAULT_MAX_LENGTH)
