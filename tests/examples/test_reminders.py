"""The reminders ring when they are due, also those that came due while nothing ran."""

import asyncio
from datetime import timedelta

import perdure
from tests.examples.readme import EXAMPLES


def test_what_is_due_rings_once_and_the_next_one_is_armed(tmp_path):
    async def rings() -> tuple[list[str], list[str]]:
        async with perdure.open(tmp_path / "data", worker=EXAMPLES / "reminders" / "wrangler.toml") as rt:

            async def post(text: str, at: timedelta) -> None:
                answer = await rt.fetch("/ann", method="POST", body=_json(text, at))
                assert answer.status == 201

            await post("later", timedelta(days=1))
            await post("late", timedelta(days=-1))
            await post("soon", timedelta(milliseconds=50))
            while len(rung := await (await rt.fetch("/ann/rung")).json()) < 2:
                await asyncio.sleep(0.01)
            waiting = await (await rt.fetch("/ann")).json()
            return sorted(rung), [reminder["text"] for reminder in waiting]

    assert asyncio.run(rings()) == (["late", "soon"], ["later"])


def _json(text: str, at: timedelta) -> str:
    return f'{{"at": "{(perdure.now() + at).isoformat()}", "text": "{text}"}}'
