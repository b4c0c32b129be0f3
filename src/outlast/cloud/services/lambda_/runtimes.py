"""Which runtimes and layers this cloud can run.

Every accepted runtime is run by the machine's own Python (see README.md). The only layers are those that AWS itself
publishes and this installation holds: Powertools (https://docs.powertools.aws.dev/lambda/python/latest/#lambda-layer)
and the Synthetics library.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Final

from outlast.cloud.services.lambda_.errors import InvalidParameterValueException

RUNTIMES: Final = ("python3.11", "python3.12", "python3.13", "python3.14")
MACHINE: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
MAX_LAYERS: Final = 5
POWERTOOLS_ACCOUNT: Final = "017000801446"
SYNTHETICS_ACCOUNT: Final = "378653112637"
_LAYER: Final = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9-_]+):(?P<version>\d+)"
)
_POWERTOOLS: Final = re.compile(r"AWSLambdaPowertoolsPythonV3-python3\d+-(x86_64|arm64)")
_SYNTHETICS: Final = re.compile(r"Synthetics_Selenium")


def check_runtime(runtime: str | None) -> str:
    """The runtime; raises InvalidParameterValueException for one that cannot be run here."""
    if runtime not in RUNTIMES:
        raise InvalidParameterValueException(
            f"The runtime {runtime} is not supported by this cloud; it runs {', '.join(RUNTIMES)}."
        )
    return runtime


def layer_name(arn: str, region: str) -> str:
    """What a layer brings, by the name the workers know; raises InvalidParameterValueException."""
    match = _LAYER.fullmatch(arn)
    if match is None:
        raise InvalidParameterValueException(f"{arn} is not the ARN of a layer version.")
    if match["region"] != region:
        raise InvalidParameterValueException(f"Layers are not in the same region as the function. Layers: {arn}")
    if match["account"] == POWERTOOLS_ACCOUNT and _POWERTOOLS.fullmatch(match["name"]):
        return "powertools"
    if match["account"] == SYNTHETICS_ACCOUNT and _SYNTHETICS.fullmatch(match["name"]):
        return "synthetics"
    raise InvalidParameterValueException(
        f"Layer version {arn} is not available in this cloud: it has the Powertools for AWS Lambda (Python) V3 layers "
        f"of account {POWERTOOLS_ACCOUNT} only."
    )


def check_layers(arns: Sequence[str], region: str) -> tuple[str, ...]:
    """The layers' ARNs; raises InvalidParameterValueException when one cannot be had."""
    if len(arns) > MAX_LAYERS:
        raise InvalidParameterValueException(f"Cannot reference more than {MAX_LAYERS} layers.")
    for arn in arns:
        layer_name(arn, region)
    return tuple(arns)


def synthetics_layer(region: str) -> str:
    """The ARN of the Synthetics library's layer in a Region."""
    return f"arn:aws:lambda:{region}:{SYNTHETICS_ACCOUNT}:layer:Synthetics_Selenium:1"
