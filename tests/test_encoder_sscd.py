"""SSCD's file: given, downloaded once and kept, or refused with nothing half-written left behind."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import loaded, tiny
from conftest import picture

from dedup.encoders import Encoder, LoadOptions, spec, sscd
from dedup.encoders.preprocess import Squash
from dedup.errors import WeightsUnavailable

ROW = spec("sscd")
Answer = Callable[[BaseHTTPRequestHandler], None]


def prepared(encoder: Encoder, *seeds: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([encoder.prepare(picture(seed)) for seed in seeds]))


def refused(options: LoadOptions) -> WeightsUnavailable:
    """The refusal, in one sentence with a remedy."""
    with pytest.raises(WeightsUnavailable) as problem:
        ROW.load(options)
    assert re.fullmatch(r"[^\n]+\.", problem.value.message)
    assert ". " not in problem.value.message
    assert problem.value.remedy
    return problem.value


# -- a file -----------------------------------------------------------------------------


def test_the_embedding_is_what_the_file_computes() -> None:
    encoder = loaded("sscd")
    assert encoder.prepare == Squash(288, "bilinear")
    batch = prepared(encoder, 0, 1, 2)
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.inference_mode():
        rows = torch.jit.load(tiny("sscd"))((batch / 255 - mean) / std)
    np.testing.assert_allclose(encoder.encode(batch), torch.nn.functional.normalize(rows).numpy(), atol=1e-4)


def test_what_is_no_torchscript_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no weights")
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "cut.pt").write_bytes(tiny("sscd").read_bytes()[:-1000])
    torch.save({"layer": torch.zeros(3)}, tmp_path / "weights.pt")
    (tmp_path / "folder").mkdir()
    for name in ("text.pt", "empty.pt", "cut.pt", "weights.pt", "folder", "missing.pt"):
        problem = refused(LoadOptions(weights=tmp_path / name))
        assert f"{tmp_path / name} is not SSCD's TorchScript file" in problem.message
        assert sscd.ADDRESS in problem.remedy


class Tuple(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return pixels, pixels


class OneNumber(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean()


class Grey(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 4, 3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.layer(pixels)


@pytest.mark.parametrize("network", [Tuple, OneNumber, Grey])
def test_another_program_in_torchscript_is_refused(network: type[torch.nn.Module], tmp_path: Path) -> None:
    torch.jit.script(network().eval()).save(str(tmp_path / "other.pt"))
    assert "is not SSCD's TorchScript file" in refused(LoadOptions(weights=tmp_path / "other.pt")).message


# -- the download -----------------------------------------------------------------------


@contextmanager
def served(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """(an address, the paths that were asked for) of a server on this machine."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{sscd.FILE}", asked
        server.shutdown()


def whole(handler: BaseHTTPRequestHandler) -> None:
    content = tiny("sscd").read_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def missing(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    content = tiny("sscd").read_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def another_page(handler: BaseHTTPRequestHandler) -> None:
    # As the network of a hotel answers before one has signed in.
    content = b"<html>Please sign in</html>"
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture
def kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file is kept once it was downloaded; no proxy is in the way."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return home / "weights" / sscd.FILE


def test_the_file_is_downloaded_once_and_then_used_without_the_server(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not ROW.available()
    assert ROW.checkpoint(LoadOptions()) == ""
    with served(whole) as (address, asked):
        monkeypatch.setenv(sscd.ADDRESS_VARIABLE, address)
        first = ROW.load(LoadOptions(device="cpu"))
        again = ROW.load(LoadOptions(device="cpu"))
        assert asked == [f"/{sscd.FILE}"]
    gone = ROW.load(LoadOptions(device="cpu"))
    assert kept.read_bytes() == tiny("sscd").read_bytes()
    assert {path.suffix for path in kept.parent.iterdir()} == {".pt", ".size"}
    assert ROW.available()
    assert ROW.checkpoint(LoadOptions()) == loaded("sscd").provenances[0].checkpoint
    assert first.provenances == again.provenances == gone.provenances == loaded("sscd").provenances
    batch = prepared(first, 1)
    np.testing.assert_allclose(gone.encode(batch), loaded("sscd").encode(batch), atol=1e-5)


def nothing_came(kept: Path, address: str) -> None:
    """Loading is refused in one sentence, and no file stays behind that would pass for the weights."""
    problem = refused(LoadOptions(device="cpu"))
    assert address in problem.message
    assert "efficientnet-lite0" in problem.remedy
    assert not list(kept.parent.glob("*"))
    assert not ROW.available()


def test_a_file_cut_off_by_a_full_disk_is_not_taken_for_the_weights(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(whole) as (address, _):
        monkeypatch.setenv(sscd.ADDRESS_VARIABLE, address)
        ROW.load(LoadOptions(device="cpu"))
        kept.write_bytes(kept.read_bytes()[:1000])
        assert not ROW.available()
        ROW.load(LoadOptions(device="cpu"))
    assert kept.read_bytes() == tiny("sscd").read_bytes()


@pytest.mark.parametrize("answer", [missing, hangs_up, cut_short, another_page], ids=lambda one: one.__name__)
def test_a_download_that_fails_leaves_nothing_behind(
    kept: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(answer) as (address, asked):
        monkeypatch.setenv(sscd.ADDRESS_VARIABLE, address)
        nothing_came(kept, address)
        assert asked


def test_no_server_at_all_is_refused_at_once(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/{sscd.FILE}"
    monkeypatch.setenv(sscd.ADDRESS_VARIABLE, address)
    started = time.monotonic()
    nothing_came(kept, address)
    assert time.monotonic() - started < 10


def test_a_server_that_accepts_and_says_nothing_is_given_up(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/{sscd.FILE}"
        monkeypatch.setenv(sscd.ADDRESS_VARIABLE, address)
        answers: list[BaseException | None] = []

        def load() -> None:
            try:
                nothing_came(kept, address)
                answers.append(None)
            except BaseException as problem:  # raised again by the test
                answers.append(problem)

        loading = threading.Thread(target=load, daemon=True)
        loading.start()
        loading.join(10)
        stuck = loading.is_alive()
    assert not stuck, "still waiting after 10 seconds"
    assert answers == [None]
