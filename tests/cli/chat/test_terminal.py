"""`chatfsm chat` on a terminal: input arrives unchanged, and secret answers stay hidden."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from chatfsm.simulator.scenario import Await, ShowSecureForm
from tests.cli.chat.terminal import Terminal, command
from tests.drivers.center import GREETING, OPENING, SILENT, Scenario, Server, message, texts_of

Chat = Callable[..., Terminal]
CARD = "4111111111111111"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(hold=0.05) as serving:
        yield serving


def test_a_chat_on_a_terminal(server: Server) -> None:
    """Rows are above the input line; keys edit it; typing is reported; /end ends the chat."""
    with Terminal(command(server.url)) as terminal:
        terminal.shows(GREETING)
        terminal.press("helo\x1b[Dl")
        terminal.shows("hell")
        terminal.press("\r")
        terminal.shows("You said: hello")
        terminal.press("/end\r")
        terminal.shows("over")
        assert terminal.ends() == 0
        assert terminal.mode() == terminal.modes
    events = [event["event"] for event in server.chat.customer_events]
    assert "chat_session_typing" in events
    assert events.count("chat_session_message") == 1


@pytest.mark.parametrize("how", ["signal", "key"])
def test_ctrl_c_leaves_after_the_last_message(server: Server, how: str) -> None:
    """An interrupt gives exit code 130, restores the terminal, and the message has arrived."""
    with Terminal(command(server.url)) as terminal:
        terminal.shows(GREETING)
        terminal.press("my last words\r")
        terminal.shows("sent")
        if how == "signal":
            terminal.process.send_signal(signal.SIGINT)
        else:
            terminal.press("\x03")
        assert terminal.ends() == 130
        assert terminal.mode() == terminal.modes
    assert texts_of(server.chat) == ["my last words"]


def test_ctrl_d_leaves(server: Server) -> None:
    """Ctrl-D on an empty line exits with 0; the chat stays open at the server."""
    with Terminal(command(server.url)) as terminal:
        terminal.shows(GREETING)
        terminal.press("x\x04\x7f\x04")
        assert terminal.ends() == 0
        assert terminal.mode() == terminal.modes
    assert texts_of(server.chat) == []
    assert not server.chat.is_over


def test_a_pasted_text_waits_for_enter(server: Server) -> None:
    """Pasted lines stay in the input until Enter, and are then one message."""
    with Terminal(command(server.url)) as terminal:
        terminal.shows(GREETING)
        terminal.until(lambda: "\x1b[?2004h" in terminal.drawn, "enable bracketed paste")
        terminal.press("\x1b[200~1 High Street\nLeeds\nLS1 4AB\n\x1b[201~")
        terminal.shows("LS1 4AB")
        assert texts_of(server.chat) == []
        terminal.press("\r")
        terminal.shows("You said")
        terminal.press("/quit\r")
        assert terminal.ends() == 0
    assert texts_of(server.chat) == ["1 High Street\nLeeds\nLS1 4AB"]


TEXTS = {
    "Persian, with a non-joiner": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "joined emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "narrow no-break space": "Merci\u202f!",
    "no-break space": "10\u00a0000",
    "ideographic space": "東京\u3000大阪",
    "an emoji that Python does not know": "\U0001fae9",
    "tab": "SKU\t42",
}


def test_typed_text_arrives_unchanged(server: Server) -> None:
    """No typed or pasted character is dropped or replaced."""
    with Terminal(command(server.url)) as terminal:
        terminal.shows(GREETING)
        for number, text in enumerate(TEXTS.values()):
            terminal.press(text + "\r")
            terminal.until(lambda n=number: len(texts_of(server.chat)) > n, text)
        terminal.press("/quit\r")
        assert terminal.ends() == 0
    assert texts_of(server.chat) == list(TEXTS.values())


def test_up_recalls_the_line_before(server: Server) -> None:
    """The Up key recalls the line before."""
    with Terminal(command(server.url)) as terminal:
        terminal.shows(GREETING)
        terminal.press("hello\r")
        terminal.shows("You said: hello")
        terminal.until(lambda: _recalls(terminal), "recall the line")
        terminal.press("!\r")
        terminal.shows("You said: hello!")
        terminal.press("/quit\r")
        assert terminal.ends() == 0


def _recalls(terminal: Terminal) -> bool:
    """Whether another Up puts the line before into the input."""
    drawn = len(terminal.drawn)
    terminal.press("\x1b[A")
    while terminal.read(0.2):
        pass
    return "hello" in terminal.drawn[drawn:]


SECURE = Scenario("secure", (*OPENING, ShowSecureForm("card"), Await("chat_session_end")))


def closed_form() -> dict[str, str]:
    return {"event": "chat_session_secure_form_cancel", "form_request_id": "1"}


def test_the_answer_of_a_secure_form_is_hidden() -> None:
    """The answer is drawn as stars, posted, and not recalled by Up or Ctrl-Y."""
    with (
        Server(SECURE, hold=0.05) as server,
        Terminal(command(server.url, "--form", "card=number")) as terminal,
    ):
        terminal.shows("card: number?")
        terminal.press(CARD)
        terminal.shows("*" * len(CARD))
        terminal.press("\x15\x19" + CARD + "\r")
        terminal.shows("answered")
        for keys in ("\x1b[A", "\x19"):
            terminal.press(keys)
            terminal.read(0.5)
        terminal.press("/quit\r")
        assert terminal.ends() == 0
        assert "4111" not in terminal.text
        [answer] = [event for event in server.chat.customer_events if "data" in event]
        assert answer["data"] == {"number": CARD}


def test_a_closed_secure_form_drops_its_begun_answer() -> None:
    """A line that was begun for the form is neither shown nor sent as a message."""
    with (
        Server(SECURE, hold=0.05) as server,
        Terminal(command(server.url, "--form", "card=number")) as terminal,
    ):
        terminal.shows("card: number?")
        terminal.press(CARD[:12])
        terminal.shows("*" * 12)
        server.send(closed_form())
        terminal.shows("cancelled")
        terminal.press(CARD[12:] + "\r")
        terminal.shows("nothing was sent")
        terminal.press("the next line\r/quit\r")
        assert terminal.ends() == 0
        assert "4111" not in terminal.text
        assert "1111" not in terminal.text
        assert texts_of(server.chat) == ["the next line"]


def test_a_begun_message_is_not_an_answer() -> None:
    """A form that opens while a message is typed does not take it as its answer."""
    with (
        Server(SILENT, hold=0.05) as server,
        Terminal(command(server.url, "--form", "card=number")) as terminal,
    ):
        terminal.shows(GREETING)
        terminal.press("I am ")
        terminal.shows("I am")
        shown = {"event": "chat_session_secure_form_show", "form_id": "card"}
        server.send({**shown, "form_request_id": "1"})
        terminal.shows("(send or clear this message first)   card: number?")
        terminal.press("here\r")
        terminal.until(lambda: texts_of(server.chat) == ["I am here"], "send the message")
        terminal.press(CARD + "\r")
        terminal.shows("answered")
        terminal.press("/quit\r")
        assert terminal.ends() == 0
        assert "4111" not in terminal.text


def test_the_chat_continues_after_a_stop() -> None:
    """After Ctrl-Z and fg the terminal does not echo, and answers stay hidden."""
    with Server(SECURE, hold=0.05) as server, Terminal(["bash", "--norc", "-i"], PS1="$ ") as shell:
        words = command(server.url, "--form", "card=number")
        shell.press(" ".join(f"'{word}'" for word in words) + "\n")
        shell.shows("card: number?")
        assert not shell.echoes
        shell.press("\x1a")
        shell.shows("Stopped")
        drawn = len(shell.drawn)
        shell.press("fg\n")
        shell.until(lambda: "card: number?" in shell.drawn[drawn:], "draw the input again")
        assert not shell.echoes
        shell.press(CARD + "\r")
        shell.shows("answered")
        shell.press("/quit\r")
        shell.until(lambda: shell.text.rstrip().endswith("$"), "return to the shell")
        shell.press("exit\n")
        assert shell.ends() == 0
        assert "4111" not in shell.text


def test_texts_of_the_server_are_escaped(server: Server) -> None:
    """Sequences that would clear the screen or set the window title are escaped."""
    with Terminal(command(server.url)) as terminal:
        terminal.shows(GREETING)
        server.send(message("\x1b[2J\x1b]0;owned\x07 [bold]as it is[/bold]"))
        terminal.shows(r"\x1b[2J\x1b]0;owned\x07 [bold]as it is[/bold]")
        terminal.press("/quit\r")
        assert terminal.ends() == 0
    assert not re.search(r"\x1b\[2J|\x1b\]|\x07", terminal.drawn)


@pytest.mark.parametrize("options", [("--plain",), ()])
def test_lines_as_the_terminal_has_them(server: Server, options: tuple[str, ...]) -> None:
    """With --plain, or on a dumb terminal, the terminal edits the lines."""
    with Terminal(command(server.url, *options), TERM="dumb") as terminal:
        terminal.shows(GREETING)
        assert terminal.echoes
        terminal.press("hello\n")
        terminal.shows("You said: hello")
        terminal.press("\x04")
        assert terminal.ends() == 0
    assert "\x1b" not in terminal.drawn


def test_plain_lines_hide_the_answer_of_a_secure_form() -> None:
    """The terminal does not echo while the form is asked, and echoes again afterwards."""
    with (
        Server(SECURE, hold=0.05) as server,
        Terminal(command(server.url, "--plain", "--form", "card=number")) as terminal,
    ):
        terminal.shows("card: number?")
        terminal.until(lambda: not terminal.echoes, "hide")
        terminal.press(CARD + "\n")
        terminal.shows("answered")
        terminal.until(lambda: terminal.echoes, "echo again")
        terminal.press("/quit\n")
        assert terminal.ends() == 0
        assert "4111" not in terminal.text
        [answer] = [event for event in server.chat.customer_events if "data" in event]
        assert answer["data"] == {"number": CARD}


def test_plain_lines_drop_the_answer_of_a_closed_secure_form() -> None:
    """The answer is neither shown nor sent as a message."""
    with (
        Server(SECURE, hold=0.05) as server,
        Terminal(command(server.url, "--plain", "--form", "card=number")) as terminal,
    ):
        terminal.shows("card: number?")
        terminal.until(lambda: not terminal.echoes, "hide")
        terminal.press(CARD[:12])
        server.send(closed_form())
        terminal.shows("cancelled")
        terminal.press(CARD[12:] + "\n")
        terminal.shows("nothing was sent")
        terminal.until(lambda: terminal.echoes, "echo again")
        terminal.press("the next line\n/quit\n")
        assert terminal.ends() == 0
        assert "1111" not in terminal.text
        assert texts_of(server.chat) == ["the next line"]


@pytest.mark.skipif(sys.platform != "linux", reason="terminals differ in passing on partial lines")
def test_a_begun_plain_line_is_not_an_answer() -> None:
    """A form that opens while a line is typed does not take it as its answer."""
    with (
        Server(SILENT, hold=0.05) as server,
        Terminal(command(server.url, "--plain", "--form", "card=number")) as terminal,
    ):
        terminal.shows(GREETING)
        terminal.press("I am ")
        terminal.shows("I am")
        shown = {"event": "chat_session_secure_form_show", "form_id": "card"}
        server.send({**shown, "form_request_id": "1"})
        terminal.shows("card: number?")
        terminal.until(lambda: not terminal.echoes, "hide")
        terminal.press("here\n")
        terminal.until(lambda: texts_of(server.chat) == ["I am here"], "send the message")
        terminal.press(CARD + "\n")
        terminal.shows("answered")
        terminal.press("/quit\n")
        assert terminal.ends() == 0
        assert "4111" not in terminal.text


def test_the_terminal_is_as_before_after_a_hidden_answer() -> None:
    """The terminal is restored also if the command ends while the form is asked."""
    with (
        Server(SECURE, hold=0.05) as server,
        Terminal(command(server.url, "--plain", "--form", "card=number")) as terminal,
    ):
        terminal.shows("card: number?")
        terminal.until(lambda: not terminal.echoes, "hide")
        terminal.press("/quit\n")
        assert terminal.ends() == 0
        assert terminal.mode() == terminal.modes


def test_without_the_extra_lines_are_plain(server: Server) -> None:
    """Without prompt_toolkit the extra is named, and the chat continues with plain lines."""
    code = "import sys; sys.modules['prompt_toolkit'] = None; sys.argv.pop(0)"
    code += "; from chatfsm.__main__ import main; sys.exit(main())"
    words = command(server.url)
    words = [words[0], "-c", code, *words[2:]]
    with Terminal(words) as terminal:
        terminal.shows("pip install 'chatfsm[cli]'")
        terminal.shows(GREETING)
        terminal.press("hello\n")
        terminal.shows("You said: hello")
        terminal.press("/quit\n")
        assert terminal.ends() == 0
    assert "\x1b" not in terminal.drawn
