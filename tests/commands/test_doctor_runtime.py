"""What `tagging doctor` says of what models run on: a model is really run there."""

import pytest

from resources.onnx_providers import has_gpu
from tagging_assets.commands.doctor import _onnxruntime
from tagging_assets.domain.errors import ModelFailed
from tagging_assets.settings import Settings


@pytest.mark.parametrize("provider", ["cpu", pytest.param("auto", marks=pytest.mark.skipif(has_gpu(), reason="GPU"))])
def test_the_cpu_is_always_there(provider: str) -> None:
    said = _onnxruntime(Settings.model_validate({"inference": {"provider": provider}}))
    assert said.endswith(": models run on CPUExecutionProvider")


@pytest.mark.skipif(has_gpu(), reason="there is a GPU to run on")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_gpu_that_is_not_there_is_bad_though_the_build_knows_the_provider(provider: str) -> None:
    with pytest.raises(ModelFailed, match=r"run on CPUExecutionProvider \(wanted .*install the extra `cuda`") as caught:
        _onnxruntime(Settings.model_validate({"inference": {"provider": provider}}))
    assert "\n" not in str(caught.value)
