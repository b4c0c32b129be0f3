"""`aws_synthetics` for canaries: the modules the Python canary blueprints import, without a browser.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Synthetics_Canaries_Library_Python.html
`aws_synthetics.common` has `synthetics_logger` and `synthetics_configuration`; `aws_synthetics.selenium` has
`synthetics_webdriver` with its steps and user agent. There is no browser: `Chrome` and `import selenium` are refused.
"""

from __future__ import annotations

import importlib.machinery
import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Final

NO_BROWSER: Final = "Outlast runs canaries without a browser: selenium and Chrome are not available"

logger = logging.getLogger("aws_synthetics")


class Configuration:
    """`synthetics_configuration`: keeps what it is told; without a browser there are no screenshots or HAR files."""

    def __init__(self) -> None:
        self._config: dict[str, Any] = {}

    def set_config(self, options: dict[str, Any]) -> None:
        """Merge options into the configuration."""
        self._config.update(options)

    def get_config(self) -> dict[str, Any]:
        """The options told so far."""
        return dict(self._config)

    def get_canary_user_agent_string(self) -> str:
        """What a canary adds to its User-Agent."""
        return user_agent()


def user_agent() -> str:
    """The canary's mark in a User-Agent header."""
    arn = os.environ.get("AWS_SYNTHETICS_CANARY_ARN", "")
    return f"CloudWatchSynthetics/{arn}"


def _run_step(step_name: str, function: Callable[[], Any], step_config: dict[str, Any] | None) -> Any:
    logger.info("Step '%s' begins", step_name)
    try:
        result = function()
    except Exception as error:
        logger.error("Step '%s' failed: %s", step_name, error)
        if (step_config or {}).get("continueOnStepFailure"):
            return None
        raise
    logger.info("Step '%s' passed", step_name)
    return result


def execute_step(step_name: str, function: Callable[[], Any], step_config: dict[str, Any] | None = None) -> Any:
    """Run one named step of a canary; its failure fails the run unless `continueOnStepFailure` is set.

    A coroutine function gives a coroutine, as `await webdriver.execute_step(...)` expects.
    """
    if inspect.iscoroutinefunction(function):

        async def later() -> Any:
            logger.info("Step '%s' begins", step_name)
            result = await function()
            logger.info("Step '%s' passed", step_name)
            return result

        return later()
    return _run_step(step_name, function, step_config)


def _refuse_browser(*_args: object, **_options: object) -> None:
    raise RuntimeError(NO_BROWSER)


class _NoSelenium:
    """Refuses `import selenium` by name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "selenium" or fullname.startswith("selenium."):
            raise ModuleNotFoundError(NO_BROWSER, name=fullname)
        return None


def _logger_module() -> ModuleType:
    module = ModuleType("aws_synthetics.common.synthetics_logger")
    for name in ("debug", "info", "warning", "warn", "error", "critical", "exception", "log"):
        setattr(module, name, getattr(logger, "warning" if name == "warn" else name))
    module.set_level = logger.setLevel  # type: ignore[attr-defined]
    return module


def install(task_folder: str) -> None:
    """Make the modules importable and the blueprint's `python` folder the first place to look for code."""
    logger.setLevel(logging.INFO)
    configuration = Configuration()
    root, common, selenium = (
        ModuleType(name) for name in ("aws_synthetics", "aws_synthetics.common", "aws_synthetics.selenium")
    )
    webdriver = ModuleType("aws_synthetics.selenium.synthetics_webdriver")
    webdriver.__dict__.update(
        execute_step=execute_step, get_canary_user_agent_string=user_agent, Chrome=_refuse_browser
    )
    common.__dict__.update(synthetics_logger=_logger_module(), synthetics_configuration=configuration)
    selenium.__dict__.update(synthetics_webdriver=webdriver)
    root.__dict__.update(common=common, selenium=selenium)
    for module in (root, common, selenium):
        module.__path__ = []
    for module in (root, common, selenium, webdriver, common.synthetics_logger):
        sys.modules[module.__name__] = module
    sys.meta_path.insert(0, _NoSelenium())
    sys.path.insert(0, os.path.join(task_folder, "python"))
