"""The `jointly` command. Each module holds one group of commands and is imported when one of them is called."""

import logging
import os
import sys
from importlib import import_module
from typing import Annotated, Final

import typer

from services.cli.errors import Commands
from services.platform.settings import SettingsError, settings
from services.platform.version import version

_LINES: Final = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Shells put the line to complete into these environment variables."""

COMMANDS: Final = {
    "demo": ("services.cli.demo", "Run everything once on an embedded stack and show the results."),
    "up": ("services.cli.demo", "Keep the embedded stack running, for development."),
    "publish": ("services.cli.publish", "Publish an authority's plans (JSONL, OCDS, contract register)."),
    "withdraw": ("services.cli.withdraw", "Withdraw one plan."),
    "confirm": (
        "services.cli.confirm",
        "Confirm that a plan is still true, or make a notice's plan the authority's own.",
    ),
    "opportunities": ("services.cli.opportunities", "List the active opportunities."),
    "answer": ("services.cli.responses", "Answer a suggestion, or publish a file of answers."),
    "introduce": (
        "services.cli.introduce",
        "Say yes, no or later to an introduction where one side shares only a match.",
    ),
    "invite": ("services.cli.responses", "Invite others to go to market together."),
    "suppliers": ("services.cli.suppliers", "Show who has contracts with which supplier, ending when."),
    "contracts": ("services.cli.contract_commands", "Publish and list what authorities share of running contracts."),
    "benchmark": ("services.cli.benchmark", "Show what others pay, in cells of at least five authorities."),
    "coalition": ("services.cli.coalition", "Show coalitions, and act in one: accept, join, leave, lead."),
    "route": ("services.cli.route", "Record and show which routes were looked at for a plan."),
    "explain": ("services.cli.opportunities", "Explain a plan's partners: what matched, what would change it."),
    "what-if": ("services.cli.what_if", "Try other dates of a plan: partners and groups gained and lost."),
    "trace": ("services.cli.trace", "Show one plan event's way from the plan log to the emails."),
    "score": ("services.cli.score", "Score plans of a file against each other: no broker, no database."),
    "evaluate": ("services.cli.evaluate", "Measure a policy against relevance judgements."),
    "fit": ("services.cli.fit", "Fit the scorer to judged pairs."),
    "feedback": ("services.cli.feedback", "Turn answers of authorities into judged pairs."),
    "statistics": ("services.cli.statistics", "Build corpus statistics."),
    "encoder": ("services.cli.encoder", "Make the optional faster encoder."),
    "dead-letters": ("services.cli.dead_letters", "List, show and replay events that could not be handled."),
    "plans": ("services.cli.plan_commands", "List plans to confirm and a plan's revisions; reset a plan."),
    "extensions": ("services.cli.extensions", "Show extensions beyond twelve months; record what was decided."),
    "frameworks": ("services.cli.frameworks", "Import framework agreements, and check which cover a plan."),
    "signatories": ("services.cli.signatories", "Import, export and list who signed the Charter."),
    "parties": ("services.cli.parties", "Import, export and list offices, groups and purchasing bodies."),
    "programme": ("services.cli.programme", "Print the programme's measures as of any day."),
    "reorganise": ("services.cli.reorganise", "Rehearse a reorganisation of authorities; it writes nothing."),
    "authorities": ("services.cli.authorities", "Import, export and look at the register of authorities."),
    "keys": ("services.cli.keys", "Make, register and revoke the keys that authorities sign with."),
    "api-token": ("services.cli.api_token", "Issue, list and revoke the tokens that authorities' systems read with."),
    "openapi": ("services.cli.openapi", "Print the OpenAPI document of the read interface."),
    "audit": ("services.cli.audit", "Check, prove and export the audit log."),
    "digests": ("services.cli.digests", "Flush the weekly digests."),
    "state-hash": ("services.cli.rebuild", "Print one hash of all plans and active pairs."),
    "rebuild": (
        "services.cli.rebuild",
        "Recompute everything from the plan log and repair differences, without notifications.",
    ),
    "restore-drill": ("services.cli.restore_drill", "Restore a backup into a scratch database and check it."),
    "reassess": (
        "services.cli.rebuild",
        "Move to another policy, statistics, successions or model; preview the notifications.",
    ),
    "forget": ("services.cli.forget", "Forget a plan's content, or all plans of an authority."),
    "matcher": ("services.cli.run", "Run a matcher."),
    "coalitions": ("services.cli.run", "Run a coalitions process."),
    "notifier": ("services.cli.run", "Run a notifier."),
    "relay": ("services.cli.run", "Run a relay."),
    "collect": ("services.cli.run", "Collect public notices, continuously or --once."),
    "web": ("services.cli.run", "Run the web pages for authorities."),
    "doctor": ("services.cli.doctor", "Check settings, broker, database, lag and mail server; change nothing."),
    "topics": ("services.cli.setup", "Create the declared Kafka topics."),
    "migrate": ("services.cli.setup", "Migrate the database to this version's tables."),
    "asyncapi": ("services.cli.contract", "Print the AsyncAPI 3 document of the wire contract."),
    "schemas": ("services.cli.contract", "Write the JSON Schemas of all payloads."),
}

RENAMED: Final = {
    "digest": "state-hash",
    "coalition join": "coalition act ID join",
    "coalition leave": "coalition act ID leave",
}
"""Commands of earlier versions and their current names."""

EMBEDDED: Final = ("demo", "up")
INSTALL: Final = "install `jointly[embedded]`, or use `make install` in a checkout; the production image leaves it out"


def application(chosen: str | None = None) -> typer.Typer:
    """Build the command line with only the chosen command's module imported, or with all modules for None.

    `jointly publish` must not wait for the libraries of the model, nor `jointly --help` for any.
    """
    app = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_jointly)
    for name, (module, about) in COMMANDS.items():
        if chosen is not None and name != chosen:
            app.command(name, short_help=about)(_not_loaded)
            continue
        loaded = import_module(module)
        single = getattr(loaded, name.replace("-", "_"), None)
        if single is not None:
            app.command(name, short_help=about)(single)
        else:
            app.add_typer(loaded.app, name=name, short_help=about)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jointly {version()}")
        raise typer.Exit


def _jointly(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find the authorities that plan to buy the same thing at the same time, and bring them together."""
    _use_successions()


