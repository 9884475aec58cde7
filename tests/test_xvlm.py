"""X-VLM, on a tiny repository and checkpoint that hold random networks of transformers under X-VLM's names."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import picture
from torch import Tensor
from torch.nn.functional import linear, normalize

from dedup.encoders import xvlm
from dedup.encoders.device import hide_unusable_torchvision
from dedup.encoders.interface import Encoder, LoadOptions
from dedup.encoders.preprocess import Squash
from dedup.errors import DedupError, WeightsUnavailable

WIDTH = 6
SWIN = {"embed_dim": 8, "depths": [2, 2], "num_heads": [1, 2]}
BERT = {"hidden_size": 12, "intermediate_size": 20, "num_attention_heads": 2, "vocab_size": 16}
BERT |= {"max_position_embeddings": 48, "type_vocab_size": 2, "pad_token_id": 0, "layer_norm_eps": 1e-12}
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s", "one", "eyed", "cat", "dont"]
# From the names of a Swin transformer in transformers, of 4 and of 5, to Microsoft's.
SWIN_PARTS = (
    (r"^embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"^embeddings\.norm", "patch_embed.norm"),
    (r"^encoder\.layers", "layers"),
    (r"^layernorm", "norm"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.(o_proj|output\.dense)", "attn.proj"),
    (r"attention\.(self|relative_position_bias)\.relative", "attn.relative"),
    (r"attention\.(q_proj|self\.query)", "attn.qkv-0"),
    (r"attention\.(k_proj|self\.key)", "attn.qkv-1"),
    (r"attention\.(v_proj|self\.value)", "attn.qkv-2"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"(?<!attention\.)output\.dense", "mlp.fc2"),
)


@dataclass(frozen=True)
class Tiny:
    """A repository with a checkpoint, and the networks the checkpoint was made of."""

    repository: Path
    checkpoint: Path
    swin: Any
    bert: Any
    state: dict[str, Tensor]

    def image_rows(self, batch: Tensor) -> np.ndarray:
        with torch.inference_mode():
            pooled = self.swin(pixel_values=(batch / 255 - MEAN) / STD).pooler_output
            return self.projected("vision_proj", pooled)

    def text_rows(self, *tokens: list[int]) -> np.ndarray:
        with torch.inference_mode():
            first = [self.bert(input_ids=torch.tensor([row])).last_hidden_state[0, 0] for row in tokens]
            return self.projected("text_proj", torch.stack(first))

    def projected(self, name: str, rows: Tensor) -> np.ndarray:
        rows = linear(rows, self.state[f"{name}.weight"], self.state[f"{name}.bias"])
        result: np.ndarray = normalize(rows, dim=1).numpy()
        return result


def at_random(model: Any) -> Any:
    """The network with weights of which none is left at 0 or 1."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.5 * torch.randn_like(weight))
    return model.eval()


