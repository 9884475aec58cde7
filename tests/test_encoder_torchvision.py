"""A torchvision that cannot be imported beside this torch is kept out of the way; one that can is left alone."""

from __future__ import annotations

from pathlib import Path

from checkpoints import run_python

BROKEN = 'raise RuntimeError("operator torchvision::nms does not exist")\n'
HIDE = """
from dedup.encoders.device import hide_unusable_torchvision
print(hide_unusable_torchvision(), hide_unusable_torchvision())
"""
MODELS = "from transformers import CLIPModel, DINOv3ViTModel\nprint(CLIPModel.__name__)\n"
USABLE = """
try:
    import torchvision
    print("usable", torchvision.__version__)
except Exception as problem:
    print("unusable", type(problem).__name__)
"""


def fake_torchvision(folder: Path, body: str) -> Path:
    """A package that pip would call torchvision 0.28.0."""
    (folder / "torchvision").mkdir(parents=True)
    (folder / "torchvision" / "__init__.py").write_text(body)
    (folder / "torchvision-0.28.0.dist-info").mkdir()
    (folder / "torchvision-0.28.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.28.0\n"
    )
    return folder


def test_a_torchvision_that_does_not_fit_its_torch_is_hidden_from_transformers(tmp_path: Path) -> None:
    done = run_python(HIDE + MODELS, fake_torchvision(tmp_path, BROKEN))
    assert done.stdout.split() == ["True", "True", "CLIPModel"], done.stderr


def test_a_torchvision_that_works_is_left_alone(tmp_path: Path) -> None:
    script = HIDE + "import torchvision\nprint(torchvision.__version__)\n"
    done = run_python(script, fake_torchvision(tmp_path, '__version__ = "0.28.0"\n'))
    assert done.stdout.split() == ["False", "False", "0.28.0"], done.stderr


def test_no_half_imported_torchvision_stays_behind(tmp_path: Path) -> None:
    body = "from torchvision import extension\n" + BROKEN
    place = fake_torchvision(tmp_path, body)
    (place / "torchvision" / "extension.py").write_text("")
    script = "from dedup.encoders.device import hide_unusable_torchvision\nimport sys\nhide_unusable_torchvision()\n"
    script += "print([name for name in sys.modules if name.startswith('torchvision')])\n"
    script += "print(sys.modules['torchvision'])\n"
    done = run_python(script, place)
    assert done.stdout.splitlines() == ["['torchvision']", "None"], done.stderr


def test_the_torchvision_of_this_machine_is_hidden_exactly_where_it_is_unusable() -> None:
    alone = run_python(USABLE)
    state, what = alone.stdout.split()
    done = run_python(HIDE + MODELS + USABLE)
    assert done.returncode == 0, done.stderr
    *hidden, model, after, then = done.stdout.split()
    assert model == "CLIPModel"
    assert hidden == ["True" if state == "unusable" else "False"] * 2
    if state == "usable":
        assert (after, then) == (state, what)
    else:
        assert (after, then) == ("unusable", "ModuleNotFoundError")
