"""Whether a dashboard's body is what CloudWatch would show.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

MAX_WIDGETS: Final = 500
WIDGETS: Final = frozenset({"alarm", "custom", "explorer", "log", "metric", "text"})
NEEDED: Final = {"text": ("markdown",), "alarm": ("alarms",), "log": ("query",), "custom": ("endpoint",)}
BODY_MEMBERS: Final = frozenset({"end", "periodOverride", "start", "variables", "widgets"})
WIDGET_MEMBERS: Final = frozenset({"height", "properties", "type", "width", "x", "y"})

Message = dict[str, str]


def check_body(text: str) -> tuple[list[Message], list[Message]]:
    """Errors, for which the body is refused, and warnings."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [_message("", "The field DashboardBody must be a valid JSON object")], []
    if not isinstance(body, dict):
        return [_message("", "The field DashboardBody must be a valid JSON object")], []
    widgets = body.get("widgets")
    if not isinstance(widgets, list):
        return [_message("/", "Should have required property 'widgets'")], []
    if len(widgets) > MAX_WIDGETS:
        return [_message("/widgets", f"Should NOT have more than {MAX_WIDGETS} items")], []
    errors = [message for place, widget in enumerate(widgets) for message in _widget(widget, f"/widgets/{place}")]
    warnings = [_message("/", f"Unknown property '{name}'") for name in sorted(set(body) - BODY_MEMBERS)]
    for place, widget in enumerate(widgets):
        if isinstance(widget, dict):
            unknown = sorted(set(widget) - WIDGET_MEMBERS)
            warnings += [_message(f"/widgets/{place}", f"Unknown property '{name}'") for name in unknown]
    return errors, warnings


def _message(path: str, text: str) -> Message:
    return {"DataPath": path, "Message": text}


def _widget(widget: Any, path: str) -> Iterator[Message]:
    if not isinstance(widget, dict):
        yield _message(path, "Should be object")
        return
    kind = widget.get("type")
    if kind is None:
        yield _message(path, "Should have required property 'type'")
        return
    if not isinstance(kind, str) or kind not in WIDGETS:
        yield _message(f"{path}/type", f"Should be one of: {', '.join(sorted(WIDGETS))}")
        return
    for name, most in (("x", 23), ("y", None), ("width", 24), ("height", 1_000)):
        yield from _measure(widget, name, most, path)
    if isinstance(widget.get("x"), int) and isinstance(widget.get("width"), int) and widget["x"] + widget["width"] > 24:
        yield _message(path, "The widget reaches beyond the 24 columns of the dashboard")
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        yield _message(path, "Should have required property 'properties'")
        return
    for name in NEEDED.get(kind, ()):
        if name not in properties:
            yield _message(f"{path}/properties", f"Should have required property '{name}'")
    if kind == "metric":
        yield from _metric_widget(properties, f"{path}/properties")


def _measure(widget: Mapping[str, Any], name: str, most: int | None, path: str) -> Iterator[Message]:
    value = widget.get(name)
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        yield _message(f"{path}/{name}", "Should be integer")
    elif value < (1 if name in ("width", "height") else 0) or (most is not None and value > most):
        yield _message(f"{path}/{name}", f"Should be within the dashboard; it is {value}")


def _metric_widget(properties: Mapping[str, Any], path: str) -> Iterator[Message]:
    metrics = properties.get("metrics")
    annotations = properties.get("annotations")
    has_alarms = isinstance(annotations, dict) and "alarms" in annotations
    if metrics is None and not has_alarms:
        yield _message(path, "Should have property 'metrics' or 'annotations'")
    elif metrics is not None and not isinstance(metrics, list):
        yield _message(f"{path}/metrics", "Should be array")
    listed: list[Any] = metrics if isinstance(metrics, list) else []
    for place, metric in enumerate(listed):
        if not isinstance(metric, list) or not metric:
            yield _message(f"{path}/metrics/{place}", "Should be array with at least one element")
        elif isinstance(metric[0], dict):
            if "expression" not in metric[0]:
                yield _message(f"{path}/metrics/{place}/0", "Should have required property 'expression'")
        elif any(not isinstance(part, str) for part in metric[:-1]) or not isinstance(metric[-1], str | dict):
            yield _message(f"{path}/metrics/{place}", "Should be strings, and at most one object at the end")
    period = properties.get("period")
    if period is not None and (not isinstance(period, int) or period < 1):
        yield _message(f"{path}/period", "Should be a whole number of seconds")
