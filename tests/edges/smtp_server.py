"""A mail server for the tests, made of aiosmtpd. It ends when its standard input closes.

What it does with a recipient is in the address: refused…, later… (the first time), data-refused…, data-later… (the first time), drop…
(the first time: it keeps the mail and closes without a word), silent… (keeps nothing and says nothing). What it takes is appended to the
journal, read by Python's own parser.
"""

import argparse
import asyncio
import email
import email.policy
import hashlib
import json
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("--journal", required=True)
parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--password")
arguments = parser.parse_args()


class Handler:
    def __init__(self):
        self.seen = set()

    def is_first(self, what):
        is_first = what not in self.seen
        self.seen.add(what)
        return is_first

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later") and self.is_first(("rcpt", address)):
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        content = envelope.original_content
        for address in envelope.rcpt_tos:
            if address.startswith("data-refused"):
                return "554 5.7.1 looks like spam"
            if address.startswith("data-later") and self.is_first(("data", address)):
                return "451 4.3.0 try again"
            if address.startswith("silent"):
                await asyncio.sleep(3600)
        self.keep(session, envelope, content)
        if any(address.startswith("drop") and self.is_first(("drop", address)) for address in envelope.rcpt_tos):
            server.transport.abort()
        return "250 2.0.0 kept"

    def keep(self, session, envelope, content):
        message = email.message_from_bytes(content, policy=email.policy.SMTP)
        text, html = message.get_body(("plain",)), message.get_body(("html",))
        entry = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "encrypted": session.ssl is not None or arguments.tls == "implicit",
            "user": session.auth_data.decode() if session.auth_data else None,
            "message_id": message["Message-ID"],
            "subject": message["Subject"],
            "text": text.get_content().replace("\r\n", "\n"),
            "html": html.get_content().replace("\r\n", "\n"),
            "defects": [str(part.defects) for part in message.walk() if part.defects],
            "attachments": [
                [part.get_filename(), part.get_content_type(), hashlib.sha256(part.get_payload(decode=True)).hexdigest()]
                for part in message.iter_attachments()
            ],
            "digest": hashlib.sha256(content).hexdigest(),
        }
        with open(arguments.journal, "a", encoding="utf-8") as journal:
            journal.write(json.dumps(entry) + "\n")


def authenticate(server, session, envelope, mechanism, data):
    is_right = data.password.decode() == arguments.password
    return AuthResult(success=is_right, handled=False, auth_data=data.login)


async def main():
    context = None
    if arguments.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)
    options = {}
    if arguments.tls == "starttls":
        options.update(tls_context=context, require_starttls=True)
    if arguments.password:
        options.update(authenticator=authenticate, auth_required=True, auth_require_tls=arguments.tls == "starttls")
    handler = Handler()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="mail.example.com", **options),
        "127.0.0.1",
        0,
        ssl=context if arguments.tls == "implicit" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await ended.wait()


asyncio.run(main())