def under_their_names(swin: Any) -> Iterator[tuple[str, Tensor]]:
    """The weights of a Swin transformer under Microsoft's names, with the buffers their code keeps."""
    renamed = {}
    for name, tensor in swin.state_dict().items():
        for ours, theirs in SWIN_PARTS:
            name = re.sub(ours, theirs, name)
        renamed[name] = tensor
    for name, tensor in renamed.items():
        if "qkv-0" in name:
            yield name.replace("-0", ""), torch.cat([renamed[name.replace("-0", f"-{part}")] for part in range(3)])
        elif "qkv-" not in name:
            yield name, tensor
    yield "layers.0.blocks.0.attn.relative_position_index", torch.zeros(16, 16, dtype=torch.int64)
    yield "layers.0.blocks.1.attn_mask", torch.zeros(4, 16, 16)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On networks as small as these, more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    hide_unusable_torchvision()
    from transformers import BertConfig, BertModel, SwinConfig, SwinModel

    repository = tmp_path_factory.mktemp("xvlm") / "X-VLM"
    for folder in ("configs", "data/bert-base-uncased", "output"):
        (repository / folder).mkdir(parents=True)
    for side, window in ((16, 2), (32, 4), (96, 6)):
        config = {"image_res": side, "window_size": window, "vision_width": 16, "ckpt": "data/swin.pth", **SWIN}
        (repository / "configs" / f"config_swinB_{side}.json").write_text(json.dumps(config))
    layers = {"num_hidden_layers": 3, "fusion_layer": 2, "encoder_width": 16}
    (repository / "configs" / "config_bert.json").write_text(json.dumps({**BERT, **layers}))
    (repository / "data" / "bert-base-uncased" / "vocab.txt").write_text("\n".join(WORDS) + "\n")

    torch.manual_seed(1)
    swin = at_random(SwinModel(SwinConfig(image_size=32, patch_size=4, window_size=4, **SWIN)))
    bert = at_random(BertModel(BertConfig(**BERT, num_hidden_layers=2), add_pooling_layer=False))
    state = {f"vision_encoder.{name}": tensor for name, tensor in under_their_names(swin)}
    state |= {f"text_encoder.{name}": tensor for name, tensor in bert.state_dict().items()}
    # Layers that look at the picture too.
    for name in ("attention.self.query", "crossattention.self.key"):
        state[f"text_encoder.encoder.layer.2.{name}.weight"] = torch.randn(12, 12)
    state["text_encoder.embeddings.position_ids"] = torch.arange(48)[None]
    for name, width in (("vision_proj", 16), ("text_proj", 12)):
        state |= {f"{name}.weight": torch.randn(WIDTH, width), f"{name}.bias": torch.randn(WIDTH)}
    state["temp"] = torch.tensor(0.07)
    torch.save(state, repository / "output" / "model_state.th")
    return Tiny(repository, repository / "output" / "model_state.th", swin, bert, state)


