"""Shell completion as a shell does it: what `--show-completion` prints is sourced, and asked for candidates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = {
    "outlast eva": "evacuate",
    "outlast fault b": "begin",
    "outlast evacuate us-east-1 --o": "--offline",
    "outlast evacuate us-east-1 --switch st": "standby-takes-over",
}
BASH = """
source <(outlast --show-completion bash)
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    $(complete -p outlast | sed 's/.*-F \\([^ ]*\\).*/\\1/') outlast "${@: -1}" ""
    printf '%s\\n' "${COMPREPLY[@]}"
}
ask @ASKED@
"""
ZSH = """
typeset -A completes
compdef() { completes[$2]=$1 }
eval "$(outlast --show-completion zsh)"
_arguments() { print -r -- "$argv" | tr '"' '\\n' }
words=(@ASKED@); CURRENT=${#words}; ${completes[outlast]}
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", ASKED)
@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH)])
def test_a_shell_completes_verbs_options_and_values(shell: str, script: str, words: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        "PATH": path,
        "HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",  # the shell is named, not looked for among the parents
    }
    command = [shell, *(["--norc"] if shell == "bash" else ["-f"]), "-c", script.replace("@ASKED@", words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ASKED[words] in done.stdout.split(), done.stdout + done.stderr
