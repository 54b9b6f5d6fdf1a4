"""`worker models …`: lists, shows, activates and removes models."""

import asyncio
import getpass
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from worker.cli.connection import connected, transactions
from worker.cli.models_text import as_json, described, now_active, story, table
from worker.errors import UserError
from worker.registry.activations import Activation, activations
from worker.registry.adopt import adopt as give_up
from worker.registry.adopt import lost
from worker.registry.choose import choose, go_back, unknown
from worker.registry.models import Active, Connection, Registered, all_models, lock
from worker.registry.prune import ModelPrune, pruned, put_back
from worker.registry.verify import verify, version_folder
from worker.settings import DatabaseSettings, ModelSettings, ShowSettings, load_settings

app = typer.Typer(
    help="List models, look at one, choose the active one, and remove old ones.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[str, typer.Argument(help="As in `worker models list`.")]
Reason = Annotated[str | None, typer.Option(help='Why, for "ModelActivations".')]
Given = TypeVar("Given")


@app.command("list")
def list_models(json: Json = False) -> None:
    """List all models, the newest first."""
    found = _ask(load_settings(DatabaseSettings), all_models)
    typer.echo(as_json([described(model) for model in found]) if json else table(found))


@app.command()
def show(version: Version, json: Json = False) -> None:
    """Show a model and its history; where OUTPUT_PATH is set, also verify its files."""
    settings = load_settings(ShowSettings)
    found, audit = _ask(settings, _read_all)
    models = {model.version: model for model in found}
    if version not in models:
        raise unknown(version)
    history = [each for each in audit if version in (each.version, each.previous_version)]
    files = _state_of_files(settings.output_path, version)
    if json:
        fields = {"files": files, "activations": [asdict(each) for each in history]}
        typer.echo(as_json(described(models[version]) | fields))
    else:
        typer.echo(story(models[version], files, history))


@app.command()
def activate(version: Version, reason: Reason = None) -> None:
    """Activate a model, if its files are complete and unchanged."""

    async def change(connection: Connection, folder: Path) -> str | None:
        return await choose(connection, folder, version, _who(), reason)

    typer.echo(now_active(version, _change(change)))


@app.command()
def rollback(reason: Reason = None) -> None:
    """Activate the previously active model; a second time, the one before that."""

    async def change(connection: Connection, folder: Path) -> tuple[str, str | None]:
        return await go_back(connection, folder, _who(), reason)

    typer.echo(now_active(*_change(change)))


@app.command()
def adopt(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, reason: Reason = None
) -> None:
    """Start anew where the active model's files are lost: the next job's model becomes the active one."""
    folder = load_settings(ModelSettings).output_path.absolute()

    async def look(connection: Connection) -> tuple[Active, str]:
        return await lost(connection, folder)

    async def change(connection: Connection, folder: Path) -> str:
        return await give_up(connection, folder, _who(), reason)

    model, fault = _ask(load_settings(ModelSettings), look)
    typer.echo(
        f"{fault} {model.version} will not be active any more; the next job trains a model that will be."
    )
    if not yes:
        typer.confirm("Go on?", abort=True)
    typer.echo(f"{_change(change)} was given up, and no model is active: insert a job.")


@app.command()
def prune(keep: Annotated[int, typer.Option(min=1, help="Number of newest models to keep.")]) -> None:
    """Remove older models and their files, but never the active model and the previously active one."""
    settings = load_settings(ModelSettings)

    async def step_by_step() -> bool:
        found = False
        async with connected(settings) as connection:
            models = ModelPrune(transactions(connection), settings.output_path.absolute(), keep)
            while removed := await models.step():
                typer.echo("\n".join(f"Removed {version}." for version in removed))
                found = True
        return found

    if not _run(step_by_step(), settings):
        typer.echo("There was nothing to remove.")


def _ask(settings: DatabaseSettings, question: Callable[[Connection], Awaitable[Given]]) -> Given:
    async def ask() -> Given:
        async with connected(settings) as connection:
            return await question(connection)

    return asyncio.run(ask())


async def _read_all(connection: Connection) -> tuple[list[Registered], list[Activation]]:
    return await all_models(connection), await activations(connection)


def _change(change: Callable[[Connection, Path], Awaitable[Given]]) -> Given:
    """Change models and their folders below OUTPUT_PATH in one transaction, under the lock."""
    settings = load_settings(ModelSettings)
    folder = settings.output_path.absolute()

    async def alone() -> Given:
        async with connected(settings) as connection, transactions(connection)():
            await lock(connection)
            await put_back(connection, folder, pruned(folder))
            return await change(connection, folder)

    return _run(alone(), settings)


def _run(work: Coroutine[Any, Any, Given], settings: ModelSettings) -> Given:
    try:
        return asyncio.run(work)
    except OSError as error:
        folder = settings.output_path.absolute()
        raise UserError(f"OUTPUT_PATH {folder} cannot be used: {error}. Nothing more was changed.") from None


def _state_of_files(output_path: Path | None, version: str) -> str:
    if output_path is None:
        return "not looked at: OUTPUT_PATH is not set"
    try:
        verify(version_folder(output_path.absolute(), version))
    except UserError as error:
        return str(error)
    return "whole"


def _who() -> str:
    """The operating system's user and host, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # The user of a container may have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
