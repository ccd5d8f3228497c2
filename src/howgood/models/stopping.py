"""Stop strings, applied to text that is already there."""

from __future__ import annotations

from msgspec.structs import replace

from howgood.core.types import Prediction


def until_stop(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """The text before the first stop string in it, and whether there was one. An empty stop string stops nothing."""
    met = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return (text[: min(met)], True) if met else (text, False)


def stopped(prediction: Prediction, stops: tuple[str, ...]) -> Prediction:
    """The prediction up to the first stop string in its text. A refusal stays one, in its own words."""
    if prediction.stop_reason == "refusal":
        return prediction
    text, met = until_stop(prediction.text or "", stops)
    reason = "stop" if met and not prediction.tool_calls else prediction.stop_reason
    return replace(prediction, text=text, stop_reason=reason) if text != prediction.text else prediction
