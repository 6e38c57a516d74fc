"""What goes wrong in the sandbox host. Each error knows the code and the status that a client gets for it.

SandboxError
├─ CannotLaunch     no code can be run on this machine as it is set up; the message says what to do
├─ KernelFailed     a kernel did not come up
├─ SessionLost      the session is not, or no longer, there
├─ SessionsBusy     as many sessions as there may be, and all of them at work
├─ FileMissing      no such file
├─ BadPath          a path that names no file below /mnt/data
├─ Unauthorized     not the token
├─ BodyTooLarge     a request that is too long to be one
└─ NoSpace          a file that does not fit
"""

from typing import ClassVar


class SandboxError(Exception):
    """An error with an answer; the message is a sentence for whoever called."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "sandbox_error"


class CannotLaunch(SandboxError):
    status = 503
    code = "cannot_launch"


class KernelFailed(SandboxError):
    status = 503
    code = "kernel_failed"


class SessionLost(SandboxError):
    status = 404
    code = "session_lost"


class SessionsBusy(SandboxError):
    status = 503
    code = "sessions_busy"


class FileMissing(SandboxError):
    status = 404
    code = "file_missing"


class BadPath(SandboxError):
    status = 400
    code = "bad_path"


class NoSpace(SandboxError):
    status = 413
    code = "no_space"


class Unauthorized(SandboxError):
    status = 401
    code = "unauthorized"


class BodyTooLarge(SandboxError):
    status = 413
    code = "too_large"
