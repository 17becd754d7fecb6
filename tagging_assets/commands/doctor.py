"""``tagging doctor``: what is wrong, and how to mend it, before anything is run."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resources.data_folder import open_data_folder
from resources.faults import understood
from tagging_assets.commands.console import print_line, styled
from tagging_assets.domain.asking_way import choose_way
from tagging_assets.domain.chat_settings import EMBEDDED, ChatModelEntry
from tagging_assets.domain.errors import (
    DiskFull,
    ModelError,
    ModelFailed,
    RunFailed,
    SettingsError,
    TaggingError,
    WeightsMissing,
)
from tagging_assets.settings import Settings, load_settings

#: Less free space than this ends in a full disk within one library.
_MIN_FREE_GB = 2.0

Finding = dict[str, Any]


def examine(settings_path: Path | None) -> list[Finding]:
    """Findings in order; each has ``check``, ``ok`` and ``says``."""
    try:
        settings = load_settings(settings_path)
    except SettingsError as error:
        return [_finding("settings", False, str(error))]
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("settings", lambda one: f"profile {one.profile}, privacy {one.privacy}, data in {one.data_dir}"),
        ("disk", _disk),
        ("sources", _sources),
        ("label sets", _label_sets),
        ("prompt", _prompt),
        ("chat model", _chat_model),
        ("people", _people),
        ("system libraries", _system_libraries),
        ("ONNX Runtime", _onnxruntime),
        ("weights", _weights),
        ("database", _database),
        ("runs", _runs),
    ]
    return [_checked(name, check, settings) for name, check in checks]


def _checked(name: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return _finding(name, True, check(settings))
    except Exception as error:  # noqa: BLE001 - told in the finding
        # A check that falls over is a finding, too; the others are still wanted.
        return _finding(name, False, str(understood(error, None)))


def _finding(check: str, ok: bool, says: str) -> Finding:
    return {"check": check, "ok": ok, "says": says}


def _disk(settings: Settings) -> str:
    open_data_folder(settings.data_dir)
    free = shutil.disk_usage(settings.data_dir).free / 1e9
    if free < _MIN_FREE_GB:
        raise DiskFull(f"{free:.1f} GB are free in {settings.data_dir}; make room or move data_dir")
    return f"{free:.0f} GB free"


def _sources(settings: Settings) -> str:
    missing = [str(source.path) for source in settings.sources if not source.path.is_dir()]
    if missing:
        return f"not there yet, made by `tagging up`: {', '.join(missing)}"
    return ", ".join(str(source.path) for source in settings.sources) or "none; name folders under `sources`"


def _label_sets(settings: Settings) -> str:
    from resources.label_store import choose_label_sets

    sets = choose_label_sets(settings.prompts_dir / "labels", settings.label_sets)
    return ", ".join(f"{one.name} ({len(one.labels)})" for one in sets)


def _prompt(settings: Settings) -> str:
    from resources.prompt_store import PromptStore
    from resources.vocabulary import load_vocabulary

    llm = settings.llm
    way = choose_way(llm, PromptStore(settings.prompts_dir / "llm").get)
    entry = llm.find(llm.model)
    if llm.enabled:
        way.check_eyes(llm.model, sees=_sees(entry))
    prompts = ", ".join(f"{prompt.id} {prompt.hash[:12]}" for prompt in way.prompts)
    if llm.vocabulary is None:
        return f"{llm.strategy}: {prompts}"
    return f"{llm.strategy}: {prompts}; {len(load_vocabulary(llm.vocabulary))} tags may be answered"


def _sees(entry: ChatModelEntry) -> bool:
    from resources.chat_models import chat_entry
    from resources.weights import WeightsStore

    if entry.provider != EMBEDDED:
        return entry.vision is not False
    return bool(chat_entry(WeightsStore().catalogue, entry.model).capabilities.get("vision", False))


def _chat_model(settings: Settings) -> str:
    from resources.chat_models import chat_entry
    from resources.llm_transport import remote_endpoint
    from resources.weights import WeightsStore

    llm = settings.llm
    if not llm.enabled:
        return "off"
    entry = llm.find(llm.model)
    if entry.provider != EMBEDDED:
        provider = llm.providers[entry.provider]
        remote_endpoint(provider.base_url, provider.api_key_env, settings.privacy)()
        return f"{entry.model} at {entry.provider} ({provider.base_url}), {_price(settings, entry)}"
    chat_entry(WeightsStore().catalogue, entry.model)
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelError(
            "xllamacpp is not here: install the local-llm extra, or set llm.model to a provider's, "
            "or llm.enabled: false"
        )
    return f"{entry.model}, embedded"


def _price(settings: Settings, entry: ChatModelEntry) -> str:
    from resources.chat_prices import ChatPrices

    prices = ChatPrices(settings.llm)
    if prices.is_free(entry):
        return "free of charge"
    price = prices.find(entry.provider, entry.model)
    if price is None and settings.llm.budget_usd is not None:
        raise SettingsError(
            f"llm.budget_usd is set, and nobody knows what {entry.provider}/{entry.model} costs; say prices under "
            "llm.models, name an llm.price_table, or set budget_usd: null"
        )
    if price is None:
        return "at a price that nobody knows"
    million = (price.prices.input_cost_per_token * 1e6, price.prices.output_cost_per_token * 1e6)
    return f"${million[0]:g} and ${million[1]:g} per million tokens in and out ({price.source})"


def _people(settings: Settings) -> str:
    if not settings.people.enabled:
        return "off: nothing about a person's body is kept or tagged"
    if not settings.people_rules.anywhere:
        return "on, and still nothing is tagged: no model here can tell age, so people.adults_only_source is needed"
    return "on, for sources that you affirm show adults only"


def _system_libraries(_settings: Settings) -> str:
    from resources.landmarker import check_importable

    check_importable()
    return "MediaPipe loads"


def _onnxruntime(settings: Settings) -> str:
    """A model of one node is really run: that a provider is in the build says nothing of drivers and libraries."""
    import onnx
    from onnx import TensorProto, helper

    from resources.onnx_providers import OnnxOptions
    from resources.onnx_runtime import load_onnxruntime
    from resources.onnx_session import OnnxSession

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "one_node", ends[:1], ends[1:])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one_node.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        inference = settings.inference
        session = OnnxSession(path, OnnxOptions(provider=inference.provider, threads=1, device=inference.device))
        session.run({"x": np.ones((1, 2), dtype=np.float32)})
    if session.fell_back:
        raise ModelFailed(
            f"models run on {session.provider}: install the extra `cuda` and NVIDIA's driver, "
            "or set inference.provider: cpu"
        )
    return f"{load_onnxruntime().__version__}: models run on {session.provider}"


def _weights(settings: Settings) -> str:
    from resources.choices import entries_in_use
    from resources.weights import WeightsStore

    store = WeightsStore()
    names = sorted({entry.name for entry in entries_in_use(store.catalogue, settings).values()})
    damaged = [name for name in names if any(file.state == "damaged" for file in store.status(name))]
    if damaged:
        raise WeightsMissing(f"damaged: {', '.join(damaged)}; run `tagging models pull`")
    missing = [name for name in names if any(file.state == "missing" for file in store.status(name))]
    if missing and os.environ.get("TAGGING_OFFLINE"):
        raise WeightsMissing(
            f"not here, and TAGGING_OFFLINE is set: {', '.join(missing)}; run `tagging models pull` with a network"
        )
    return f"fetched at first use: {', '.join(missing)}" if missing else f"{len(names)} models ready"


def _database(settings: Settings) -> str:
    from tagging_assets.commands.session import open_database

    database = open_database(settings)
    try:
        return f"{'embedded' if database.embedded else 'TAGGING_DATABASE_URL'}, {database.version()}"
    finally:
        database.close()


def _runs(settings: Settings) -> str:
    from resources.at_work import look
    from tagging_assets.commands.session import open_database

    try:
        database = open_database(settings)
    except TaggingError:
        return "not known without the database"
    try:
        seen = look(database.engine)
    finally:
        database.close()
    if seen.left_behind:
        names = ", ".join(sorted(run_id[:8] for run_id in seen.left_behind))
        raise RunFailed(
            f"died with their process: {names}; `tagging run`, `tagging retag` or `tagging up` frees what they hold "
            "and goes on where they stopped"
        )
    return f"at work: {'; '.join(seen.commands)}" if seen.commands else "nobody else is at work, and nothing is held"


def show(findings: Sequence[Finding]) -> None:
    """Tell a person."""
    for one in findings:
        mark = styled("ok ", "green") if one["ok"] else styled("bad", "red")
        print_line(mark, f" {one['check']:<17} {one['says']}")
