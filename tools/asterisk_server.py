"""A real Asterisk for tests and benchmarks: unpacked into a folder once, started as often as needed, loopback only.

Nothing is installed: Debian's newest Asterisk and all it needs, down to the C library, is unpacked under
`PREPARED` and started through its own loader, so it runs beside whatever the machine has. Every instance has its
own configuration, ports and folders; the unpacked files are shared. Which mirror they come from is what `apt` is
set up with at that moment.

    python -m tools.asterisk_server prepare      unpack, if it has not been done
    python -m tools.asterisk_server run FOLDER   start one instance there, say its ports, end it at Ctrl-C
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import weakref
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.audio import music, ulaw

SUITE: Final = "sid"
PACKAGES: Final = ("asterisk", "asterisk-core-sounds-en-gsm")
LAYOUT: Final = 1
"""Changes when what is unpacked changes, so that an older folder is left alone."""
PREPARED: Final = Path(
    os.environ.get("CENTRALITA_ASTERISK", f"/var/tmp/centralita-asterisk-{SUITE}-{LAYOUT}")
)

USER: Final = "centralita"
PASSWORD: Final = "for-tests-only"
PORTS: Final = range(21_000, 21_500)
CLAIMS: Final = "127.0.0.2"
RTP_PORTS: Final = range(21_500, 23_000)
"""Shared by all instances: Asterisk takes another port when one is taken."""
START_S: Final = 60.0
ANSWER_S: Final = 30.0
STOP_S: Final = 10.0

_MODULES: Final = re.compile(
    r"app_(dial|echo|exec|milliwatt|mixmonitor|originate|playback|playtones|queue|read|record|senddtmf|stack"
    r"|speech_utils|stasis|userevent|verbose|while)"
    r"|bridge_.*|chan_(bridge_media|pjsip|rtp)|codec_(a_mu|alaw|g722|gsm|resample|ulaw)|format_(gsm|pcm|sln|wav)"
    r"|func_(callerid|channel|cut|db|devstate|env|global|groupcount|hangupcause|logic|math|module|pjsip_.*|rand"
    r"|sprintf|strings|timeout|uuid)|pbx_config"
    r"|res_(ari.*|crypto|format_attr_opus|http_websocket|musiconhold|mutestream|pjproject|rtp_(asterisk|multicast)|speech|srtp"
    r"|sorcery_(astdb|config|memory|memory_cache)|stasis.*|timing_timerfd|websocket_client"
    r"|pjsip(_(?!config_wizard|exten_state|geolocation|history|notify|outbound_publish|phoneprov|publish|stir).*)?)"
)


class Unavailable(Exception):
    """Asterisk can't be had here; the words say why."""


# Unpacking ----------------------------------------------------------------------------------------


def prepare() -> Path:
    """Unpack Asterisk unless it is there; returns the folder. Raises Unavailable."""
    if (PREPARED / ".complete").exists():
        return PREPARED
    PREPARED.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{PREPARED}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (PREPARED / ".complete").exists():
            _unpack()
    return PREPARED


def _unpack() -> None:
    if os.geteuid() != 0:
        raise Unavailable("unpacking Asterisk needs root")
    if shutil.which("mmdebstrap") is None:
        raise Unavailable("mmdebstrap is not installed")
    partial = Path(f"{PREPARED}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(PREPARED, ignore_errors=True)
    done = subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=extract",
            f"--include={','.join(PACKAGES)}",
            # A frozen mirror's Release file of an ever-changing suite has long expired.
            '--aptopt=Acquire::Check-Valid-Until "false"',
            '--aptopt=APT::Install-Recommends "false"',
            SUITE,
            str(partial),
            _mirror(),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"mmdebstrap failed: {done.stderr.strip()[-500:]}")
    for unneeded in ("doc", "man", "locale", "info"):
        shutil.rmtree(partial / "usr/share" / unneeded, ignore_errors=True)
    # The package's own script would do this, and no script runs here.
    (partial / "usr/share/asterisk/sounds/en").symlink_to("en_US_f_Allison")
    (partial / ".complete").touch()
    partial.rename(PREPARED)


def _mirror() -> str:
    """Where apt gets this Debian's packages from: it has the newer ones too."""
    listed = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(ORIGIN) $(COMPONENT)",
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        uri, origin, component = [*line.split(), "", ""][:3]
        if origin == "Debian" and component == "main":
            return uri
    raise Unavailable("apt has no Debian among its sources")


# One instance -------------------------------------------------------------------------------------


