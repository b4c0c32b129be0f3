"""One execution environment: load the handler, then run it for one event at a time until the Region hangs up."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from outlast.cloud.runtime import canary, cell, fence, logs, marshal, resolver, sandbox
from outlast.cloud.runtime.context import LambdaContext
from outlast.cloud.runtime.frames import INVOKE, STARTED, Frame, Invocation, Reply, Unpacker, pack
from outlast.cloud.runtime.marshal import RuntimeFault
from outlast.cloud.runtime.sandbox import Spec

Handler = Callable[[Any, LambdaContext], Any]
READ_BYTES: Final = 1 << 18
EXIT_STATUS_LOST: Final = 1


def run(spec: Spec, channel_fd: int, log_fd: int) -> None:
    """Be the worker; called in a freshly forked child, never returns."""
    status = EXIT_STATUS_LOST
    try:
        with contextlib.suppress(OSError):
            os.setsid()
        sandbox.die_with_parent(signal.SIGKILL)
        sandbox.keep_only(channel_fd, log_fd)
        sandbox.reset_signals()
        channel = socket.socket(fileno=channel_fd)
        channel.setblocking(True)
        began = time.perf_counter()
        if spec.shown:
            cell.take_place(spec.shown, spec.storage_mb)
        sandbox.become(spec)
        if spec.names is not None:
            resolver.install(resolver.Names(*spec.names))
        fence.enclose(spec.task_folder, spec.layers)
        if not spec.shown:
            cell.shut_off(spec.task_folder, (spec.scratch_folder, spec.cache_folder), spec.authority)
        if spec.kind == "canary":
            canary.install(spec.task_folder)
        logs.set_up()
        sandbox.limit(spec)
        _serve(spec, channel, began)
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else EXIT_STATUS_LOST
    except BaseException as error:
        with contextlib.suppress(OSError):
            logs.write_event(marshal.error_log(marshal.fault_of(error, spec.task_folder, 0)))
    finally:
        _flush()
        os._exit(status & 0xFF)


def _flush() -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def _serve(spec: Spec, channel: socket.socket, began: float) -> None:
    unpacker = Unpacker()
    try:
        handler = load(spec.handler, spec.task_folder)
    except RuntimeFault as fault:
        logs.write_event(marshal.error_log(fault))
        _flush()
        channel.sendall(pack(STARTED, {"ms": _ms_since(began), "ok": False}, marshal.error_body(fault, "")))
        return
    _flush()
    channel.sendall(pack(STARTED, {"ms": _ms_since(began), "ok": True, "mb": sandbox.peak_memory_mb()}))
    while data := channel.recv(READ_BYTES):
        for frame in unpacker.feed(data):
            if frame.kind == INVOKE:
                channel.sendall(invoke(handler, frame, spec))


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)


def load(name: str, task_folder: str) -> Handler:
    """Import a handler named `module.function`; raises RuntimeFault as the runtime reports it."""
    module_name, dot, function = name.rpartition(".")
    if not dot or not module_name:
        raise RuntimeFault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise RuntimeFault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        place = f'  File "{(error.filename or "").replace(task_folder, marshal.TASK_ROOT)}" Line {error.lineno}\n'
        trace = [place + f"    {error.text or ''}"]
        raise RuntimeFault(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error.msg}", trace
        ) from error
    except Exception as error:
        raise marshal.fault_of(error, task_folder, 1) from error
    handler = getattr(module, function, None)
    if handler is None:
        raise RuntimeFault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'")
    found: Handler = handler
    return found


def invoke(handler: Handler, frame: Frame, spec: Spec) -> bytes:
    """Run the handler on one event; the reply frame's bytes. Only what ends the process passes through."""
    invocation = Invocation.read(frame.head)
    logs.request_id = invocation.request_id
    if invocation.trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
    began = time.perf_counter()
    failed = False
    try:
        body = marshal.reply_of(handler(marshal.event_of(frame.body), LambdaContext(spec.variables, invocation)))
    except Exception as error:
        failed = True
        fault = marshal.fault_of(error, spec.task_folder)
        logs.write_event(marshal.error_log(fault))
        body = marshal.error_body(fault, invocation.request_id)
    ms = _ms_since(began)
    _flush()
    return Reply(failed, ms, sandbox.peak_memory_mb()).pack(body)