@pytest.fixture
def copied(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy of the repository to spoil."""
    return Path(shutil.copytree(tiny.repository, tmp_path / "copy"))


def loaded(weights: Path) -> Encoder:
    return xvlm.load(LoadOptions(weights=weights, device="cpu"))


def prepared(encoder: Encoder, *seeds: int) -> Tensor:
    return torch.from_numpy(np.stack([encoder.prepare(picture(seed)) for seed in seeds]))


def refused(weights: Path, error: type[DedupError] = WeightsUnavailable) -> DedupError:
    """What loading from there raises: one sentence that names the encoder and the path, and a remedy."""
    with pytest.raises(error) as problem:
        loaded(weights).encode_text(["a dog"])
    assert type(problem.value) is error
    assert "xvlm" in problem.value.message
    assert str(weights) in str(problem.value)
    assert problem.value.message.endswith(".")
    assert "\n" not in problem.value.message
    assert problem.value.remedy
    return problem.value


# -- pictures ---------------------------------------------------------------------------


def test_the_embedding_of_a_picture_is_the_projected_mean_of_the_swin_transformer(tiny: Tiny) -> None:
    encoder = loaded(tiny.checkpoint)
    batch = prepared(encoder, 0, 1, 2)
    rows = encoder.encode(batch)
    assert rows.shape == (3, WIDTH)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, tiny.image_rows(batch), atol=1e-5)
    assert abs(rows[0] - rows[1]).max() > 1e-2


def test_the_config_is_the_one_with_the_window_of_the_checkpoint(tiny: Tiny) -> None:
    assert loaded(tiny.checkpoint).prepare == Squash(32, "bicubic")


def test_a_row_does_not_depend_on_the_others_in_the_batch(tiny: Tiny) -> None:
    encoder = loaded(tiny.checkpoint)
    batch = prepared(encoder, *range(5))
    alone = np.concatenate([encoder.encode(batch[n : n + 1]) for n in range(5)])
    np.testing.assert_allclose(encoder.encode(batch), alone, atol=1e-5)


def test_provenance_tells_checkpoints_apart_by_their_bytes(tiny: Tiny, copied: Path) -> None:
    (made,) = loaded(tiny.checkpoint).provenances
    assert (made.encoder, made.layer, made.dim) == ("xvlm", "final", WIDTH)
    assert re.fullmatch(r"sha256:[0-9a-f]{16}", made.checkpoint)
    assert loaded(copied).provenances == (made,)
    for place in (tiny.checkpoint, copied):
        assert xvlm.checkpoint(LoadOptions(weights=place)) == made.checkpoint
    assert [xvlm.checkpoint(LoadOptions(weights=place)) for place in (None, copied / "gone.th", Path("/"))] == [
        "",
        "",
        "",
    ]


# -- text -------------------------------------------------------------------------------


def test_the_embedding_of_a_text_is_the_projected_first_token_of_the_first_layers(tiny: Tiny) -> None:
    rows = loaded(tiny.checkpoint).encode_text(["a dog", "dogs", "a cat a cat a cat a zebra"])
    expected = tiny.text_rows([2, 5, 6, 3], [2, 6, 7, 3], [2, *(5, 10) * 3, 5, 1, 3])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_a_text_is_read_as_the_captions_of_the_training_were(tiny: Tiny) -> None:
    encoder = loaded(tiny.checkpoint)
    written = encoder.encode_text(['A "one-eyed" Dog!', "don't (a/cat).", "a dog " * 40])
    plain = encoder.encode_text(["a one eyed dog", "dont a cat", "a dog " * 19])
    np.testing.assert_allclose(written, plain, atol=1e-5)


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("prefix", ["text_encoder.bert.", "text_encoder."])
def test_checkpoints_of_pre_training_and_of_fine_tuning_are_read(
    tiny: Tiny, copied: Path, prefix: str, wrapped: bool
) -> None:
    state = {name.replace("text_encoder.", prefix): tensor for name, tensor in tiny.state.items()}
    if prefix.endswith("bert."):
        state["text_encoder.cls.predictions.bias"] = torch.zeros(16)
    path = copied / "fine-tuned.pth"
    torch.save({"model": state, "config": {"image_res": 32, "files": ["a"]}, "epoch": 9} if wrapped else state, path)
    encoder = loaded(path)
    batch = prepared(encoder, 3)
    np.testing.assert_allclose(encoder.encode(batch), tiny.image_rows(batch), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(["a dog"]), tiny.text_rows([2, 5, 6, 3]), atol=1e-5)


def test_pictures_need_neither_the_text_half_nor_a_tokenizer(tiny: Tiny, copied: Path) -> None:
    state = {name: tensor for name, tensor in tiny.state.items() if not name.startswith("text")}
    torch.save(state, copied / "output" / "model_state.th")
    shutil.rmtree(copied / "data")
    batch = prepared(loaded(copied), 0)
    np.testing.assert_allclose(loaded(copied).encode(batch), tiny.image_rows(batch), atol=1e-5)


def test_a_missing_tokenizer_is_asked_for(copied: Path) -> None:
    folder = copied / "data" / "bert-base-uncased"
    (folder / "vocab.txt").unlink()
    (folder / "config.json").write_text("{}")
    problem = refused(copied, DedupError)
    assert str(folder) in problem.message
    assert "vocab.txt" in problem.remedy


@pytest.mark.parametrize("lost", ["encoder.layer.1.output.dense.bias", "embeddings.LayerNorm.weight", "text_proj.bias"])
def test_half_a_text_half_is_refused(tiny: Tiny, copied: Path, lost: str) -> None:
    state = {name: tensor for name, tensor in tiny.state.items() if not name.endswith(lost)}
    assert len(state) == len(tiny.state) - 1
    torch.save(state, copied / "output" / "model_state.th")
    assert "text half" in refused(copied / "output", DedupError).message


def test_a_missing_config_of_the_text_half_is_named(copied: Path) -> None:
    (copied / "configs" / "config_bert.json").unlink()
    assert "config_bert.json" in refused(copied, DedupError).message


# -- weights that are not there ---------------------------------------------------------


def test_without_weights_one_sentence_asks_for_them() -> None:
    assert xvlm.available() is False
    with pytest.raises(WeightsUnavailable) as problem:
        xvlm.load(LoadOptions())
    assert "xvlm" in problem.value.message
    assert re.fullmatch(r"[^\n]+\.", problem.value.message)
    assert ". " not in problem.value.message
    assert "--weights" in problem.value.remedy
    assert "efficientnet-lite0" in problem.value.remedy


def test_the_one_checkpoint_of_a_folder_is_found_and_what_training_begins_with_is_not_one(
    tiny: Tiny, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copied / "data" / "swin_base_patch4_window7_224_22k.pth").write_bytes(b"from Microsoft")
    (copied / "output" / "retrieval" / "coco").mkdir(parents=True)
    (copied / "output" / "model_state.th").rename(copied / "output" / "retrieval" / "coco" / "checkpoint_9.pth")
    expected = loaded(tiny.checkpoint).provenances
    monkeypatch.chdir(copied / "data")
    for place in (copied, copied / "output", Path("../output/retrieval")):
        assert loaded(place).provenances == expected


def test_several_checkpoints_in_a_folder_are_asked_about(copied: Path) -> None:
    shutil.copy2(copied / "output" / "model_state.th", copied / "other.pth")
    problem = refused(copied)
    assert "2 checkpoints" in problem.message
    assert str(copied / "other.pth") in problem.remedy
    assert xvlm.checkpoint(LoadOptions(weights=copied)) == ""
    assert loaded(copied / "other.pth").provenances == loaded(copied / "output").provenances


def test_a_folder_without_a_checkpoint_is_refused(copied: Path) -> None:
    (copied / "output" / "model_state.th").unlink()
    assert "no checkpoint" in refused(copied).message


def test_a_checkpoint_outside_the_repository_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    shutil.copy2(tiny.checkpoint, tmp_path / "alone.th")
    for place in (tmp_path / "alone.th", tmp_path):
        assert "config_swinB_*.json" in refused(place).message


@pytest.mark.parametrize(
    "lost",
    [
        "patch_embed.norm.weight",
        "1.blocks.1.attn.qkv.bias",
        "blocks.0.mlp.fc2.bias",
        "encoder.norm.bias",
        "vision_proj.bias",
    ],
)
def test_a_checkpoint_that_lacks_some_of_its_weights_is_refused(tiny: Tiny, copied: Path, lost: str) -> None:
    # transformers fills the gap with random numbers: every run would give other vectors under one name.
    path = copied / "output" / "model_state.th"
    state = {name: tensor for name, tensor in tiny.state.items() if not name.endswith(lost)}
    assert len(state) < len(tiny.state)
    torch.save(state, path)
    refused(path)


def test_a_checkpoint_of_another_shape_is_refused(tiny: Tiny, copied: Path) -> None:
    deeper = {name.replace("blocks.1.", "blocks.2."): tensor for name, tensor in tiny.state.items()} | tiny.state
    wider = tiny.state | {"vision_proj.weight": torch.zeros(WIDTH, 32)}
    table = "vision_encoder.layers.0.blocks.0.attn.relative_position_bias_table"
    windows = tiny.state | {table: torch.zeros((2 * 7 - 1) ** 2, 1)}
    heads = tiny.state | {table: torch.zeros((2 * 4 - 1) ** 2, 2)}
    for number, state in enumerate((deeper, wider, windows, heads)):
        path = copied / f"{number}.pth"
        torch.save(state, path)
        refused(path)


def test_what_is_no_checkpoint_is_refused(copied: Path) -> None:
    (copied / "text.pth").write_text("no weights")
    (copied / "empty.pth").write_bytes(b"")
    torch.save([torch.zeros(3)], copied / "list.pth")
    torch.save({"layer": torch.zeros(3)}, copied / "foreign.pth")
    for name in ("text.pth", "empty.pth", "list.pth", "foreign.pth", "missing.pth"):
        assert "does not hold" in refused(copied / name).message