class Asterisk:
    """One Asterisk in a folder of its own.

    `agents` are SIP phones that register without a password, each under its own name; a call from anything else on
    loopback comes in on the trunk, and calls to `PJSIP/NUMBER@trunk` go out to the port `carrier`.
    `extra` are further lines for the configuration files, by file name; `replaced` whole files.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "test",
        agents: Sequence[str] = (),
        extra: Mapping[str, str] | None = None,
        replaced: Mapping[str, str] | None = None,
    ) -> None:
        self.root = prepare()
        self.folder = folder
        self.name = name
        self.agents = tuple(agents)
        self.extra = dict(extra or {})
        self.replaced = dict(replaced or {})
        claims: list[socket.socket] = []
        weakref.finalize(self, _give_up, claims)
        self.http = claimed_port(socket.SOCK_STREAM, claims)
        self.carrier, self.sip = (claimed_port(socket.SOCK_DGRAM, claims) for _ in range(2))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where ARI is."""
        return f"http://127.0.0.1:{self.http}/ari"

    @property
    def pid(self) -> int:
        """The process; 0 when none runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def start(self) -> None:
        """Start and return when it is fully booted. Raises Unavailable with the end of its log."""
        self._write_configuration()
        log = open(self.folder / "stdout", "ab")  # noqa: SIM115  the child has it from here on
        self._process = subprocess.Popen(
            [*self._program(), "-f"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        limit = time.monotonic() + START_S
        while not self._booted():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise Unavailable(f"Asterisk did not start:\n{self.log()[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it; its calls end with it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """What it has said, warnings and errors."""
        files = (self.folder / "stdout", self.folder / "log/full")
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def get(self, path: str) -> object:
        """Ask ARI something, outside any application: `get("channels")`."""
        return json.loads(self._http("GET", path))

    def channels(self) -> list[str]:
        """The ids of all channels there are."""
        found = self.get("channels")
        assert isinstance(found, list)
        return [channel["id"] for channel in found]

    def cli(self, command: str) -> str:
        """Say something to its console."""
        done = subprocess.run(
            [*self._program(), "-rx", command],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def _program(self) -> list[str]:
        """Asterisk by its own loader and libraries, with this instance's configuration."""
        (libraries,) = self.root.glob("usr/lib/*-linux-gnu")
        (loader,) = libraries.glob("ld-linux*.so.*")
        return [
            str(loader),
            "--library-path",
            f"{libraries}:{self.root}/usr/lib",
            str(self.root / "usr/sbin/asterisk"),
            "-C",
            str(self.folder / "etc/asterisk.conf"),
        ]

    def _booted(self) -> bool:
        # ARI answers before the dialplan is loaded.
        return "fully booted" in self.cli("core waitfullybooted")

    def _http(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"{self.url}/{path}", method=method)
        request.add_header("Authorization", "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            body: bytes = answer.read()
        return body

    # Configuration

    def _write_configuration(self) -> None:
        for part in (
            "etc",
            "lib",
            "db",
            "keys",
            "agi-bin",
            "spool",
            "run",
            "log",
            "moh",
            "keys/keys",
            "spool/recording",
        ):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        for leftover in (self.folder / "run").iterdir():
            leftover.unlink()
        files = self._files()
        for file, lines in self.extra.items():
            files[file] = files.get(file, "") + lines
        files.update(self.replaced)
        for file, text in files.items():
            (self.folder / "etc" / file).write_text(text)
        tone = self.folder / "moh" / "music.ulaw"
        if not tone.exists():
            tone.write_bytes(bytes(ulaw(sample) for sample in music()))

    def _files(self) -> dict[str, str]:
        folder = self.folder
        (modules,) = self.root.glob("usr/lib/*-linux-gnu/asterisk/modules")
        wanted = sorted(path.name for path in modules.glob("*.so") if _MODULES.fullmatch(path.stem))
        return {
            "asterisk.conf": f"""[directories]
astetcdir => {folder}/etc
astmoddir => {modules}
astvarlibdir => {folder}/lib
astdbdir => {folder}/db
astkeydir => {folder}/keys
astdatadir => {self.root}/usr/share/asterisk
astagidir => {folder}/agi-bin
astspooldir => {folder}/spool
astrundir => {folder}/run
astlogdir => {folder}/log
astsbindir => {self.root}/usr/sbin
[options]
systemname = {self.name}
maxfiles = 65535
""",
            "modules.conf": "[modules]\nautoload = no\n" + "".join(f"load = {name}\n" for name in wanted),
            "logger.conf": "[general]\ndateformat = %F %T.%3q\n[logfiles]\nfull = notice,warning,error\n",
            "http.conf": f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = {self.http}\n",
            "ari.conf": f"""[general]
enabled = yes
websocket_write_timeout = 5000
[{USER}]
type = user
password = {PASSWORD}
""",
            "rtp.conf": (
                f"[general]\nrtpstart = {RTP_PORTS.start}\nrtpend = {RTP_PORTS.stop - 1}\n"
                "icesupport = no\nstrictrtp = no\n"
            ),
            "pjsip.conf": self._pjsip(),
            "extensions.conf": _DIALPLAN,
            "musiconhold.conf": f"[default]\nmode = files\ndirectory = {folder}/moh\n",
            "indications.conf": (
                "[general]\ncountry = es\n[es]\ndescription = Spain\nringcadence = 1500,3000\n"
                "dial = 425\nbusy = 425/200,0/200\nring = 425/1500,0/3000\ncongestion = 425/200,0/200\n"
            ),
            "cdr.conf": "[general]\nenable = no\n",
            "cel.conf": "[general]\nenable = no\n",
            "queues.conf": "[general]\n",
            **{f"{name}.conf": "" for name in _EMPTY},
        }

    def _pjsip(self) -> str:
        # `username` first: a phone is known by its name, everything else is the trunk.
        parts = [
            f"""[global]
type = global
endpoint_identifier_order = username,ip
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{self.sip}
[any](!)
type = endpoint
transport = udp
disallow = all
allow = ulaw
direct_media = no
media_address = 127.0.0.1
bind_rtp_to_media_address = yes
timers = no
[trunk](any)
context = incoming
aors = trunk
[trunk]
type = aor
contact = sip:127.0.0.1:{self.carrier}
[trunk]
type = identify
endpoint = trunk
match = 127.0.0.1
"""
        ]
        parts += [
            f"[{agent}](any)\ncontext = phones\naors = {agent}\n[{agent}]\ntype = aor\nmax_contacts = 1\n"
            "remove_existing = yes\n"
            for agent in self.agents
        ]
        return "".join(parts)


_EMPTY: Final = (
    "acl", "amd", "ccss", "cli", "codecs", "confbridge", "features", "manager", "pjproject", "queuerules",
    "udptl", "websocket_client",
)  # fmt: skip

# Answer(,i) elsewhere: a plain Answer() waits half a second for the first audio.
_DIALPLAN: Final = """[incoming]
exten => _[a-z0-9+].,1,Set(waited=0)
 same => n(enter),Stasis(centralita,queue=${EXTEN})
 ; Centralita is not there just now: keep the caller, and ask again.
 same => n,GotoIf($["${STASISSTATUS}" = "SUCCESS"]?over)
 same => n,Set(waited=$[${waited} + 1])
 same => n,GotoIf($[${waited} > 240]?over)
 same => n,Ringing()
 same => n,Wait(0.25)
 same => n,Goto(enter)
 same => n(over),Hangup()
[phones]
exten => echo,1,Answer(,i)
 same => n,Echo()
exten => _*.,1,Stasis(centralita,agent,${EXTEN})
 same => n,Hangup()
exten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)
[outside]
; Where a call goes that is transferred to a number: it is no longer Centralita's.
exten => _[+0-9]X.,1,Dial(PJSIP/${EXTEN}@trunk)
 same => n,Hangup()
"""


def claimed_port(kind: int, claims: list[socket.socket], *, n: int = 1) -> int:
    """The first of `n` free ports in a row that nobody who asks here is given beside, as long as the `claims` are open:
    servers run side by side, and the carrier's port is bound only when a test has calls go out. The claim is that number
    at another address of the loopback."""
    for first in random.sample(PORTS, len(PORTS)):
        found: list[socket.socket] = []
        try:
            for port in range(first, first + n):
                claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                found.append(claim)
                claim.bind((CLAIMS, port))
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            _give_up(found)
            continue
        claims += found
        return first
    raise Unavailable(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


def _give_up(claims: list[socket.socket]) -> None:
    for claim in claims:
        claim.close()


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    if list(arguments) == ["prepare"]:
        try:
            print(prepare())
        except Unavailable as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    if len(arguments) == 2 and arguments[0] == "run":
        server = Asterisk(Path(arguments[1]).resolve(), agents=("ana", "bea", "carl"))
        server.start()
        print(f"SIP udp/{server.sip}, ARI {server.url} ({USER}, {PASSWORD}), carrier udp/{server.carrier}")
        try:
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        finally:
            server.stop()
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
