"""Code that takes as much as it can of one thing, for as long as it is let: some seconds, and bounded in any case."""

from typing import Final

#: By what is taken. Each ends by itself.
HOGS: Final = {
    "memory of many processes": """
import os, time
for _ in range(8):
    if os.fork() == 0:
        held = []
        for _ in range(15):
            held.append(bytearray(os.urandom(1)) * 10_000_000)
            time.sleep(0.1)
        time.sleep(3)
        os._exit(0)
time.sleep(5)
""",
    "memory in files": """
import os, time
for folder in ("/tmp", "/dev/shm", "/home/sandbox"):
    try:
        for part in range(8):
            with open(f"{folder}/{part}", "wb") as file:
                for _ in range(31):
                    file.write(bytes(2**20))
    except OSError:
        pass
time.sleep(1)
""",
    "processes": """
import os, time
try:
    for _ in range(400):
        if os.fork() == 0:
            time.sleep(4)
            os._exit(0)
except OSError:
    pass
time.sleep(3)
""",
    "processes that end and begin": """
import os, time
until = time.monotonic() + 4
while time.monotonic() < until:
    try:
        if os.fork() == 0:
            os._exit(0)
        os.waitpid(-1, os.WNOHANG)
    except OSError:
        pass
""",
    "disk": """
import time
for number in range(40):
    with open(f"part-{number}", "wb") as file:
        for _ in range(31):
            file.write(bytes(2**20))
time.sleep(5)
""",
    "disk of removed files": """
import os, time
held = []
for number in range(40):
    held.append(open(f"part-{number}", "wb"))
    os.unlink(f"part-{number}")
    for _ in range(31):
        held[-1].write(bytes(2**20))
time.sleep(5)
""",
    "files": """
import os, time
for number in range(50_000):
    os.close(os.open(f"{number}", os.O_CREAT))
time.sleep(5)
""",
    "processor": """
import os, time
until = time.monotonic() + 4
for _ in range(7):
    if os.fork() == 0:
        break
while time.monotonic() < until:
    pass
""",
    "processor, by threads of a library": """
import time, numpy
until = time.monotonic() + 4
one = numpy.ones((800, 800))
while time.monotonic() < until:
    one @ one
""",
    "outputs": """
import time
until = time.monotonic() + 4
while time.monotonic() < until:
    print("x" * 1000)
""",
}

#: What they are let take: room enough above it for a bound of 1.2 times to be more than what one look misses.
LIMITS: Final = {
    "memory_bytes": 512 * 2**20,
    "processes": 64,
    "file_bytes": 32 * 2**20,
    "disk_bytes": 768 * 2**20,
    "files": 20_000,
}
