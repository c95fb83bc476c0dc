"""The bottom of a terminal: a picture drawn eight times a second, and lines that scroll by above it. What is drawn is not known here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct, field

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

PATIENCE_S = 0.2
"""A run that is over by then shows no picture and costs no import of rich."""
REFRESH_S = 0.125
FLOOD = 1000
"""Lines for above the picture are gathered until it is drawn next, but no more of them than this."""


class Canvas(Struct):
    """Draws on `stream` what `picture` gives for a width, a height and a number that counts pictures.

    A thread of its own draws, holding `lock`. `notice` is the last line that stays when the picture is taken away.
    """

    stream: TextIO
    picture: Callable[[int, int, int], Text]
    notice: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    _above: list[tuple[str, str]] = field(default_factory=list)
    _live: Live | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _artist: threading.Thread | None = None

    def begin(self) -> None:
        """Draw from now on, until `close`."""
        if self._artist is None and not self._over.is_set():
            self._artist = threading.Thread(target=self._draw, name="bars", daemon=True)
            self._artist.start()

    def close(self) -> None:
        """Take the picture away; what was printed above stays."""
        self._over.set()
        if self._artist is not None:
            self._artist.join()
            self._artist = None

    def print(self, text: str, style: str = "") -> None:
        """A line above the picture."""
        if self._live is not None:
            self._above.append((text, style))
            if len(self._above) >= FLOOD:
                self._flush(self._live)
            return
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except OSError:  # the terminal is gone; the run is not
            self._over.set()

    def notify(self, notice: str) -> None:
        """Show from now on, below the picture, what goes for all of it."""
        self.notice = notice
        if self._live is None:
            self.print(notice, "yellow")

    def _flush(self, live: Live) -> None:
        """Print what has gathered since the last picture, in one go."""
        if not self._above:
            return
        from rich.text import Text

        above = Text("\n").join(Text(text, style) for text, style in self._above)
        self._above.clear()
        live.console.print(above, soft_wrap=True)

    def _draw(self) -> None:
        if self._over.wait(PATIENCE_S):
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, highlight=False)
        live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        pictures = 0
        try:
            with self.lock:
                live.start()
                self._live = live
            while not self._over.wait(REFRESH_S):
                pictures += 1
                with self.lock:
                    self._flush(live)
                    live.update(self.picture(console.width, console.height, pictures), refresh=True)
        except OSError:  # the terminal is gone; the run is not
            self._over.set()
        finally:
            with self.lock:
                self._take_away(live)

    def _take_away(self, live: Live) -> None:
        self._live = None
        try:
            self._flush(live)
            live.stop()
            if self.notice:
                self.print(self.notice)
        except OSError:  # the terminal is gone; the run is not
            pass
