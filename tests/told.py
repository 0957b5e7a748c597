"""What a process still says after its first lines were read.

`Popen.communicate` reads from the pipe itself: lines that came together with the first one are in the buffer
of ``process.stdout`` by then, and it loses them.
"""

from __future__ import annotations

import subprocess
import threading


def rest_of(process: subprocess.Popen[str], seconds: float) -> str:
    """Standard output from where it was read to, once the process has ended; it is killed after ``seconds``.

    Its standard error must go to a file: a pipe that nobody reads would fill and hold the process.
    """
    assert process.stdout is not None and process.stderr is None
    late = threading.Timer(seconds, process.kill)
    late.start()
    try:
        with process.stdout as stdout:
            text = stdout.read()
        process.wait()
    finally:
        late.cancel()
    return text