def _use_successions() -> None:
    """Put the installation's own successions into effect, for every command and every process that one starts."""
    try:
        file = settings().successions_file
    except SettingsError:
        return  # a command that needs the settings reports the invalid one
    if file is None and "matching.successions" not in sys.modules:
        return
    from services.application import reorganisation

    try:
        reorganisation.use_file(file)
    except ValueError as error:
        raise SettingsError(f"JOINTLY_SUCCESSIONS_FILE: {file}: {error}") from None


def _not_loaded() -> None:
    raise AssertionError("this command's module was not imported")


def _words() -> list[str]:
    """Return the arguments after `jointly`. A shell that completes a line passes it in the environment."""
    lines = [os.environ[name] for name in _LINES if name in os.environ and "_JOINTLY_COMPLETE" in os.environ]
    line = next(iter(lines), None)
    return sys.argv[1:] if line is None else line.split()[1:]


def main() -> None:
    """Run the command line."""
    from services.platform import logs

    # Standard output is for the command's result; a long-running process sets its log level later. If Kafka is down,
    # the command itself reports it once, instead of the client's repeated log lines.
    logs.setup("cli", "WARNING")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    words = [word for word in _words() if not word.startswith("-")]
    for old, new in RENAMED.items():
        if words[: len(old.split())] == old.split():
            print(f"jointly: `{old}` is called `{new}` now", file=sys.stderr)  # noqa: T201
            sys.exit(2)
    chosen = next(iter(words), "")
    try:
        application(chosen)()
    except ModuleNotFoundError as error:
        if chosen not in EMBEDDED:
            raise
        print(f"jointly: `{chosen}` needs the embedded stack ({error.name} is missing): {INSTALL}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
